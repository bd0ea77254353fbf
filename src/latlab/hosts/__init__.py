# SPDX-License-Identifier: Apache-2.0
"""Machines, and the three verbs by which latlab touches them: run, start, undo.defer."""
