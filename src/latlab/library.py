# SPDX-License-Identifier: Apache-2.0
"""latlab in a notebook or a program: `import latlab; runs = latlab.open("runs")`.

What each command of the command line shows is here as data: `list_runs`, `show_run`, `sql`, `label_runs`,
`export_runs`, `compare_runs`, `report_runs`, `plan_scenario`, `examine_benches`. Times are integers in nanoseconds.
Errors are `latlab.LatlabError`, with `message` and `hint`. Nothing here prints.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from latlab.errors import StoreError, UsageError
from latlab.frames import Table, units_of
from latlab.stats.records import RECORD, Records
from latlab.stats.summary import NotMeasured
from latlab.store.disk import os_errors
from latlab.store.document import RunDocument
from latlab.store.entry import Entry, entry_of
from latlab.store.find import find_run, with_statistics
from latlab.store.index import entries
from latlab.store.labels import change_labels, read_labels
from latlab.store.run_dir import RunDirectory, is_run, open_run
from latlab.store.select import Wanted, ordered, parse_time, select
from latlab.store.sql.columns import METRIC_COLUMNS, RUNS, SAMPLES
from latlab.store.sql.session import asking

RUNS_FOLDER = "runs"
_UNITS = {column.name: column.unit for column in (*RUNS, *SAMPLES)} | {"time_ns": "ns TAI"}


class Filters(TypedDict, total=False):
    """Which runs: as the options of `latlab list`. A text, or several of which any will do; labels: all of them."""

    attachment: str | Sequence[str]
    load: str | Sequence[str]
    bench: str | Sequence[str]
    kernel: str | Sequence[str]
    label: str | Sequence[str]
    scenario: str | Sequence[str]
    verdict: str | Sequence[str]
    since: str
    until: str


class Run:
    """One run. `document` is its run.json (docs/run-directory.md), with its numbers even if it was interrupted."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory

    @property
    def path(self) -> Path:
        return self._directory.path

    @property
    def id(self) -> str:
        return self._directory.id

    @cached_property
    def document(self) -> RunDocument:
        return with_statistics(self._directory)

    @property
    def labels(self) -> list[str]:
        return read_labels(self.path)

    def __repr__(self) -> str:
        document = self._directory.document
        return f"<latlab run {self.id}: {document.bench.kind}, {document.verdict.value}>"

    def show(self) -> dict[str, Any]:
        """What `latlab show --json` prints."""
        from latlab.report.show import show_json

        return show_json(self._directory)

    def chunks(self) -> Iterator[Records]:
        """The packets as the probe gave them, in order, piece by piece: arrays of dtype `latlab.stats.records.RECORD`
        (stamps in ns of TAI, 0 = not taken), at most 20,480 rows each. None at all if there are no samples."""
        samples = self._directory.samples()
        yield from samples.chunks() if samples is not None else ()

    def records(self) -> Records:
        """All packets, in memory: 136 bytes each."""
        return np.concatenate([np.empty(0, RECORD), *self.chunks()])

    def values(self, metric: str = "round_trip") -> npt.NDArray[np.int64]:
        """Each packet's value of a metric in ns, int64[n], in the order of the packets; lost ones have none.

        StoreError, with the reason, if the run has no such number: stamps not taken, clocks not compared.
        """
        column = f"{metric.removesuffix('_ns')}_ns"
        if column not in {known.name for known in METRIC_COLUMNS}:
            there = ", ".join(known.name.removesuffix("_ns") for known in METRIC_COLUMNS)
            raise UsageError(f"there is no metric {metric!r}", hint=f"there are {there}")
        result = self.document.metrics.get(column.removesuffix("_ns"), NotMeasured("the run has no samples"))
        if isinstance(result, NotMeasured):
            raise StoreError(f"{self.id} has no {metric}: {result.not_measured}")
        found = self.sql(f"SELECT {column} FROM samples WHERE {column} IS NOT NULL")[column]
        return np.asarray(np.ma.getdata(found), np.int64)

    def packets(self, *columns: str) -> Table:
        """The packets as a table of these columns, or of all: see docs/store.md. In memory: 8 bytes a value."""
        known = [column.name for column in SAMPLES]
        if unknown := [name for name in columns if name not in known]:
            raise UsageError(f"packets have no column {unknown[0]!r}", hint=f"there are {', '.join(known)}")
        return self.sql(f"SELECT {', '.join(columns) or '*'} FROM samples")

    def timing(self) -> Table:
        """The sync log: see docs/run-directory.md. Without rows if nothing is known of the clocks."""
        return self.sql("SELECT * EXCLUDE (run) FROM timing ORDER BY time_ns")

    def sql(self, query: str) -> Table:
        """One SELECT over this run's tables alone."""
        return _ask([entry_of(self._directory)], query)


class Runs(Sequence[Run]):
    """Runs that can be read, in order; `broken` are the directories that cannot, with the reasons."""

    def __init__(self, found: Sequence[Entry]) -> None:
        self._entries = [entry for entry in found if not entry.broken]
        self.broken = {entry.path: entry.reasons for entry in found if entry.broken}

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> Runs: ...
    def __getitem__(self, place: int | slice) -> Run | Runs:
        if isinstance(place, slice):
            return Runs(self._entries[place])
        return Run(open_run(self._entries[place].path))

    def __repr__(self) -> str:
        return f"<{len(self)} latlab runs>"

    def select(self, **filters: Unpack[Filters]) -> Runs:
        """Those for which all filters hold."""
        return Runs(select(self._entries, _wanted(filters)))

    def sorted(self, key: str) -> Runs:
        """In the order of `latlab list --sort`: "p99", "-p99" (the largest first), "attachment", ..."""
        return Runs(ordered(self._entries, key))

    def summaries(self) -> list[dict[str, Any]]:
        """What `latlab list --json` prints."""
        from latlab.report.listing import list_json

        return list_json(self._entries)

    def table(self) -> Table:
        """A row for each run: the table `runs` of docs/store.md."""
        return self.sql("SELECT * FROM runs")

    def sql(self, query: str) -> Table:
        """What `latlab sql` prints, of these runs: one SELECT over the tables of docs/store.md."""
        return _ask(self._entries, query)

    def export(self, form: str, path: str | Path, *, way: Literal["forward", "return"] = "forward") -> list[str]:
        """Write a file as `latlab export` does; returns what it says of it."""
        from latlab.export.formats import export

        return export([open_run(entry.path) for entry in self._entries], form, Path(path), way)


