# SPDX-License-Identifier: Apache-2.0
"""The report of a week: what was measured, what of it is new, and what people have to say of it.

One table for each kind of measurement and each bench, in the form of the study's weekly mails: min, avg, max, stddev.
Runs of one point on one bench and kernel are one row, and so are its new runs; the run is the unit: avg, stddev and p99
are the medians of the runs', min and max the extremes of all. What must not stand in one table does not. Pure: the
runs' documents, the journal and the state come in, `weekly_text` and `markdown` print what comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from latlab.published import PublishedValue, published
from latlab.published.beside import Beside, beside
from latlab.report.journal import Told
from latlab.report.layout import Block, Row, microseconds
from latlab.report.table import (
    TITLES,
    WITHOUT_SUSPECT,
    bound_of,
    by_bench,
    comparable,
    instrument_blocks,
    known,
    merged,
    reason_of,
    unit,
)
from latlab.report.weekly_rows import WeeklyRow, combined, rows_of, with_instruments
from latlab.stats.summary import MetricResult, Summary
from latlab.store.document import RunDocument

COLUMNS = ("min", "avg", "max", "stddev", "p99")
NEW = "new"
PUBLISHED_COLUMNS = ("min", "avg", "max", "stddev", "differs by")
COMPARABLE = "comparable"
SEVERAL = "of several runs: smallest min, largest max and ±, and the medians of the runs' avg, stddev and p99"


@dataclass(frozen=True)
class RunFacts:
    """One run: its document, and whether the last report did not have it (None: there is no such report)."""

    document: RunDocument
    new: bool | None = None


@dataclass(frozen=True)
class PublishedPart:
    """Published values that stand beside some rows."""

    values: Sequence[Beside] = ()

    @property
    def letters(self) -> dict[str, str]:
        """A letter for each reason against comparing any of them, in the order in which they come up."""
        reasons = dict.fromkeys(reason for one in self.values for reason in one.why_not)
        return {reason: _letter(number) for number, reason in enumerate(reasons)}

    @property
    def blocks(self) -> list[Block]:
        """A table for each way; "differs" has the letters of each value's reasons."""
        letters = self.letters
        blocks = []
        for key, title in TITLES.items():
            rows = [
                Row(
                    one.value.label,
                    [*_published_times(one.value), " ".join(map(letters.__getitem__, one.why_not)) or COMPARABLE],
                )
                for one in self.values
                if one.value.metric == key
            ]
            if rows:
                way = title.partition(",")[0]
                blocks.append(Block(f"{way}, published (us, real)", PUBLISHED_COLUMNS, rows))
        return blocks


def _letter(number: int) -> str:
    """a to z, then aa."""
    first, last = divmod(number, 26)
    return (_letter(first - 1) if first else "") + chr(ord("a") + last)


def _published_times(value: PublishedValue) -> list[str]:
    return [microseconds(time) for time in (value.min_ns, value.mean_ns, value.max_ns, value.stddev_ns)]


@dataclass(frozen=True)
class BenchPart:
    """The rows of one bench. `title` names it where the report has several."""

    title: str
    rows: Sequence[WeeklyRow]
    blocks: Sequence[Block]
    """Of the probe's metrics."""
    instruments: Sequence[Block]
    published: PublishedPart

    @property
    def refuted(self) -> list[RunDocument]:
        """Whose packets did not go the way that the run claims."""
        found = [document for row in self.rows for document in row.documents]
        return [document for document in found if any(not item.ok for item in document.evidence)]

    @property
    def proven(self) -> int:
        """How many runs have evidence of their packets' way, and all of it holds."""
        found = [document for row in self.rows for document in row.documents]
        return sum(bool(document.evidence) and all(item.ok for item in document.evidence) for document in found)

    @property
    def told(self) -> tuple[list[RunDocument], list[str]]:
        """Documents and labels for the notes: of runs in one row with the same verdict and reasons, one."""
        found: dict[object, tuple[RunDocument, str]] = {}
        for row in self.rows:
            for document in row.documents:
                key = (row.label, document.verdict.value, *document.verdict.reasons)
                found.setdefault(key, (document, row.label))
        return [document for document, _ in found.values()], [label for _, label in found.values()]


@dataclass(frozen=True)
class Weekly:
    """A report. `since` says in words what "new" means; "" in the first one, which marks nothing."""

    number: int
    today: date
    since: str
    benches: Sequence[BenchPart]
    journal: Mapping[str, Sequence[Told]] = field(default_factory=dict)
    broken: Sequence[str] = ()
    """Runs that cannot be read, each with the reason."""

    @property
    def rows(self) -> list[WeeklyRow]:
        return [row for bench in self.benches for row in bench.rows]

    @property
    def headline(self) -> str:
        """How many runs and rows there are, and what is new."""
        runs = sum(len(row.documents) for row in self.rows)
        fresh = sum(len(row.documents) for row in self.rows if row.new)
        words = f"{_count(runs, 'run')} in {_count(len(self.rows), 'row')}"
        return (
            f"{words}, {fresh} new since {self.since}" if self.since else f"{words}; the first report marks none as new"
        )

    @property
    def sources(self) -> list[str]:
        """Of the published values that are shown, each once."""
        return list(dict.fromkeys(b.value.source for bench in self.benches for b in bench.published.values))


