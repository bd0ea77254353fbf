# SPDX-License-Identifier: Apache-2.0
"""Records become the right numbers under the right names, and what was not measured says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.stats import records as rec
from latlab.stats.clocks import Clocks
from latlab.stats.columns import Columns
from latlab.stats.records import Records
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import MetricResult, NotMeasured, Summary, summarise
from latlab.stats.ways import Times
from tests.samples_maker import STEP_NS, exchanges, lose


def measured(result: MetricResult) -> Summary:
    assert isinstance(result, Summary), result
    return result


def test_every_metric_is_the_difference_of_its_stamps() -> None:
    metrics = summarise([exchanges(50)], "up", ONE_KERNEL).metrics
    expected_steps = {
        "round_trip": 13,
        "up": 6,
        "up_sender_wakeup": 1,
        "up_send_path": 2,
        "up_stack_to_stack": 3,
        "up_delivery_stack": 1,
        "dwell": 1,
        "down": 6,
        "down_send_path": 2,
        "down_stack_to_stack": 3,
        "down_delivery_stack": 1,
    }
    found = {key: result.min_ns // STEP_NS for key, result in metrics.items() if isinstance(result, Summary)}
    assert found == expected_steps


def test_a_flow_down_has_its_forward_leg_down() -> None:
    records = exchanges(50, extra_ns=10)
    up, down = (summarise([records], direction, ONE_KERNEL).metrics for direction in ("up", "down"))
    assert measured(up["down"]) == measured(down["up"])
    assert measured(up["up"]) == measured(down["down"])
    assert measured(down["up"]).max_ns == measured(down["down"]).max_ns + 49 * 10


def test_clocks_that_were_not_compared_give_no_one_way_number() -> None:
    metrics = summarise([exchanges(50)], "up", {}).metrics
    for key in ("up", "down", "up_stack_to_stack", "down_stack_to_stack"):
        assert metrics[key] == NotMeasured("clocks not compared")
    assert measured(metrics["round_trip"]).n == 50
    assert measured(metrics["up_send_path"]).n == 50


def test_a_nic_clock_is_a_clock_of_its_own() -> None:
    records = [exchanges(50, hardware=True)]
    assert summarise(records, "up", ONE_KERNEL).metrics["up_delivery_nic"] == NotMeasured("clocks not compared")
    nics = {**ONE_KERNEL, "sender-nic": "phc", "reflector-nic": "phc"}
    metrics = summarise(records, "up", nics).metrics
    assert measured(metrics["up_wire_to_wire"]).n == 50
    assert metrics["up_delivery_nic"] == NotMeasured("clocks not compared")


def test_absent_stamps_are_named() -> None:
    records = exchanges(50)
    records["t"] = 0
    metrics = summarise([records], "up", ONE_KERNEL).metrics
    assert metrics["up_wire_to_wire"] == NotMeasured("no hardware stamps")
    assert metrics["up_send_path"] == NotMeasured("no driver stamps")


def test_no_reply_at_all_still_tells_the_sender_s_side() -> None:
    records = exchanges(30)
    for index in range(30):
        lose(records, index)
    statistics = summarise([records], "down", ONE_KERNEL)
    assert statistics.metrics["round_trip"] == NotMeasured("no replies")
    assert measured(statistics.metrics["down_send_path"]).n == 30
    assert (statistics.counts.sent, statistics.counts.lost) == (30, 30)


def test_nothing_sent() -> None:
    statistics = summarise([], "up", ONE_KERNEL)
    assert set(statistics.metrics.values()) == {NotMeasured("nothing was sent")}
    assert statistics.counts.sent == 0


def test_outcomes_are_counted_and_a_late_reply_is_no_sample() -> None:
    records = exchanges(40)
    lose(records, 3)
    lose(records, 4)
    records["flags"][7] |= rec.DUPLICATED
    records["flags"][8] |= rec.REORDERED
    records["flags"][9] |= rec.LATE_WAKEUP
    records["flags"][10] = rec.SEND_FAILED
    records["t"][11] = 0
    extras = exchanges(2, first_seq=3)
    extras["flags"] = (rec.LATE | rec.REORDERED, rec.DUPLICATED)
    extras["S"] = extras["w"] = 0
    extras["a2"] += 10**12
    statistics = summarise([records, extras], "up", ONE_KERNEL)
    counts = statistics.counts
    assert (counts.sent, counts.replied, counts.lost, counts.late) == (39, 37, 2, 1)
    assert (counts.duplicated, counts.reordered, counts.late_wakeups, counts.send_failed) == (2, 2, 1, 1)
    assert counts.missing == {"t": 1}
    round_trip = measured(statistics.metrics["round_trip"])
    assert round_trip.n == 37
    assert round_trip.max_ns == 13 * STEP_NS


def test_records_that_were_dropped_are_seen_by_their_seq() -> None:
    kept = np.concatenate((exchanges(10), exchanges(10, first_seq=14)))
    assert summarise([kept[:7], kept[7:]], "up", ONE_KERNEL).counts.records_dropped == 4
    assert summarise([exchanges(10)], "up", ONE_KERNEL).counts.records_dropped == 0


def test_stamps_that_were_not_asked_for_are_not_missing() -> None:
    records = exchanges(40)
    records["flags"][1::2] &= ~np.uint32(rec.TX_STAMPS_REQUESTED)
    for name in ("s", "t", "s2", "t2"):
        records[name][1::2] = 0
    statistics = summarise([records], "up", ONE_KERNEL)
    assert statistics.counts.missing == {}
    assert measured(statistics.metrics["up_send_path"]).n == 20


@pytest.mark.parametrize(
    ("name", "enough"), [("p50", 20), ("p90", 100), ("p99", 1_000), ("p99.9", 10_000), ("p99.99", 100_000)]
)
def test_a_quantile_needs_ten_samples_beyond_it(name: str, enough: int) -> None:
    few = measured(summarise([exchanges(enough - 1, extra_ns=1)], "up", ONE_KERNEL).metrics["round_trip"])
    many = measured(summarise([exchanges(enough, extra_ns=1)], "up", ONE_KERNEL).metrics["round_trip"])
    assert few.quantiles_ns[name] is None
    assert many.quantiles_ns[name] == 13 * STEP_NS + enough - 11


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=80), st.integers(1, 5))
def test_round_trips_are_those_of_numpy_in_any_chunks(values: list[int], pieces: int) -> None:
    records = exchanges(len(values))
    records["a2"] = records["w"] + np.array(values)
    summary = measured(summarise(np.array_split(records, pieces), "up", ONE_KERNEL).metrics["round_trip"])
    assert (summary.n, summary.min_ns, summary.max_ns) == (len(values), min(values), max(values))
    assert summary.mean_ns == pytest.approx(np.mean(values), abs=0.1)
    if len(values) >= 20:
        assert summary.quantiles_ns["p50"] == int(np.quantile(values, 0.5, method="inverted_cdf"))


def test_long_runs_are_summarised_with_a_stated_error() -> None:
    whole = exchanges(30_000, extra_ns=1_003)
    exact = measured(summarise([whole], "up", ONE_KERNEL).metrics["round_trip"])
    rough = measured(summarise(np.array_split(whole, 9), "up", ONE_KERNEL, exact_limit=1_000).metrics["round_trip"])
    assert exact.quantile_relative_error == 0.0
    assert 0 < rough.quantile_relative_error <= 0.001
    assert (rough.n, rough.min_ns, rough.max_ns) == (exact.n, exact.min_ns, exact.max_ns)
    for name, value in exact.quantiles_ns.items():
        found = rough.quantiles_ns[name]
        if value is None:
            assert found is None
        else:
            assert found is not None
            assert abs(found - value) <= rough.quantile_relative_error * value


def test_a_one_way_measurement_has_its_forward_leg_and_its_losses() -> None:
    records = exchanges(50, hardware=True)
    lose(records, 7)
    arrived = records["flags"] & rec.REPLIED != 0
    records["flags"] = np.where(arrived, rec.SENT | rec.RECEIVED, rec.SENT)
    for field in ("w2", "s2", "t2", "T2", "R2", "r2", "a2"):
        records[field] = 0
    records["r"][3] = 0
    statistics = summarise([records], "down", ONE_KERNEL)
    counts = statistics.counts
    assert (counts.sent, counts.received, counts.replied, counts.lost) == (50, 49, 0, 1)
    assert counts.missing == {"r": 1}
    assert measured(statistics.metrics["down"]).n == 49
    assert measured(statistics.metrics["down_stack_to_stack"]).n == 48
    assert measured(statistics.metrics["down_sender_wakeup"]).n == 50
    for key in ("round_trip", "up", "dwell", "up_send_path"):
        assert statistics.metrics[key] == NotMeasured("measured one way only")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), st.integers(1, 5))
def test_the_bound_of_two_clocks_is_that_of_99_percent_of_the_packets(errors: list[int], pieces: int) -> None:
    class Known:
        def of(self, records: Records | Columns) -> tuple[Times, Times]:
            error = np.array(errors, np.int64)[records["seq"].astype(np.int64)]
            return np.zeros(len(error), np.int64), error

    records = exchanges(len(errors))
    chunks = np.array_split(records, pieces)
    metrics = summarise(chunks, "up", ONE_KERNEL, Clocks("known", Known())).metrics
    expected = int(np.quantile(errors, 0.99, method="inverted_cdf"))
    assert measured(metrics["up"]).bound_ns == expected
    assert measured(metrics["round_trip"]).bound_ns == 0