def open_runs(*places: str | Path, runs: str | Path = RUNS_FOLDER, **filters: Unpack[Filters]) -> Runs:
    """Runs, as `latlab.open`: each place is a folder of runs, a run's directory, a pattern of such (`runs/*-ovs-*`), or
    a name as `latlab show` takes it, of a run in the folder `runs`. Without a place: that folder.

    Raises StoreError if there is no such run or folder, UsageError for a filter that cannot be.
    """
    found: dict[Path, Entry] = {}
    for place in places or (runs,):
        for entry in _at(str(place), Path(runs)):
            found.setdefault(entry.path, entry)
    return Runs(select(found.values(), _wanted(filters)))


def _at(place: str, runs: Path) -> list[Entry]:
    path = Path(place)
    if path.is_dir():
        return [entry_of(open_run(path))] if is_run(path) else entries(path)
    if matching := [Path(match) for match in sorted(glob.glob(place)) if is_run(Path(match))]:  # noqa: PTH207 - a whole path
        return [entry_of(open_run(match)) for match in matching]
    if path == runs:
        raise StoreError(f"there is no folder {place}", hint="name the folder that holds the runs")
    return [entry_of(find_run(runs, place))]


def list_runs(runs: str | Path = RUNS_FOLDER, **filters: Unpack[Filters]) -> list[dict[str, Any]]:
    """What `latlab list --json` prints, the directories that cannot be read included."""
    from latlab.report.listing import list_json

    return list_json(select(entries(Path(runs)), _wanted(filters)))


def show_run(run: str | Path = "latest", runs: str | Path = RUNS_FOLDER) -> dict[str, Any]:
    """What `latlab show --json` prints."""
    return Run(find_run(Path(runs), str(run))).show()


def sql(query: str, runs: str | Path = RUNS_FOLDER, **filters: Unpack[Filters]) -> Table:
    """What `latlab sql` prints."""
    return open_runs(runs, **filters).sql(query)


def label_runs(found: Sequence[Run], add: Sequence[str] = (), remove: Sequence[str] = ()) -> dict[str, list[str]]:
    """Give and take labels, as `latlab label`; the labels that each run has then."""
    return {run.id: change_labels(run.path, add, remove) for run in found}


def export_runs(
    found: Runs, form: str, path: str | Path, *, way: Literal["forward", "return"] = "forward"
) -> list[str]:
    """Write a file as `latlab export` does; returns what it says of it."""
    return found.export(form, path, way=way)


def compare_runs(a: str, b: str, runs: str | Path = RUNS_FOLDER) -> Any:
    """What `latlab compare --json` prints: `a` and `b` are runs in its words (a name, a pattern, `label:NAME`)."""
    from latlab.comparison import compare
    from latlab.report.compare import compare_json

    return compare_json(compare(a, b, Path(runs)))


def report_runs(found: Sequence[Run | RunDirectory], path: str | Path | None = None) -> Path:
    """Write the page of these runs as `latlab report -o` does; without a path, into the user's cache. Where it is."""
    from latlab.browser import pages_folder
    from latlab.report.writing import write_page

    if not found:
        raise UsageError("there are no runs to report on", hint="`latlab list` shows the runs")
    directories = [run if isinstance(run, RunDirectory) else open_run(run.path) for run in found]
    if path is None:
        others = f"-and-{len(directories) - 1}-more" if len(directories) > 1 else ""
        path = pages_folder() / f"{directories[0].id}{others}.html"
        with os_errors(path.parent, "creating"):
            path.parent.mkdir(parents=True, exist_ok=True)
    write_page(directories, Path(path), None, None)
    return Path(path)


def plan_scenario(scenario: str, bench: str = "emulated", overrides: Sequence[str] = ()) -> Any:
    """What `latlab plan --json` prints."""
    from latlab import session
    from latlab.report.plan import plan_json

    return plan_json(session.prepare(scenario, bench, tuple(overrides)).plan)


def examine_benches(*benches: str) -> Any:
    """What `latlab doctor --json` prints."""
    from latlab.doctor import examine
    from latlab.report.doctor import doctor_json

    return doctor_json(examine(benches))


def _ask(found: Sequence[Entry], query: str) -> Table:
    with asking(found, query) as answer:
        columns = answer.arrays()
        return Table(columns, units_of(columns, _UNITS), answer.remarks)


def _wanted(filters: Filters) -> Wanted:
    from datetime import UTC, datetime

    unknown = sorted(set(filters) - set(Filters.__annotations__))
    if unknown:
        raise UsageError(f"there is no filter {unknown[0]!r}", hint=f"there are {', '.join(Filters.__annotations__)}")
    now = datetime.now(UTC)
    values: dict[str, Any] = {}
    for name, given in filters.items():
        if name in ("since", "until"):
            values[name] = parse_time(str(given), now, end=name == "until")
        else:
            values[name] = (given,) if isinstance(given, str) else given
    return Wanted(**values)
