# SPDX-License-Identifier: Apache-2.0
"""docs/scenario.md says what the code does: every key with its values and its default, and examples that load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from latlab.scenario.attachments import Attachment
from latlab.scenario.bench_model import Addresses, Board, BoardsBench, EmulatedBench, LocalBench
from latlab.scenario.fields import Key, keys_of, kinds_of
from latlab.scenario.load import FlowAsWritten, scenario_from_bytes
from latlab.scenario.model import Guest, Instrument, Load, Nic
from latlab.scenario.points import expand

DOCS = (Path(__file__).parents[2] / "docs" / "scenario.md").read_text(encoding="utf-8")

WITH_OPTIONS = kinds_of(Attachment) | kinds_of(Instrument)
TABLES: dict[str, type[BaseModel]] = {
    **{f"Options of `{word}`": model for word, model in WITH_OPTIONS.items() if keys_of(model)},
    "### `flow`": FlowAsWritten,
    "### `load`": Load,
    "### `nic`": Nic,
    "### `guest`": Guest,
    "### `kind: emulated`": EmulatedBench,
    "### `kind: local`": LocalBench,
    "### `kind: boards`": BoardsBench,
    "Options of `hypervisor` and `peer`": Board,
    "Options of `addresses`": Addresses,
}


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its two head lines."""
    _, _, text = DOCS.partition(f"\n{heading}")
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def values_of(key: Key) -> str:
    if key.form == "mapping":
        return "options"
    if key.form == "flag":
        return "`true`, `false`"
    if key.choices:
        return ", ".join(f"`{word}`" for word in key.choices)
    plain = "text" if key.form == "text" else f"`{key.show(key.minimum)}` to `{key.show(key.maximum)}`"
    return f"`none`, or {plain}" if key.optional else plain


def default_of(key: Key) -> str:
    if key.required:
        return "required"
    return "all defaults" if key.form == "mapping" else f"`{key.show(key.default)}`"


@pytest.mark.parametrize("heading", list(TABLES))
def test_each_table_is_that_of_the_model(heading: str) -> None:
    model = TABLES[heading]
    expected = [[f"`{k.key}`", values_of(k), default_of(k), k.description] for k in keys_of(model).values()]
    rows = rows_after(heading)
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    assert all(row[3].startswith(want[3]) for row, want in zip(rows, expected, strict=True))


def test_every_word_is_explained() -> None:
    assert [row[0] for row in rows_after("### `attachment`")] == [f"`{word}`" for word in kinds_of(Attachment)]
    assert [row[0] for row in rows_after("### `instruments`")] == [f"`{word}`" for word in kinds_of(Instrument)]


def test_the_examples_are_scenarios() -> None:
    small, full = (
        scenario_from_bytes(text.encode(), "x.yaml") for text in re.findall(r"```yaml\n(.*?)```", DOCS, re.S)
    )
    assert len(expand(small)) == 1
    assert len(expand(full)) == 32
    assert "= 32 points" in DOCS


def test_the_examples_of_overrides_work() -> None:
    overrides = re.findall(
        r"--set (?:'([^']+)'|(\S+=\S+))", DOCS.partition("## Changing one value")[2].partition("## When")[0]
    )
    assert len(overrides) == 5
    text = (Path(__file__).parents[2] / "scenarios" / "first-look.yaml").read_bytes()
    for quoted, bare in overrides:
        changed = scenario_from_bytes(text, "x.yaml", [quoted or bare])
        assert changed != scenario_from_bytes(text, "x.yaml")
