# SPDX-License-Identifier: Apache-2.0
"""What is under tests/lab is a lab test (root, QEMU or namespaces), and nothing else is; no example has a deadline."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is this machine's business, not the test's.
settings.register_profile("latlab", deadline=None)
settings.load_profile("latlab")

LAB = Path(__file__).parent / "lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if LAB in item.path.parents:
            item.add_marker(pytest.mark.lab)