def weekly(
    runs: Sequence[RunFacts], number: int, today: date, since: str = "",
    journal: Mapping[str, Sequence[Told]] | None = None, broken: Collection[str] = (),
) -> Weekly:  # fmt: skip
    """The report of `runs`, which stand in the order in which their rows are to stand."""
    new = {id(run.document): run.new for run in runs}
    groups: dict[object, list[RunDocument]] = {}
    for group in by_bench(run.document for run in runs):
        for document in group:
            groups.setdefault((comparable(document.bench), document.bench.nic), []).append(document)
    parts = []
    for documents in groups.values():
        rows = rows_of(documents, new)
        blocks = [_metric_block(rows, key) for key in TITLES]
        others = instrument_blocks([with_instruments(row) for row in rows], [row.label for row in rows])
        blocks, others = ([_marked(block, rows) for block in found] for found in (blocks, others))
        title = _bench_title(documents[0]) if len(groups) > 1 else ""
        parts.append(BenchPart(title, rows, blocks, others, _published(rows)))
    return Weekly(number, today, since, parts, journal or {}, tuple(broken))


def _bench_title(document: RunDocument) -> str:
    bench = document.bench
    return " · ".join(dict.fromkeys(word for word in (*comparable(bench), bench.nic) if word))


def _metric_block(rows: Sequence[WeeklyRow], key: str) -> Block:
    """The table of one metric; one line if it was measured in no run, for the same reason in all of them."""
    title = TITLES[key]
    finished = [document for row in rows if row.usable for document in row.documents if document.metrics]
    reasons = {reason_of(document, key) for document in finished}
    if len(reasons) == 1 and (reason := reasons.pop()):
        return Block(title, (), (), message=reason)
    if not finished and key != "round_trip":
        return Block(title, (), (), message="not measured")
    bounded = any(bound_of(document.metrics.get(key)) for document in finished)
    several = any(len(row.documents) > 1 for row in rows)
    lines = []
    for row in rows:
        lines.append(_line(row, row.label, key, [d.metrics.get(key) for d in row.documents], bounded, several))
        if bounded and not isinstance(lines[-1].cells, str) and any(d.metrics_trusted for d in row.documents):
            trusted = [d.metrics_trusted.get(key, d.metrics.get(key)) for d in row.documents]
            lines.append(_line(row, WITHOUT_SUSPECT, key, trusted, bounded, several))
    if key != "round_trip":
        lines = merged(lines)
    columns = (*COLUMNS, *(["±"] if bounded else []), "lost", *(["runs"] if several else []))
    return Block(f"{title} ({unit(rows[0].documents[0].bench)})", columns, lines)


def _line(
    row: WeeklyRow, label: str, key: str, results: Sequence[MetricResult | None], bounded: bool, several: bool
) -> Row:
    first, many = row.documents[0], len(row.documents)
    if not row.usable:
        reason = first.status if first.status != "done" else "invalid, see below"
        return Row(label, f"{many} runs: {reason}" if many > 1 else reason, row.verdict)
    summaries = [result for result in results if isinstance(result, Summary)]
    if not summaries:
        return Row(label, reason_of(first, key), row.verdict)
    summary = combined(summaries)
    times = [summary.min_ns, summary.mean_ns, summary.max_ns]
    cells = [*(known(time, summary.bound_ns) for time in times), microseconds(summary.stddev_ns)]
    cells.append(known(summary.quantiles_ns.get("p99"), summary.bound_ns))
    cells += [microseconds(summary.bound_ns)] if bounded else []
    cells.append(str(sum(document.counts.lost for document in row.documents)))
    return Row(label, [*cells, *([str(len(summaries))] if several else [])], row.verdict)


def _marked(block: Block, rows: Sequence[WeeklyRow]) -> Block:
    """The block with a last column that says which rows are new; without a last report, as it is."""
    new = {row.label: row.new for row in rows}
    if block.message or all(fresh is None for fresh in new.values()):
        return block
    lines = []
    for row in block.rows:
        fresh = new.get(row.label)
        if not isinstance(row.cells, str):
            lines.append(replace(row, cells=[*row.cells, NEW if fresh else ""]))
        else:
            lines.append(replace(row, cells=f"{row.cells} · {NEW}") if fresh else row)
    return replace(block, columns=(*block.columns, ""), rows=lines)


def _published(rows: Sequence[WeeklyRow]) -> PublishedPart:
    """Beside any of these rows; of the rows that a value stands beside, the one that is most like it says why not."""
    found: dict[PublishedValue, Beside] = {}
    for row in rows:
        document = row.documents[-1]
        measured = [key for key in TITLES if isinstance(document.metrics.get(key), Summary)]
        measured += [name for name, result in document.instruments.items() if result.not_measured is None]
        for name in measured if row.usable else ():
            for one in beside(document, name):
                if one.value not in found or len(one.why_not) < len(found[one.value].why_not):
                    found[one.value] = one
    return PublishedPart([found[value] for value in published() if value in found])


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
