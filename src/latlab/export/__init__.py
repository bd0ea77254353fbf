# SPDX-License-Identifier: Apache-2.0
"""Runs as files for other programs: packets as CSV, Parquet and JSON, flent's data files, OpenMetrics text.

isochron's logs are in `latlab.isochron`. A format is one line of `formats.FORMATS`.
"""
