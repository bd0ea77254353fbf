# SPDX-License-Identifier: Apache-2.0
"""The probe as a fixture, for tests that only need its path."""

from __future__ import annotations

import pytest

from tests.probe.program import probe_program


@pytest.fixture(scope="session")
def probe_path() -> str:
    return probe_program()
