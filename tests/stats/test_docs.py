# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/run-directory.md are those of the code. `python -m tests.stats.test_docs` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from latlab.stats.stamps import metrics_table, stamps_table
from latlab.store.document import AnomalyRecord, RunDocument, ShapeRecord, Timing
from latlab.store.timing_log import COLUMNS

PAGE = Path(__file__).parent.parent.parent / "docs" / "run-directory.md"
TABLES = {"stamps": stamps_table(), "metrics": metrics_table()}


def with_table(page: str, name: str) -> str:
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    assert block.search(page)
    return block.sub(lambda found: found[1] + TABLES[name] + found[2], page)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_are_up_to_date(name: str) -> None:
    page = PAGE.read_text()
    assert with_table(page, name) == page


def test_every_field_of_a_run_is_documented() -> None:
    page = PAGE.read_text()
    for model in (RunDocument, Timing, AnomalyRecord, ShapeRecord):
        assert [field for field in model.model_fields if f"`{field}`" not in page] == []


def test_the_columns_of_the_sync_log_are_documented() -> None:
    table = PAGE.read_text().partition("## The sync log")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE)
    types = {"BIGINT": "int64", "DOUBLE": "double", "VARCHAR": "text"}
    assert rows == [(name, types[kind]) for name, kind in COLUMNS.items()]


if __name__ == "__main__":
    text = PAGE.read_text()
    for table in TABLES:
        text = with_table(text, table)
    PAGE.write_text(text)
