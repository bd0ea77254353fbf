# SPDX-License-Identifier: Apache-2.0
"""The weekly report: what stands in which row and table, what is new, and what it looks like."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.report.layout import WIDTH
from latlab.report.markdown import weekly_markdown
from latlab.report.weekly import RunFacts, weekly
from latlab.report.weekly_json import weekly_json
from latlab.report.weekly_rows import combined
from latlab.report.weekly_text import weekly_text
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts, Verdict
from tests.golden import check_golden
from tests.report.weekly_cases import BOARDS, GOLDEN, TODAY, document, first_report, report

PRINTED = {
    "report.txt": lambda: weekly_text(report()).plain,
    "report.md": lambda: weekly_markdown(report()),
    "report.json": lambda: json.dumps(weekly_json(report()), indent=1) + "\n",
    "first.txt": lambda: weekly_text(first_report()).plain,
    "first.md": lambda: weekly_markdown(first_report()),
}


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_text_is_as_published(name: str) -> None:
    check_golden(GOLDEN / name, PRINTED[name]())


def test_lines_fit_in_100_columns() -> None:
    assert [line for line in PRINTED["report.txt"]().splitlines() if len(line) > WIDTH] == []


def rows(*made: RunFacts) -> dict[str, tuple[int, bool | None, str]]:
    return {row.label: (len(row.documents), row.new, row.verdict) for row in weekly(made, 1, TODAY, "x").rows}


def test_runs_of_one_point_are_one_row_and_its_new_ones_another() -> None:
    made = [RunFacts(document("user", day=day), day > 12) for day in (11, 12, 18, 19)]
    assert rows(*made) == {
        "user, no load, 2026-11-12": (2, False, "valid"),
        "user, no load, 2026-11-19": (2, True, "valid"),
    }


def test_another_kernel_or_point_is_another_row() -> None:
    two = [RunFacts(document("user", kernel=kernel)) for kernel in ("6.1", "6.12")]
    assert list(rows(*two)) == ["user, no load, kernel 6.1", "user, no load, kernel 6.12"]
    points = [RunFacts(document("user", point=point)) for point in ("a", "b")]
    assert list(rows(*points)) == ["user, no load", "user, no load (2)"]


def test_runs_without_numbers_have_a_row_of_their_own() -> None:
    good, bad = document("user"), document("user")
    bad.verdict = Verdict(value="invalid", reasons=["it was not"])
    assert rows(RunFacts(good), RunFacts(bad)) == {
        "user, no load": (1, None, "valid"),
        "user, no load (2)": (1, None, "invalid"),
    }
    text = weekly_text(weekly([RunFacts(bad), RunFacts(bad.model_copy())], 1, TODAY)).plain
    assert "2 runs: invalid, see below" in text
    assert "it was not" in text


def test_one_suspect_run_makes_its_row_suspect() -> None:
    suspect = document("user")
    suspect.verdict = Verdict(value="suspect", reasons=["slow"])
    assert rows(RunFacts(document("user")), RunFacts(suspect)) == {"user, no load": (2, None, "suspect")}


@pytest.mark.parametrize("field", ["kind", "name", "accelerator", "cable", "nic"])
def test_rows_of_other_benches_and_nics_share_no_table(field: str) -> None:
    local = BenchFacts(kind="local", name="a", accelerator="kvm", cable="a", nic="a")
    other = local.model_copy(update={field: "boards" if field == "kind" else "b"})
    made = weekly([RunFacts(document("user", bench=bench)) for bench in (local, other, local)], 1, TODAY)
    assert [len(part.rows) for part in made.benches] == [1, 1]
    assert [len(part.rows[0].documents) for part in made.benches] == [2, 1]
    assert made.benches[0].title != made.benches[1].title


def test_emulated_numbers_always_say_so_and_others_never() -> None:
    emulated = weekly([RunFacts(document("tap-bridge"))], 1, TODAY)
    assert all("emulated" in line for line in weekly_text(emulated).plain.splitlines() if line.endswith("lost"))
    markdown = weekly_markdown(emulated).split("<details>")[0]
    titles = [line for line in markdown.splitlines() if line.startswith("**") and "(us" in line]
    assert len(titles) == 3
    assert all("emulated" in title for title in titles)
    assert "**All numbers: emulated.**" in weekly_markdown(emulated)
    both = weekly([RunFacts(document("tap-bridge")), RunFacts(document("tap-bridge", bench=BOARDS))], 1, TODAY)
    assert "**Some numbers: emulated.**" in weekly_markdown(both)
    real = weekly([RunFacts(document("sriov", bench=BOARDS))], 1, TODAY)
    assert "emulated" not in weekly_text(real).plain + weekly_markdown(real)


def test_the_first_report_marks_nothing() -> None:
    text = weekly_text(first_report()).plain
    assert "the first report marks none as new" in text
    assert not any(line.endswith(" new") for line in text.splitlines()[2:])


def test_every_new_row_is_marked_in_every_form() -> None:
    made = report()
    labels = [row.label for row in made.rows if row.new]
    assert len(labels) == 5
    markdown = weekly_markdown(made)
    for label in labels:
        assert f"| **new** {label} |" in markdown.replace("\\", "")
    assert {row["label"] for row in weekly_json(made)["rows"] if row["new"]} == set(labels)
    round_trip = weekly_text(made).plain.split("\n up, ")[0]
    assert sum(line.endswith(" new") for line in round_trip.splitlines()) == 4


def test_what_the_bound_exceeds_is_no_number() -> None:
    made = weekly([RunFacts(document("macvtap", bound_ns=60_000_000))], 1, TODAY)
    (line,) = [line for line in weekly_text(made).plain.split("\n up, ")[1].splitlines() if "macvtap" in line][:1]
    assert line.split()[-7:-3] == ["~", "~", "~", "0.00"] or line.split()[3:6] == ["~", "~", "~"]


SUMMARIES = st.builds(
    lambda low, spread, deviation, bound, p99: Summary(
        100, low, low + spread / 2, low + spread, deviation, {"p99": p99 if p99 is None else low + p99}, bound_ns=bound
    ),
    st.integers(-1_000, 10**9), st.integers(0, 10**9), st.none() | st.floats(0, 10**9), st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
)  # fmt: skip


@given(st.lists(SUMMARIES, min_size=1, max_size=9))
def test_the_run_is_the_unit_of_a_row(summaries: list[Summary]) -> None:
    row = combined(summaries)
    assert row.n == sum(s.n for s in summaries)
    assert row.min_ns == min(s.min_ns for s in summaries)
    assert row.max_ns == max(s.max_ns for s in summaries)
    assert row.bound_ns == max(s.bound_ns for s in summaries)
    below = sum(s.mean_ns <= row.mean_ns for s in summaries)
    above = sum(s.mean_ns >= row.mean_ns for s in summaries)
    assert 2 * below >= len(summaries) <= 2 * above
    supported = all(s.quantiles_ns.get("p99") is not None for s in summaries)
    assert (row.quantiles_ns["p99"] is not None) == supported


def test_packets_of_one_long_run_do_not_outvote_the_other_runs() -> None:
    long = replace(SUMMARY, n=10**9, mean_ns=9_000.0)
    assert combined([SUMMARY, SUMMARY, long]).mean_ns == SUMMARY.mean_ns


SUMMARY = Summary(10, 1, 5.0, 9, 2.0, {"p99": None})


def test_published_values_stand_beside_rows_with_numbers_only() -> None:
    by_bench = {part.title.split(" · ")[0]: part.published for part in report().benches}
    assert {b.value.attachment for b in by_bench["emulated"].values} == {"tap-bridge", "macvtap", "vfio"}
    assert all("ours is emulated, theirs real" in b.why_not for b in by_bench["emulated"].values)
    real = {b.value.method: b.comparable for b in by_bench["boards"].values}
    assert real["netperf TCP_RR"]
    assert sum(real.values()) == 1


def test_a_report_of_nothing_readable() -> None:
    made = weekly([], 1, TODAY, "", {}, ["x: run.json is cut off"])
    assert "No run can be read" in weekly_markdown(made)
    assert " ✗ x: run.json is cut off" in weekly_text(made).plain
