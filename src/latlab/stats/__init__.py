# SPDX-License-Identifier: Apache-2.0
"""Statistics of samples: pure functions over numpy arrays; nothing here touches a machine or a file."""
