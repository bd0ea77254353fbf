# SPDX-License-Identifier: Apache-2.0
"""`latlab compare` as a function: from the words for two sides to their comparisons, as data.

    from latlab.comparison import compare
    for pair in compare("baseline:main", "latest", Path("runs")).pairs:
        print(pair.comparison.gates)

If each side is one point, these two are compared, whatever their attachments. If a side is a whole matrix, each point
is compared with the same point of the other side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from latlab.errors import NotComparableError
from latlab.stats.comparing import Comparison, Question, bench_key, comparable, compare_groups
from latlab.store.document import RunDocument
from latlab.store.environment_diff import EnvironmentDifference, environment_diff
from latlab.store.find import with_intervals
from latlab.store.run_dir import RunDirectory
from latlab.store.sides import runs_of

BENCH_FACTS = {"bench": "name", "nic": "nic", "cable": "cable"}
"""Words of `UNDER_TEST` -> fields of the bench's facts."""
Runs = list[RunDirectory]
Key = tuple[str, ...]

CONFOUNDING = ("firmware", "kernel", "arguments", "versions")
"""Sections of the environment that may be what made a difference, beside the attachment."""


@dataclass(frozen=True)
class Pair:
    """Two groups of runs, compared, and what differs between their environments."""

    comparison: Comparison
    environment: tuple[EnvironmentDifference, ...]


@dataclass(frozen=True)
class Compared:
    """`left_out`: sentences about runs that were not compared."""

    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 when any gate is worse by more than the tolerance."""
        return max(pair.comparison.exit_code for pair in self.pairs)


def compare(
    a: str, b: str, runs: Path = Path("runs"), question: Question | None = None, *, without_invalid: bool = False
) -> Compared:
    """Compares what `a` and `b` mean in the folder `runs` (see `store.sides`).

    `without_invalid`: leave out runs that are not to be believed, instead of refusing. Raises what `compare_groups`
    does, and StoreError for runs that cannot be found or read.
    """
    return compare_runs(runs_of(runs, a), runs_of(runs, b), question, without_invalid=without_invalid)


def compare_runs(a: Runs, b: Runs, question: Question | None = None, *, without_invalid: bool = False) -> Compared:
    asked = question or Question()
    left_out: list[str] = []
    if without_invalid:
        a, b = (_believable(name, side, left_out) for name, side in (("A", a), ("B", b)))
    pairs = list(_paired(a, b, asked, left_out))
    asked = replace(asked, gates=asked.gates * len(pairs))
    return Compared(tuple(_pair(one, other, asked) for one, other in pairs), tuple(left_out))


def _believable(side: str, runs: Runs, left_out: list[str]) -> Runs:
    """Those that are; all, if none is, so that the reasons are told."""
    kept = [run for run in runs if run.document.status == "done" and run.document.verdict.value != "invalid"]
    if kept and len(kept) < len(runs):
        left_out.append(f"{len(runs) - len(kept)} of {len(runs)} runs of {side} cannot be believed, and were left out")
    return kept or runs


def _paired(a: Runs, b: Runs, asked: Question, left_out: list[str]) -> Iterator[tuple[Runs, Runs]]:
    """The two groups, or each point of A with the same point of B."""
    groups, others = (_by_point(side, asked.under_test) for side in (a, b))
    if len(groups) == len(others) == 1:
        yield a, b
        return
    both = [key for key in groups if key in others]
    if not both:
        first, other = next(iter(groups.values()))[0], next(iter(others.values()))[0]
        reasons = comparable(first.document, other.document, asked.under_test)
        raise NotComparableError(
            [f"no point of A ({len(groups)}) is one of B ({len(others)})", *reasons],
            hint="Name the runs of one point on each side, such as by a pattern: '*-tap-bridge-no-load-*'.",
        )
    for key in both:
        yield groups[key], others[key]
    for name, side in (("A", groups), ("B", others)):
        left_out += [
            f"only {name} has {_label(runs[0].document)} ({len(runs)} run{'s' if len(runs) > 1 else ''}): not compared"
            for key, runs in side.items()
            if key not in both
        ]


def _by_point(runs: Runs, under_test: Sequence[str]) -> dict[Key, Runs]:
    """By point and bench, without those facts of the bench that are under test."""
    found: dict[Key, Runs] = {}
    for run in runs:
        bench = run.document.bench.model_copy(update={BENCH_FACTS[w]: "" for w in under_test if w in BENCH_FACTS})
        found.setdefault((run.document.point_id, *bench_key(bench)), []).append(run)
    return found


def _label(document: RunDocument) -> str:
    return f"{document.attachment}, {'no load' if document.load == 'none' else document.load}"


def _pair(a: Runs, b: Runs, asked: Question) -> Pair:
    single = len(a) == len(b) == 1  # only then do intervals within the runs decide
    one, other = ([with_intervals(run) if single else run.document for run in side] for side in (a, b))
    found = compare_groups(one, other, asked)
    differing = environment_diff([(run.path, run.document) for run in a], [(run.path, run.document) for run in b])
    notes = (*found.notes, *_confounded(found, differing, asked.under_test))
    return Pair(replace(found, notes=notes), tuple(differing))


def _confounded(found: Comparison, differing: Sequence[EnvironmentDifference], under_test: Sequence[str]) -> list[str]:
    """Says it when more than one thing differs, or the one under test does not."""
    besides = [entry for entry in differing if entry.section in CONFOUNDING]
    notes = []
    if besides and "kernel" not in under_test and found.a.attachment != found.b.attachment:
        names = ", ".join(dict.fromkeys(entry.section for entry in besides))
        notes.append(f"not only the attachment differs, also: {names}. Either may be the cause")
    if tuple(under_test) == ("kernel",) and not besides:
        notes.append("nothing of kernel, arguments, firmware or versions differs, as far as the runs tell")
    return notes
