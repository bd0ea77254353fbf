# SPDX-License-Identifier: Apache-2.0
"""isochron's log files and report letters: read, written and printed as isochron 0.9 does."""
