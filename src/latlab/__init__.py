# SPDX-License-Identifier: Apache-2.0
"""latlab: how long a packet takes into, and out of, an application in a virtual machine, and why."""
