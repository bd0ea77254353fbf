# SPDX-License-Identifier: Apache-2.0
"""How the clocks of the two ends of a flow compare: one file for each method, and the sync log that they write."""
