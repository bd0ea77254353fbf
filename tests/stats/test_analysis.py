# SPDX-License-Identifier: Apache-2.0
"""From records to numbers, bounds and verdicts: right for what can be known, and in words for what cannot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.stats import records as rec
from latlab.stats.analysis import Analysis, analyse
from latlab.stats.anomalies import Anomaly
from latlab.stats.clocks import FromReadings
from latlab.stats.records import Records
from latlab.stats.stamps import ONE_KERNEL, Timescales
from latlab.stats.summary import NotMeasured, Summary
from tests.stats.exchanges_maker import START_NS, Fault, Made, World, lose, make

TWO_CLOCKS: Timescales = {"sender": "here", "reflector": "there"}
WORLD = World(count=12_000, skew_ppb=70_000, offset_ns=4 * 10**16, queue_ns=(20_000, 20_000))


def analysed(made: Made, timescales: Timescales = TWO_CLOCKS, size: int = 4_096) -> Analysis:
    return analyse(lambda: made.chunks(size), made.world.header, "up", timescales)


def summary(found: Analysis, metric: str) -> Summary:
    result = found.statistics.metrics[metric]
    assert isinstance(result, Summary), result
    return result


def median_ns(found: Analysis, metric: str) -> int:
    value = summary(found, metric).quantiles_ns["p50"]
    assert value is not None
    return value


def large(found: Analysis) -> list[tuple[str, str, str]]:
    return [
        (a.verdict, a.kind, a.place) for a in found.anomalies if a.kind not in ("stall", "sender-stall") or a.size > 1e6
    ]


def test_one_way_times_of_two_clocks_are_right_to_their_bound() -> None:
    made = make(WORLD)
    found, truth = analysed(made), analysed(make(replace(WORLD, skew_ppb=0, offset_ns=0)), ONE_KERNEL)
    assert found.timing.method == "exchange"
    assert truth.timing.method == "shared"
    for metric in ("up", "down", "up_stack_to_stack", "down_stack_to_stack"):
        bound = summary(found, metric).bound_ns
        assert 300_000 <= bound < 340_000
        assert summary(truth, metric).bound_ns == 0
        assert abs(median_ns(found, metric) - median_ns(truth, metric)) <= bound
        assert median_ns(found, metric) == pytest.approx(median_ns(truth, metric), abs=20_000)
    assert summary(found, "round_trip").bound_ns == 0
    assert summary(found, "round_trip") == summary(truth, "round_trip")
    assert found.timing.offset_ns == pytest.approx(4 * 10**16, abs=found.timing.error_ns)
    assert found.timing.rate_ppb == pytest.approx(70_000, rel=0.01)
    assert "ran +70." in found.timing.words[0]


def test_one_clock_is_compared_with_itself_when_that_is_asked_for() -> None:
    """The truth is 0 then, and inside the bound."""
    made = make(World(count=3_000))
    one: Timescales = {"sender": "a kernel", "reflector": "a kernel"}
    shared = analyse(made.chunks, made.world.header, "down", one)
    asked = analyse(made.chunks, made.world.header, "down", one, method="exchange")
    assert (shared.timing.method, asked.timing.method) == ("shared", "exchange")
    offset, bound = asked.clocks.of(made.records)
    assert (bound > 0).all()
    assert (abs(offset) <= bound).all()


def test_a_step_in_the_run_leaves_the_network_s_quantiles_alone() -> None:
    """The study's damage: early by 10 ms, late by 160 ms, and it was the clock."""
    plain = analysed(make(WORLD))
    for size in (-1e7, 1.6e8):
        found = analysed(make(replace(WORLD, faults=(Fault("step", 6.03, 0, size),))))
        assert large(found) == [("clock", "step", "clock")]
        assert found.trusted is not None
        trusted = found.trusted.metrics["up"]
        assert isinstance(trusted, Summary)
        assert 0 < found.timing.suspect < 1_000
        assert trusted.n == summary(found, "up").n - found.timing.suspect
        assert trusted.max_ns < 2_000_000
        assert trusted.min_ns > 0
        for name in ("p50", "p90", "p99"):
            expected = summary(plain, "up").quantiles_ns[name]
            assert expected is not None
            assert trusted.quantiles_ns[name] == pytest.approx(expected, abs=60_000)
        assert summary(found, "round_trip").max_ns < 3_000_000


