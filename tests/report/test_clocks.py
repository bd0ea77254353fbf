# SPDX-License-Identifier: Apache-2.0
"""What reports say of clocks that had to be compared: bounds, what is no number, what is undecided, what was odd."""

from __future__ import annotations

from dataclasses import replace

from latlab.report.notes import MANY
from latlab.report.table import results
from latlab.stats.summary import Summary
from latlab.store.document import AnomalyRecord, RunDocument, Timing, Verdict
from latlab.store.sentences import clock_reasons, odd_in, sentence
from tests.report.cases import run

STEP = AnomalyRecord(
    verdict="clock", kind="step", place="clock", start_ns=30_000_000_000, end_ns=30_100_000_000, packets=100,
    size=-507_000, unit="ns", bound=71_000, evidence=["both ways moved oppositely"],
)  # fmt: skip


def bounded(attachment: str, bound_ns: int, p50_ns: int = 50_000) -> RunDocument:
    """A run whose one-way times have a bound."""
    document = run(attachment, "none")
    for key in ("up", "down"):
        found = document.metrics[key]
        assert isinstance(found, Summary)
        quantiles = {**found.quantiles_ns, "p50": p50_ns}
        document.metrics[key] = replace(found, bound_ns=bound_ns, min_ns=3_000, quantiles_ns=quantiles)
    return document


def lines_with(document_text: str, start: str) -> list[str]:
    return [line for line in document_text.splitlines() if line.strip().startswith(start)]


def test_a_bound_stands_beside_one_way_times_only() -> None:
    text = results([bounded("tap-bridge", 8_000)]).plain
    round_trip, up, down = lines_with(text, "tap-bridge, no load")
    assert "±" not in round_trip
    assert up.split()[-2] == down.split()[-2] == "8.00"
    assert [line.split()[-2] for line in text.splitlines() if line.split()[-1:] == ["lost"]][1:] == ["±", "±"]


def test_what_is_smaller_than_its_bound_is_no_number() -> None:
    text = results([bounded("tap-bridge", 8_000)]).plain
    _, up, _ = lines_with(text, "tap-bridge, no load")
    assert up.split()[3] == "~"  # the minimum, 3 us
    assert "~ smaller than its bound" in text
    assert "~" not in results([bounded("tap-bridge", 1_000)]).plain


def test_rows_that_differ_by_less_than_their_bounds_are_undecided() -> None:
    near = results([bounded("tap-bridge", 8_000, 50_000), bounded("macvtap", 8_000, 60_000)]).plain
    assert "which is faster is undecided: tap-bridge, no load and macvtap, no load" in " ".join(near.split())
    far = results([bounded("tap-bridge", 8_000, 50_000), bounded("macvtap", 8_000, 70_000)]).plain
    assert "undecided" not in far


def test_numbers_are_given_without_the_suspect_packets_too() -> None:
    document = bounded("tap-bridge", 8_000)
    up = document.metrics["up"]
    assert isinstance(up, Summary)
    document.metrics_trusted = {**document.metrics, "up": replace(up, max_ns=77_000)}
    text = results([document]).plain
    assert len(lines_with(text, "without suspect clocks")) == 2
    assert "77.0" in lines_with(text, "without suspect clocks")[0]


def test_a_step_is_told_in_one_sentence() -> None:
    assert sentence(STEP, 10_000_000_000) == "clock: a step of -507 us ± 71.0 us at 20.00 s"


def test_a_runs_verdict_names_the_largest_of_each_kind() -> None:
    small, ramp = STEP.model_copy(update={"size": 90_000.0}), STEP.model_copy(update={
        "kind": "ramp", "unit": "ppb", "size": 50_000.0, "bound": 4_000.0, "end_ns": 50_000_000_000})  # fmt: skip
    document = run("tap-bridge", "none")
    document.anomalies, document.timing = [small, STEP, ramp], Timing(start_ns=10_000_000_000)
    assert clock_reasons(document) == [
        "clock: a step of -507 us ± 71.0 us at 20.00 s, the largest of 2",
        "clock: a change of rate of +50.00 ± 4.00 ppm from 20.0 to 40.0 s",
    ]


def test_of_many_runs_what_was_odd_is_added_up() -> None:
    document = run("tap-bridge", "none")
    document.anomaly_counts = {"network": 2, "clock": 1}
    assert odd_in([document], ["row"], MANY) == ["odd in row: 1 clock · 2 network"]
    assert odd_in([document] * 9, ["row"] * 9, MANY) == [
        "odd in 9 runs: 9 clock · 18 network; latlab show has them one by one"
    ]
    document.verdict = Verdict(value="valid")
    document.status = "failed"
    assert odd_in([document], ["row"], MANY) == []


def test_rows_that_differ_in_their_timing_say_so() -> None:
    documents = [run("tap-bridge", "none"), run("tap-bridge", "none")]
    documents[1].point["timing"] = {"kind": "exchange"}
    text = results(documents).plain
    assert "tap-bridge, no load, timing auto" in text
    assert "tap-bridge, no load, timing exchange" in text


def test_a_method_that_the_exchanges_contradict_makes_the_run_suspect() -> None:
    document = run("tap-bridge", "none")
    agreed = "the clock was 1 us ahead; known to ±1 us by ptp"
    against = "the exchanges contradict ptp for 3 of 40 stretches of the run: by up to 8 us more than both bounds allow"
    document.timing = Timing(method="ptp", contradicted=3, words=[agreed, against])
    assert clock_reasons(document) == [against]
    document.timing = Timing(method="ptp", words=[agreed, "the exchanges agree with ptp"])
    assert clock_reasons(document) == []
