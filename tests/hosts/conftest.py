# SPDX-License-Identifier: Apache-2.0
"""A real agent for each test."""

from __future__ import annotations

import pytest

from latlab.hosts.host import Host
from tests.yard import Yard, yard

__all__ = ["yard"]


@pytest.fixture
def host(yard: Yard) -> Host:
    return yard.host()