def test_a_ramp_under_load_is_the_clock_s_and_said_in_a_sentence() -> None:
    """50 ppm for 20 s, as the issue has it."""
    world = World(count=60_000, queue_ns=(200_000, 100_000), bursts=True, faults=(Fault("ramp", 20, 20, 1e6),))
    found, plain = analysed(make(world)), analysed(make(replace(world, faults=())))
    clock = [anomaly for anomaly in found.anomalies if anomaly.verdict == "clock"]
    assert [anomaly.kind for anomaly in clock] == ["ramp"]
    assert clock[0].size == pytest.approx(50_000, rel=0.1)
    assert "ppm off its usual rate" in clock[0].evidence[0]
    assert found.trusted is not None
    for metric in ("up", "down"):
        assert median_ns(found, metric) == pytest.approx(median_ns(plain, metric), abs=30_000)


def test_nothing_odd_and_nothing_suspect_in_a_plain_run() -> None:
    found = analysed(make(WORLD))
    assert large(found) == []
    assert found.timing.suspect == 0
    assert found.trusted is None


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.integers(100, 13_000))
def test_chunk_boundaries_do_not_matter(size: int) -> None:
    found, other = analysed(FAULTY, size=size), analysed(FAULTY, size=5_000)
    assert found.anomalies == other.anomalies
    assert found.timing == other.timing
    assert found.statistics.counts == other.statistics.counts
    for metric, result in found.statistics.metrics.items():
        expected = other.statistics.metrics[metric]
        if isinstance(result, Summary) and isinstance(expected, Summary):
            assert result.quantiles_ns == expected.quantiles_ns
            assert (result.n, result.min_ns, result.max_ns, result.bound_ns) == (
                expected.n, expected.min_ns, expected.max_ns, expected.bound_ns
            )  # fmt: skip


FAULTY = make(
    replace(
        WORLD,
        faults=(
            Fault("step", 3, 0, 3e6),
            Fault("delay", 5, 2, 1e6, "back"),
            Fault("stall", 9, 0, 1e7, "sender"),
            Fault("loss", 10, 1, 0.2),
            Fault("duplication", 10.5, 1, 0.2),
        ),
    )
)


def test_faults_of_all_kinds_in_one_run_are_told_apart() -> None:
    found = Counter(large(analysed(FAULTY)))
    assert found == Counter(
        [
            ("clock", "step", "clock"),
            ("network", "delay", "back"),
            ("sender", "sender-stall", "sender"),
            ("network", "loss", ""),
            ("network", "duplication", ""),
        ]
    )


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 63, 64, 200])
@pytest.mark.parametrize("timescales", [TWO_CLOCKS, ONE_KERNEL, {}], ids=["two", "one", "unknown"])
def test_runs_of_a_few_packets_say_what_is_unknown(count: int, timescales: Timescales) -> None:
    found = analysed(make(replace(WORLD, count=count)), timescales)
    assert found.statistics.counts.sent == count
    if timescales == ONE_KERNEL:
        assert found.timing.method == "shared"
    elif count <= 56:
        assert found.timing.method == "none"
        assert "clocks not compared" in found.timing.words[0]
        if count:
            assert found.statistics.metrics["up"] == NotMeasured("clocks not compared")
            assert isinstance(found.statistics.metrics["round_trip"], Summary)


def test_when_all_is_lost_it_says_so() -> None:
    found = analysed(make(replace(WORLD, drop=1.0)))
    assert found.timing.words == ("clocks not compared: no packet came back with its stamps",)
    assert found.statistics.metrics["up"] == NotMeasured("no replies")
    assert large(found) == []


