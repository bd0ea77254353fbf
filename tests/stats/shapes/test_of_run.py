# SPDX-License-Identifier: Apache-2.0
"""Whatever a run's packets are, its shapes are found without a complaint, and are what they say they are."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats import records as rec
from latlab.stats.analysis import analyse
from latlab.stats.shapes import LOSS
from latlab.stats.shapes.collector import Collector
from latlab.stats.shapes.finding import find_shapes
from latlab.stats.stamps import ONE_KERNEL
from latlab.store.document import ShapeRecord
from tests.stats.exchanges_maker import World, make
from tests.stats.labelled_series import KINDS
from tests.stats.labelled_worlds import TWO_CLOCKS


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 6_000), coarse=st.sampled_from([1, 1_000, 10**6]),
    scale=st.sampled_from([0, 10, 10**5, 10**9]),
    gap=st.sampled_from([0, 10_000, 10**9]), share=st.floats(0, 0.6), over=st.sampled_from([None, 0, 10**6]),
    period=st.sampled_from([1, 1_000_000, 10**9]), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_values_give_shapes_that_can_be_stored(
    count: int, coarse: int, scale: int, gap: int, share: float, over: int | None, period: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    seq = np.arange(count)
    seq[count // 2 :] += gap
    values = rng.integers(-scale, scale + 1, count) // coarse * coarse
    values[rng.random(count) < share] += 50 * scale
    collector = Collector(period, count, over_ns=over)
    collector.add(seq, values)
    for shape in find_shapes(collector.series(), "up", 10**18, over):
        record = ShapeRecord(**asdict(shape))
        assert ShapeRecord(**json.loads(record.model_dump_json())) == record
        assert record.kind in KINDS
        assert 0 <= record.confidence < 1
        assert record.sentence
        assert np.isfinite([record.value, *record.details.values()]).all()
        assert set(record.members) <= set(seq.tolist())


def test_the_chunks_do_not_matter() -> None:
    made = make(World(count=20_000, drop=0.01, heavy=0.01, skew_ppb=5_000))
    one = analyse(lambda: made.chunks(997), made.world.header, "up", TWO_CLOCKS)
    other = analyse(made.chunks, made.world.header, "up", TWO_CLOCKS)
    assert [asdict(shape) for shape in one.shapes] == [asdict(shape) for shape in other.shapes]


def test_runs_without_packets_without_replies_and_of_one_packet() -> None:
    world = World(count=2_000)
    made = make(world)
    assert analyse(list, world.header, "up", ONE_KERNEL).shapes == []
    assert analyse(lambda: [made.records[:1]], world.header, "up", ONE_KERNEL).shapes == []
    made.records["flags"] = rec.SENT
    for name in ("r", "a", "w2", "t2", "r2", "a2"):
        made.records[name] = 0
    assert {s.metric for s in analyse(made.chunks, world.header, "up", ONE_KERNEL).shapes} <= {LOSS}
