# SPDX-License-Identifier: Apache-2.0
"""What stands below the tables: the proof of each attachment's way, and what cannot simply be believed."""

from __future__ import annotations

from latlab.report.notes import MANY, proof
from latlab.report.table import results, row_labels
from latlab.store.document import Evidence, LoadResult, RunDocument, Verdict
from tests.report.cases import run

MOVED = Evidence(what="flow: tap rx", before=1, after=201, rule="grows by 200 or more", ok=True)
STOOD = Evidence(what="flow: bridge", before=1, after=1, rule="grows by 22 at most", ok=True)
FACT = Evidence(what="vhost is on", after=True, rule="holds", ok=True)
REFUTED = Evidence(what="flow: bridge", before=1, after=300, rule="grows by 22 at most", ok=False)


def squeezed(documents: list[RunDocument]) -> str:
    return " ".join(results(documents).plain.split())


def late(number: int, attachment: str) -> RunDocument:
    document = run(attachment, "none", count=50)
    document.verdict = Verdict(value="suspect", reasons=[f"{number} of 200 packets were sent late"])
    return document


def test_a_proof_counts_what_moved_and_what_stood_still_and_names_the_facts() -> None:
    assert proof([MOVED, MOVED, STOOD, FACT]) == "2 counters moved as they must · 1 counters stood still · vhost is on"
    assert proof([MOVED, REFUTED]).startswith("NOT so: flow: bridge")


def test_each_attachment_is_proven_once_and_a_refuted_run_is_the_one_that_is_shown() -> None:
    fine, bad, other = (run(name, "none", count=50) for name in ("xdp", "xdp", "ovs"))
    fine.evidence, bad.evidence, other.evidence = [MOVED], [REFUTED], [FACT]
    text = squeezed([fine, bad, other])
    assert text.count("NOT so: flow: bridge") == 1
    assert "counters moved" not in text
    assert "ovs vhost is on" in text


def test_a_set_up_that_was_shared_is_told() -> None:
    documents = [run("xdp", "none", count=50), run("xdp", "3 udp same", count=50)]
    for document in documents:
        document.evidence = [FACT]
    assert "reused" not in squeezed(documents)
    documents[1].env["reused"] = "attachment and guests of another"
    assert "1 of 2 runs reused the attachment and guests of a run before" in squeezed(documents)


def test_many_rows_that_differ_in_their_numbers_only_are_told_of_once() -> None:
    few = [late(number, f"way{number}") for number in range(MANY)]
    assert squeezed(few).count("packets were sent late") == MANY
    many = [*few, late(77, "another")]
    text = squeezed(many)
    assert text.count("packets were sent late") == 1
    assert f"and so, with other numbers, {MANY} more rows" in text
    # Every row has its own mark all the same.
    assert all(f"⚠ {label}" in text for label in row_labels(many))


def test_many_loads_are_told_as_a_range_and_those_that_fell_short_by_name() -> None:
    documents = [run(f"way{number}", "3 udp same", count=50) for number in range(MANY + 1)]
    for number, document in enumerate(documents):
        document.load_achieved = LoadResult(streams=3, achieved_bps=3_000_000 + 1_000 * number)
    documents[2].load_achieved = LoadResult(streams=3, achieved_bps=1e6, shortfall="achieved 1 of 3 Mbit/s")
    assert "3 udp same 1 Mbit/s to 3.01 Mbit/s · way2, 3 udp same 1 of 3 Mbit/s" in squeezed(documents)