def test_one_way_only() -> None:
    """A flow without replies, or with stamps of one way only: nothing is compared, nothing invented."""
    made = make(WORLD)
    for name in ("w2", "t2", "r2", "a2"):
        made.records[name] = 0
    found = analysed(made)
    assert found.timing.method == "none"
    assert found.statistics.metrics["up"] == NotMeasured("clocks not compared")
    assert {verdict for verdict, _, _ in large(found)} <= {"unknown"}


def test_a_packet_a_minute() -> None:
    found = analysed(make(World(count=400, period_ns=60 * 10**9, skew_ppb=500_000)))
    assert found.timing.method == "exchange"
    assert median_ns(found, "up_stack_to_stack") == pytest.approx(340_000, abs=80_000)


@pytest.mark.parametrize("every", [0, 10])
def test_transmit_stamps_on_few_packets_or_none(every: int) -> None:
    made = make(replace(WORLD, stamps_every=max(1, every)))
    if not every:
        made.records["t"] = made.records["t2"] = 0
    found = analysed(made)
    assert found.timing.method == "exchange"
    assert large(found) == []
    assert found.timing.noise_ns < 60_000


def test_readings_of_a_method_are_taken_and_checked_by_the_exchanges() -> None:
    made = make(WORLD)
    every = slice(0, None, 1_000)
    time, truth = made.records["S"][every], made.offset_ns[every]
    right = FromReadings(time, truth, np.full(len(time), 2_000))
    wrong = FromReadings(time, truth + 5_000_000, np.full(len(time), 2_000))
    for readings, words, against in ((right, "agree with ptp", False), (wrong, "contradict ptp for", True)):
        found = analyse(made.chunks, made.world.header, "up", TWO_CLOCKS, readings, "ptp")
        assert found.timing.method == "ptp"
        assert words in found.timing.words[1]
        assert (found.timing.contradicted > 0) == against
    assert found.statistics.metrics["up"].bound_ns < 80_000  # type: ignore[union-attr]


def test_readings_serve_where_the_exchanges_cannot() -> None:
    made = make(replace(WORLD, count=20))
    readings = FromReadings(made.records["S"][:1], made.offset_ns[:1], np.array([3_000]))
    found = analyse(made.chunks, made.world.header, "up", TWO_CLOCKS, readings, "kvm-tsc")
    assert (found.timing.method, found.timing.error_ns) == ("kvm-tsc", 3_000)
    assert found.timing.offset_ns == made.offset_ns[0]
    assert "not checked by the exchanges" in found.timing.words[1]
    assert isinstance(found.statistics.metrics["up"], Summary)


def test_what_the_sync_log_says_is_kept_and_its_packets_are_suspect() -> None:
    made = make(WORLD)
    said = Anomaly("clock", "master-lost", "clock", START_NS + 2 * 10**9, START_NS + 3 * 10**9, 0, 1e9, None, ("lost",))
    found = analyse(made.chunks, made.world.header, "up", TWO_CLOCKS, said=[said])
    assert said in found.anomalies
    assert found.timing.suspect == pytest.approx(1_000, abs=2)


def test_records_are_not_changed() -> None:
    made = make(replace(WORLD, count=2_000, drop=0.1))
    before = made.records.tobytes()
    analysed(made)
    assert made.records.tobytes() == before


def test_packets_that_could_not_be_sent_are_no_delay() -> None:
    made = make(WORLD)
    failed = (made.records["seq"] >= 6_000) & (made.records["seq"] < 6_500)
    lose(made.records, failed)
    made.records["flags"][failed] = rec.SEND_FAILED
    made.records["t"][failed] = 0
    found = analysed(made)
    assert found.statistics.counts.send_failed == 500
    assert large(found) == []


def test_each_pass_reads_chunk_by_chunk() -> None:
    made, passes = make(WORLD), 0

    def chunks() -> list[Records]:
        nonlocal passes
        passes += 1
        return list(made.chunks(1_000))

    analyse(chunks, made.world.header, "up", TWO_CLOCKS)
    assert passes == 2
