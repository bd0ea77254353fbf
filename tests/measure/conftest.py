# SPDX-License-Identifier: Apache-2.0
"""Real agents for the instruments' tests."""

from tests.yard import yard

__all__ = ["yard"]
