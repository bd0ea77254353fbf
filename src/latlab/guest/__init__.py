# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: their kernel, their root in memory, QEMU's command line, QMP, and the machine as a host."""
