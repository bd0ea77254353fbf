# SPDX-License-Identifier: Apache-2.0
"""Figures for papers and slides, as SVG, PNG or PDF, from run directories.

percentiles   latency over the share of packets, on a log tail axis, with 95 % intervals and the clocks' error band
ccdf          the same the other way round: the share of packets that is later
series        latency over time, as an envelope of every packet; losses, anomalies, the clocks' offset
histogram     how many packets have which latency
heat          the same over time
matrix        attachments x loads, each with its distribution, against a budget
shift         by how much each quantile moved from A to B, with interval and noise (`latlab compare`)

Everything that is drawn comes of `report.page.measured`, in bounded memory. Equal runs give equal bytes. Whatever the
kind, "emulated" stands at the axis of emulated times, and runs that must not share a table share no figure.
matplotlib is imported when a figure is drawn, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latlab.errors import MeasurementError, NotComparableError, UsageError
from latlab.report.page.judge import STATISTICS, believed
from latlab.report.page.measured import Measured, measure
from latlab.report.table import by_bench, row_labels
from latlab.stats.comparing import comparable
from latlab.store.document import RunDocument
from latlab.store.run_dir import RunDirectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAYS = ("round_trip", "up", "down")
ENDINGS = (".svg", ".png", ".pdf")
WIDTHS = {"column": 3.5, "page": 7.16}
"""In inches: a column, and a page, of a two-column paper."""
MOST_CURVES = 8
"""As many as there are colours that colour-blind readers tell apart."""
MOST_PANELS = 6
SHIFT = "shift"


@dataclass(frozen=True)
class Asked:
    """What a figure shows. `statistic` and `budget_ns` are the matrix's; `invalid`: draw invalid runs as well, with
    the word beside them."""

    way: str = "round_trip"
    statistic: str = "p99"
    budget_ns: int | None = None
    width_inches: float = WIDTHS["column"]
    invalid: bool = False


@dataclass(frozen=True)
class Line:
    """One run in a figure."""

    label: str
    measured: Measured

    @property
    def document(self) -> RunDocument:
        return self.measured.document


def figure(kind: str, runs: Sequence[RunDirectory], asked: Asked) -> tuple[Figure, list[str]]:
    """The figure of `runs`, and what it leaves out, in sentences.

    Raises UsageError for what cannot be asked, NotComparableError for runs that must not share a figure, and
    MeasurementError where no run has numbers to draw.
    """
    drawer = _drawers().get(kind)
    if drawer is None:
        raise UsageError(f"{kind} is no kind of figure", hint=f"One of: {', '.join([*_drawers(), SHIFT])}.")
    if asked.way not in WAYS:
        raise UsageError(f"{asked.way} is no way to draw", hint=f"One of: {', '.join(WAYS)}.")
    if asked.statistic not in STATISTICS:
        raise UsageError(f"{asked.statistic} is no quantile that runs have", hint=f"One of: {', '.join(STATISTICS)}.")
    chosen, left_out = _believed(runs, asked)
    draw, most = drawer
    if len(chosen) > most:
        raise UsageError(f"{len(chosen)} runs are too many for a {kind}: {most} can be told apart", hint="Name fewer.")
    _check_comparable([run.document for run in chosen])
    labels = row_labels([run.document for run in chosen])
    lines = []
    for run, label in zip(chosen, labels, strict=True):
        line = Line(_told(label, run.document), measure(run, (asked.way,)))
        if asked.way in line.measured.drawn:
            lines.append(line)
        else:
            left_out.append(f"{label}: {_why_not(line.measured, asked.way)}")
    if not lines:
        raise MeasurementError(f"there is nothing to draw: {'; '.join(left_out)}")
    return draw(lines, asked), left_out


def _drawers() -> dict[str, tuple[Callable[[Sequence[Line], Asked], Figure], int]]:
    from latlab.report.figures import course, curves, density, matrix

    return {
        "percentiles": (curves.percentiles, MOST_CURVES),
        "ccdf": (curves.ccdf, MOST_CURVES),
        "series": (course.series, MOST_PANELS),
        "histogram": (density.histogram, MOST_CURVES),
        "heat": (density.heat, MOST_PANELS),
        "matrix": (matrix.matrix, 1_000),
    }


def kinds() -> list[str]:
    return [*_drawers(), SHIFT]


def _believed(runs: Sequence[RunDirectory], asked: Asked) -> tuple[list[RunDirectory], list[str]]:
    wrong = [run for run in runs if not believed(run.document) and not asked.invalid]
    told = [
        f"{run.id}: {run.document.status if run.document.status != 'done' else 'invalid'}: "
        f"{'; '.join(run.document.verdict.reasons)}"
        for run in wrong
    ]
    kept = [run for run in runs if run not in wrong]
    if not kept:
        raise MeasurementError(
            f"no run is to be believed: {'; '.join(told)}", hint="--invalid draws them, and writes it beside them"
        )
    return kept, told


def _check_comparable(documents: Sequence[RunDocument]) -> None:
    groups = by_bench(documents)
    if len(groups) > 1:
        one, other = groups[0][0], groups[1][0]
        reasons = comparable(one, other, ("attachment", "load", "flow", "guest", "nic-settings"))
        raise NotComparableError(reasons or ["other bench"], hint="Draw a figure of each.")


def _told(label: str, document: RunDocument) -> str:
    if document.status != "done":
        return f"{label} ({document.status})"
    return label if document.verdict.value == "valid" else f"{label} ({document.verdict.value})"


def _why_not(measured: Measured, way: str) -> str:
    return "; ".join(measured.notes) or measured.why_not(way) or "no samples to draw"


def check_output(path: Path) -> None:
    """Raises UsageError for a name that is no figure's."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path} is no file for a figure", hint=f"A name that ends in {', '.join(ENDINGS)}.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint=f"Name a file: {path / 'figure.svg'}")


def draw_runs(kind: str, names: Sequence[str], root: Path, asked: Asked, output: Path) -> list[str]:
    """Writes the figure of the runs that `names` mean in `root`; returns what it leaves out."""
    from latlab.report.figures.style import save
    from latlab.store.find import find_runs
    from latlab.store.run_dir import BrokenRun

    found = find_runs(root, names)
    broken = [f"{run.id}: {run.reason}" for run in found if isinstance(run, BrokenRun)]
    whole = [run for run in found if isinstance(run, RunDirectory)]
    if not whole:
        raise MeasurementError(f"there is nothing to draw: {'; '.join(broken)}")
    made, left_out = figure(kind, whole, asked)
    save(made, output)
    return [*broken, *left_out]


def draw_shift(a: str, b: str, root: Path, asked: Asked, output: Path) -> list[str]:
    """Writes the figure of the difference between two sides, as `latlab compare` takes them."""
    from latlab.comparison import compare
    from latlab.report.figures.shift import shift
    from latlab.report.figures.style import save
    from latlab.stats.comparing import Question

    compared = compare(a, b, root, Question(metrics=(asked.way,)), without_invalid=asked.invalid)
    if len(compared.pairs) > 1:
        raise UsageError(
            f"A and B have {len(compared.pairs)} points in common, and a shift is of one",
            hint="Name the runs of one point on each side.",
        )
    save(shift(compared.pairs[0].comparison, asked), output)
    return list(compared.left_out)
