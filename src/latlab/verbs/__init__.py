# SPDX-License-Identifier: Apache-2.0
"""Verbs of the command line that belong together, a file for each kind; `cli` is the table of all."""
