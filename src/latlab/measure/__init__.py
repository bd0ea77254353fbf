# SPDX-License-Identifier: Apache-2.0
"""Instruments: each sends its own packets between the two ends of the flow and says what it found."""
