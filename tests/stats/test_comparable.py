# SPDX-License-Identifier: Apache-2.0
"""What must not be compared is refused with the reason; what has to be compared is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import MeasurementError, NotComparableError, UsageError
from latlab.stats.comparing import Question, comparable, compare_groups
from latlab.stats.comparing.comparable import UNDER_TEST, bench_key
from latlab.stats.summary import MetricResult, NotMeasured
from latlab.store.document import RunDocument, Verdict
from tests.runs_maker import BENCH, POINT, run, summary, values_around

ROUND_TRIP: dict[str, MetricResult] = {"round_trip": summary(values_around(100_000))}


def document(number: int = 0, **values: Any) -> RunDocument:
    return run(number, dict(values.pop("metrics", ROUND_TRIP)), **values)


def flow(**values: Any) -> dict[str, Any]:
    return POINT | {"flow": POINT["flow"] | values}


OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "bench": ({"bench": BENCH.model_copy(update={"name": "rack"})}, "other bench: local against rack"),
    "nic": ({"bench": BENCH.model_copy(update={"nic": "eth2 (igc)"})}, "other NIC: enp1s0 (igb) against eth2 (igc)"),
    "cable": ({"bench": BENCH.model_copy(update={"cable": "switch"})}, "other cable: cable against switch"),
    "load": ({"load": "3 udp same"}, "other load: none against 3 udp same"),
    "attachment": ({"attachment": "macvtap"}, "other attachment: tap-bridge against macvtap"),
    "flow": ({"point": flow(period_ns=500_000, size_bytes=64)}, "other flow: period 1ms against 500us"),
    "guest": ({"point": POINT | {"guest": {"cpus": 4}}}, "other guest: cpus 1 against 4"),
    "nic-settings": ({"point": POINT | {"nic": {"mtu_bytes": 9_000}}}, "other settings of the NICs: mtu 1500 against"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER)
def test_what_differs_is_refused_unless_it_is_under_test(what: str) -> None:
    values, reason = OTHER[what]
    a, b = document(), document(1, **values)
    if what != "attachment":
        (told,) = comparable(a, b)
        assert told.startswith(reason)
    assert comparable(a, b, (what,)) == []
    another = next(word for word in UNDER_TEST if word not in (what, "timing"))
    (told,) = comparable(a, b, (another,))
    assert told.startswith(reason)
    assert comparable(b, a, (another,)) != []


DIFFERENT = st.lists(st.sampled_from(sorted(OTHER)), unique=True, max_size=3)
ALLOWED = st.lists(st.sampled_from(sorted(UNDER_TEST)), unique=True, max_size=4)


@given(DIFFERENT, ALLOWED)
def test_refused_is_exactly_what_differs_and_is_not_under_test(different: list[str], allowed: list[str]) -> None:
    values: dict[str, Any] = {}
    for what in different:
        for key, value in OTHER[what][0].items():
            if key == "bench":
                changed = {name: new for name, new in value if new != getattr(BENCH, name)}
                value = values.get("bench", BENCH).model_copy(update=changed)
            elif key == "point":
                value = values.get("point", POINT) | {
                    name: new for name, new in value.items() if new != POINT.get(name)
                }
            values[key] = value
    a, b = document(), document(1, **values)
    expected = len(set(different) - set(allowed or ["attachment"]))
    assert len(comparable(a, b, tuple(allowed))) == expected
    assert len(comparable(b, a, tuple(allowed))) == expected


def test_attachments_are_there_to_be_compared_but_not_when_the_kernel_is_under_test() -> None:
    a, b = document(), document(1, attachment="macvtap")
    assert comparable(a, b) == []
    assert comparable(a, b, ("kernel",)) == ["other attachment: tap-bridge against macvtap"]
    assert comparable(a, b, ("kernel", "attachment")) == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": "emulated"}, "emulated against real: local against emulated"),
        ({"kind": "boards"}, "other kind of bench: local against boards"),
        ({"accelerator": "tcg"}, "guests of another accelerator: kvm against tcg"),
    ],
)
def test_emulated_and_real_are_never_compared_whatever_is_under_test(values: dict[str, str], reason: str) -> None:
    a, b = document(), document(1, bench=BENCH.model_copy(update=values))
    assert comparable(a, b, tuple(UNDER_TEST)) == [reason]
    with pytest.raises(NotComparableError, match=reason) as caught:
        compare_groups([a], [b], Question(under_test=tuple(UNDER_TEST)))
    assert caught.value.exit_code == 3
    assert caught.value.reasons == [reason]


def test_formats_are_not_mixed() -> None:
    assert comparable(document(), document(1, format=2)) == ["other format: 1 against 2"]


def test_all_reasons_are_told_at_once() -> None:
    b = document(1, load="3 udp same", bench=BENCH.model_copy(update={"cable": "switch"}))
    assert len(comparable(document(), b)) == 2


def test_a_longer_run_is_the_same_flow_but_its_extremes_decide_nothing() -> None:
    longer = {"round_trip": summary(values_around(300_000, count=20_000))}
    a, b = [document(n) for n in (0, 1)], [document(n, metrics=longer, point=flow(count=20_000)) for n in (2, 3)]
    assert comparable(a[0], b[0]) == []
    rows = {row.quantity: row for row in compare_groups(a, b).rows if row.metric == "round_trip"}
    assert rows["p50"].word == rows["p99"].word == "worse"
    assert rows["max"].word == rows["min"].word == "undecided"
    assert rows["max"].why == "the sides sent different numbers of packets"


def test_defaults_that_came_later_do_not_make_an_older_run_differ() -> None:
    newer = POINT | {"flow": POINT["flow"] | {"hardware": False, "period_ns": 1_000_000}, "nic": {"mtu_bytes": 1_500}}
    assert comparable(document(), document(1, point=newer), ("kernel",)) == []


def test_a_side_is_one_point() -> None:
    with pytest.raises(NotComparableError, match="A mixes runs that must not be taken together: other attachment"):
        compare_groups([document(), document(1, attachment="macvtap")], [document(2)])


def test_clocks_are_not_mixed_but_one_clock_is_enough_for_the_round_trip() -> None:
    metrics: dict[str, MetricResult] = {**ROUND_TRIP, "up": summary(values_around(50_000), bound_ns=900)}
    a = [document(n, metrics=metrics, method="exchange") for n in (0, 1)]
    b = [document(n, metrics=metrics, method="kvm-tsc") for n in (2, 3)]
    found = compare_groups(a, b)
    assert found.refused["up"] == "mixed clocks: they were compared by exchange and kvm-tsc"
    assert {row.metric for row in found.rows} == {"round_trip", "lost"}
    with pytest.raises(NotComparableError, match="mixed clocks"):
        compare_groups(a, b, Question(metrics=("up",)))
    allowed = compare_groups(a, b, Question(metrics=("up",), under_test=("timing",)))
    assert allowed.gates[0].metric == "up"


def test_units_are_not_mixed() -> None:
    other = summary(values_around(100))
    other.__dict__["unit"] = "us"
    with pytest.raises(NotComparableError, match="round_trip: mixed units: ns and us"):
        compare_groups([document()], [document(1, metrics={"round_trip": other})], Question(metrics=("round_trip",)))


def test_bounds_of_clocks_make_a_small_difference_of_one_way_times_undecided() -> None:
    def side(first: int, bound_ns: int, more: int) -> list[RunDocument]:
        metrics: dict[str, MetricResult] = {
            "up": summary(values_around(50_000 + more), bound_ns=bound_ns), **ROUND_TRIP,
        }  # fmt: skip
        return [document(first + n, metrics=metrics, method="exchange") for n in range(5)]

    question = Question(metrics=("up",))
    assert compare_groups(side(0, 0, 0), side(5, 0, 3_000), question).gates[0].word == "worse"
    gate = compare_groups(side(0, 2_000, 0), side(5, 2_000, 3_000), question).gates[0]
    assert gate.word == "undecided"
    assert gate.found is not None
    assert gate.found.bound == 4_000


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"verdict": Verdict(value="invalid", reasons=["the load did not run"])}, "invalid: the load did not run"),
        ({"status": "interrupted"}, "interrupted"),
        ({"status": "failed", "verdict": Verdict(value="invalid", reasons=["no guest"])}, "failed: no guest"),
    ],
)
def test_runs_that_cannot_be_believed_end_with_2(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(MeasurementError, match="1 of 2 runs of B cannot be believed: ") as caught:
        compare_groups([document()], [document(1), document(2, **values)])
    assert caught.value.exit_code == 2
    assert caught.value.message.endswith(reason)
    assert "--without-invalid" in caught.value.hint


def test_what_was_not_measured_has_its_reason() -> None:
    metrics = {**ROUND_TRIP, "up": NotMeasured("clocks not compared")}
    a, b = document(metrics=metrics), document(1, metrics=metrics)
    assert compare_groups([a], [b]).refused["up"].startswith("clocks not compared in A")
    with pytest.raises(MeasurementError, match="up cannot be compared: clocks not compared in A"):
        compare_groups([a], [b], Question(metrics=("up",)))


def test_a_quantile_that_too_few_packets_support() -> None:
    few: dict[str, MetricResult] = {"round_trip": summary(values_around(100_000, count=200))}
    a, b = document(metrics=few), document(1, metrics=few)
    assert compare_groups([a], [b]).gates[0].quantity == "p90", "the highest of p99, p90, p50 that there is"
    with pytest.raises(MeasurementError, match="round_trip has no p99 in A"):
        compare_groups([a], [b], Question(quantiles=("p99",)))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(quantiles=("p98",)), "p98 is no quantile that runs have"),
        (Question(metrics=("rtt",)), "rtt is no metric that runs have"),
        (Question(under_test=("weather",)), "weather is nothing that can be under test"),
        (Question(tolerance=-0.1), "a tolerance is a share"),
    ],
)
def test_a_question_that_makes_no_sense(question: Question, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        compare_groups([document()], [document(1)], question)
    assert caught.value.hint


def test_a_run_is_not_compared_with_itself() -> None:
    with pytest.raises(UsageError, match="is on both sides"):
        compare_groups([document(), document(1)], [document(1)])


def side(first: int, p99_ns: int, runs: int = 5) -> list[RunDocument]:
    """Runs whose quantiles differ by 1 % around those of `p99_ns`."""
    return [
        document(first + n, metrics={"round_trip": summary(values_around(p99_ns * (98 + n % 5) // 100))})
        for n in range(runs)
    ]


@pytest.mark.parametrize(
    ("more", "tolerance", "failed"),
    [(100, 0.0, False), (130, 0.0, True), (130, 0.05, True), (130, 0.5, False), (70, 0.0, False)],
)
def test_the_gate_fails_only_beyond_noise_and_tolerance(more: int, tolerance: float, failed: bool) -> None:
    found = compare_groups(side(0, 100_000), side(5, more * 1_000), Question(tolerance=tolerance))
    assert (found.failed, found.exit_code) == (failed, int(failed))


def test_several_gates_are_each_harder_to_call() -> None:
    one = compare_groups(side(0, 100_000), side(5, 104_000)).gates[0].found
    many = compare_groups(side(0, 100_000), side(5, 104_000), Question(quantiles=("p99", "p90", "p50")))
    assert len(many.gates) == 3
    assert one is not None
    assert many.gates[0].found is not None or many.gates[1].found is not None
    noise = next(gate.found.noise for gate in many.gates if gate.quantity == "p99" and gate.found)
    assert noise is not None
    assert one.noise is not None
    assert noise > one.noise


def test_losses_are_compared_and_can_be_the_gate() -> None:
    a = [document(n, lost=n % 2) for n in range(5)]
    b = [document(5 + n, lost=900 + n) for n in range(5)]
    assert compare_groups(a, b, Question(metrics=("lost",))).failed
    assert not compare_groups(b, a, Question(metrics=("lost",))).failed
    row = compare_groups(a[:1], b[:1]).rows[-1]
    assert (row.metric, row.word) == ("lost", "undecided")
    assert "bursts" in row.why


def test_a_table_is_for_one_nic() -> None:
    assert bench_key(BENCH) != bench_key(BENCH.model_copy(update={"nic": "enp2s0 (ixgbe)"}))
