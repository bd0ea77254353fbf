# SPDX-License-Identifier: Apache-2.0
"""netem's words: a delay keeps the order of the packets, and only what is to be overtaken does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latlab.selftest.stage import Netem, delay_words, late_table, outcome_words, read_netem


def test_quiet_and_delay_differ_in_the_delay_alone() -> None:
    quiet, late = delay_words(), delay_words(500_000)
    changed = [(a, b) for a, b in zip(quiet, late, strict=True) if a != b]
    assert changed == [("1000.000us", "1500.000us")]
    assert quiet[-2:] == ["rate", "10gbit"]


def test_outcomes_add_to_the_quiet_state() -> None:
    assert outcome_words("loss", 0.05, 0) == [*delay_words(), "loss", "random", "5.0000%"]
    assert outcome_words("duplication", 0.002, 0) == [*delay_words(), "duplicate", "0.2000%"]
    overtaken = outcome_words("reordering", 0.05, 5_000_000)
    assert "5000.000us" in overtaken
    assert overtaken[-2:] == ["rate", "0bit"]


@given(st.floats(0, 1))
def test_the_table_holds_the_share_and_ends_on_netems_scale(share: float) -> None:
    values = [int(line) for line in late_table(share).splitlines()]
    assert set(values) <= {0, 8192}
    assert abs(sum(value > 0 for value in values) - share * len(values)) <= 0.5


def test_netem_is_read_back_as_tc_shows_it() -> None:
    shown = """[{"kind":"netem","handle":"8001:","root":true,"refcnt":2,"options":{"limit":20000,
      "delay":{"delay":0.000501123,"jitter":0,"correlation":0},"loss-random":{"loss":0.05,"correlation":0},
      "rate":{"rate":1250000000,"packetoverhead":0,"cellsize":0,"celloverhead":0},"ecn":false,"gap":0},
      "bytes":4200,"packets":42,"drops":7,"overlimits":0,"requeues":0,"backlog":0,"qlen":0}]"""
    assert read_netem(shown) == Netem(delay_ns=501_123, loss=0.05, duplicate=0.0, drops=7)
    assert read_netem("[]") is None
    assert read_netem("") is None
