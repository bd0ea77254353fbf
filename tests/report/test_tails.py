# SPDX-License-Identifier: Apache-2.0
"""The quantiles of one run with their intervals: what is known is told, and what is not is a dash."""

from __future__ import annotations

from dataclasses import replace

from latlab.report.layout import tables
from latlab.report.tails import tails_block
from latlab.stats.summary import Summary
from tests.report.cases import run


def test_each_quantile_stands_with_its_interval_and_the_losses_below() -> None:
    document = run("macvtap", "none", count=12_000)
    block = tails_block(document)
    assert block is not None
    assert tables([block]).plain.splitlines() == [
        " tails (us, 95 % intervals, emulated)         round trip                 up               down",
        "   p50                                 1915 [1881..1949]  1908 [1874..1942]  6.00 [6.00..6.00]",
        "   p90                                 3437 [3416..3457]  3430 [3409..3450]  6.00 [6.00..6.00]",
        "   p99                                 3779 [3772..3785]  3772 [3765..3778]  6.00 [6.00..6.00]",
        "   p99.9                               3813 [3811..3815]  3806 [3804..3808]  6.00 [6.00..6.00]",
        "   p99.99 ... p99.9999                                 -                  -                  -",
        "   lost 1 · late 0 · of 12000 sent",
    ]


def test_a_run_without_numbers_has_no_tails() -> None:
    document = run("macvtap", "none")
    document.metrics = {}
    assert tails_block(document) is None


def test_a_quantile_smaller_than_its_clocks_bound_is_not_told() -> None:
    document = run("macvtap", "none", count=1_200)
    result = document.metrics["down"]
    assert isinstance(result, Summary)
    document.metrics = {"down": replace(result, bound_ns=10**9)}
    block = tails_block(document)
    assert block is not None
    assert [row.cells for row in block.rows][:3] == [["~"]] * 3
