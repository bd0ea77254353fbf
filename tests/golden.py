# SPDX-License-Identifier: Apache-2.0
"""Texts that a person has read once, and that change only on purpose: LATLAB_GOLDEN=write writes them anew."""

from __future__ import annotations

import os
from pathlib import Path


def check_golden(path: Path, text: str) -> None:
    if os.environ.get("LATLAB_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is missing; LATLAB_GOLDEN=write writes it"
    assert text == path.read_text()
