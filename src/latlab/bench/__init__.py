# SPDX-License-Identifier: Apache-2.0
"""Benches: the machines and cables a measurement runs on."""
