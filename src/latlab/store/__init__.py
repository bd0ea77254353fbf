# SPDX-License-Identifier: Apache-2.0
"""The run directory: what one run leaves on disk, how it is written so that nothing is lost, and how it is read."""
