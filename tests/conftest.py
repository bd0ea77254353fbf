# SPDX-License-Identifier: Apache-2.0
"""The suite's one rule: a test under tests/lab is a lab test (root, QEMU or namespaces), and no other test is."""

from __future__ import annotations

from pathlib import Path

import pytest

LAB = Path(__file__).parent / "lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if LAB in item.path.parents:
            item.add_marker(pytest.mark.lab)
