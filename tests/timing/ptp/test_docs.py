# SPDX-License-Identifier: Apache-2.0
"""docs/ptp.md has every option of the scenario, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from latlab.scenario.fields import keys_of
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.ptp import Ptp
from latlab.timing.ptp.events import Kind

DOCS = (Path(__file__).parents[3] / "docs" / "ptp.md").read_text(encoding="utf-8")


def test_every_option_is_described() -> None:
    head = DOCS.partition("## Options")[2].partition("\n## ")[0]
    described = re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`.*?) \|", head, re.MULTILINE)))
    assert set(described) == set(keys_of(Ptp))


def test_every_kind_of_happening_is_described() -> None:
    assert all(f"| `{kind}` |" in DOCS for kind in get_args(Kind))


def test_the_examples_load() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    found = scenario_from_bytes(f"attachment: baseline\n{example}".encode(), "docs/ptp.md").timings[0]
    assert isinstance(found, Ptp)
    assert (found.socket_priority, found.fifo, found.tx_timestamp_timeout_ns) == (7, 90, 5_000_000)
