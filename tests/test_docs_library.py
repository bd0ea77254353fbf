# SPDX-License-Identifier: Apache-2.0
"""The code of docs/library.md runs; the tables of docs/store.md are those of the code.

`python -m tests.test_docs_library` writes the tables of docs/store.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import latlab
from latlab.export.formats import FORMATS
from latlab.store.select import SORT_KEYS
from latlab.store.sql.columns import ANOMALIES, METRIC_ROWS, RUNS, SAMPLES, SHAPES, Column
from tests.store.runs_made import CLOCKS, add

DOCS = Path(__file__).parents[1] / "docs"
STORE, LIBRARY = DOCS / "store.md", DOCS / "library.md"


def sql_tables() -> str:
    text = ""
    for name, told, columns in (
        ("runs", "a row for each run; n and the times are the round trip's", RUNS),
        ("samples", "a row for each packet", SAMPLES),
        ("metrics", "a row for each metric of each run", METRIC_ROWS),
        ("anomalies", "those that run.json lists", ANOMALIES),
        ("shapes", "what run.json says of shapes in time", SHAPES),
    ):
        text += f"**{name}**: {told}\n\n| column | type | unit | |\n|---|---|---|---|\n{_rows(columns)}\n"
    return text


def _rows(columns: Iterable[Column]) -> str:
    return "".join(f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning} |\n" for column in columns)


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path / "runs", "20261120T140311Z-tap-bridge-c46e16")
    add(tmp_path / "runs", "20261121T090000Z-tap-bridge-480776", like=CLOCKS)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", LIBRARY.read_text(), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{LIBRARY}, block {number + 1}", "exec"), names)
    assert (tmp_path / "paper.parquet").stat().st_size > 1_000


def test_the_page_names_every_function() -> None:
    text = LIBRARY.read_text()
    assert [
        name for name in latlab.__all__ if f"latlab.{name}" not in text and name not in ("Run", "Runs", "Table")
    ] == []


def test_the_tables_are_those_of_the_code() -> None:
    assert f"<!-- tables -->\n{sql_tables()}<!-- end -->" in STORE.read_text()


def test_the_page_names_every_format_and_order() -> None:
    text = STORE.read_text()
    assert [name for name in FORMATS if f"`{name}`" not in text] == []
    assert [name for name in SORT_KEYS if name not in text and not name.startswith("p99.")] == []


if __name__ == "__main__":
    page = STORE.read_text()
    page = re.sub(r"(<!-- tables -->\n).*?(<!-- end -->)", lambda m: m[1] + sql_tables() + m[2], page, flags=re.DOTALL)
    STORE.write_text(page)
