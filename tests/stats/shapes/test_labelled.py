# SPDX-License-Identifier: Apache-2.0
"""The fixed part of benchmarks/shapes.py: recall and precision of each kind over 40 series of 900,000 packets."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.stats.labelled_series import KINDS, labelled, shapes_of

SERIES = range(7_000, 7_040)
MOST_WRONG = 1
"""Of each kind, missed and told falsely: a spike of 0.5 ms is no higher than a heavy tail."""


@pytest.fixture(scope="module")
def scores() -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {name: Counter() for name in ("right", "missed", "false")}
    for number in SERIES:
        series = labelled(number)
        told = {str(shape.kind) for shape in shapes_of(series)}
        found["right"].update(told & series.labels)
        found["missed"].update(series.labels - told)
        found["false"].update(told - series.labels)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_told_and_nothing_else(kind: str, scores: dict[str, Counter[str]]) -> None:
    assert scores["right"][kind] >= 4, "the series have each kind several times"
    assert scores["missed"][kind] <= MOST_WRONG
    assert scores["false"][kind] == 0


@pytest.mark.parametrize(("period_s", "spikes"), [(60.0, 15), (22.5, 40)])
def test_one_spike_each_20_to_25_s_and_each_60_s_among_900_000_packets(period_s: float, spikes: int) -> None:
    number = next(
        n for n in range(10_000)
        if (series := labelled(n, kinds=("periodic",))).truth["keeps_phase"]
        and abs(series.truth["period_s"] - period_s) < 2.5 and len(series.members) >= spikes - 3
    )  # fmt: skip
    series = labelled(number, kinds=("periodic",))
    (beat,) = [shape for shape in shapes_of(series) if shape.kind == "periodic"]
    assert beat.value / 1e9 == pytest.approx(series.truth["period_s"], rel=0.005)
    # A stall of 160 ms holds 160 packets, of which the first waits longest.
    named = {min(series.members, key=lambda true: abs(true - seq)) for seq in beat.members}
    assert len(named) >= 0.9 * len(series.members)
    assert all(min(abs(series.members - seq)) <= 25 for seq in beat.members)
    assert beat.confidence > 0.999
