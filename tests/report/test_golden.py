# SPDX-License-Identifier: Apache-2.0
"""What a person reads stays as it is until someone decides otherwise (`python -m tests.report.cases` rewrites it)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.cases import GOLDEN, cases

NAMES = sorted(path.stem for path in GOLDEN.glob("*.txt"))


def test_every_case_has_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent.parent)
    assert sorted(cases()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_text_is_as_published(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent.parent)
    assert cases()[name].plain == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_lines_fit_in_100_columns(name: str) -> None:
    too_long = [line for line in (GOLDEN / f"{name}.txt").read_text().splitlines() if len(line) > 100]
    assert too_long == []
