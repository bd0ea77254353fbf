# SPDX-License-Identifier: Apache-2.0
"""How all figures look, and how they are saved: small, on white, legible in a column, the same bytes each time."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from latlab.report.layout import printable
from latlab.report.table import TITLES, emulation
from latlab.store.disk import replace_file
from latlab.store.document import BenchFacts

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c6d31")
"""Okabe & Ito 2008, which readers with any kind of colour vision tell apart; yellow is too light on white."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
"""With the colours, so that a print in grey is read as well."""
DPI = 300
LEGEND_LETTERS, TITLE_LETTERS = 17, 13
"""That fit in an inch of the figure's width."""
LINE_INCHES = 0.13
_STYLE: dict[str, Any] = {
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.1,
    "axes.grid": True,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.4,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,  # names come from others: a $ is a $
    "svg.fonttype": "none",  # text stays text: it can be searched, and is set in the paper's own type
    "pdf.fonttype": 42,
    "svg.hashsalt": "latlab",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "path.simplify": True,
}
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """Figures made and saved inside look as ours do, whatever the user's own settings are."""
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name in letters that the font lacks
        yield


def new_figure(width_inches: float, height_inches: float) -> Figure:
    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def save(made: Figure, path: Path) -> None:
    """Writes the file in one step, in the form that its ending says. StoreError when that fails."""
    form = path.suffix.lower().removeprefix(".")
    content = io.BytesIO()
    with styled():
        made.savefig(content, format=form, metadata=_METADATA[form])
    replace_file(path, content.getvalue())


def line_style(place: int) -> dict[str, Any]:
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)]}


def time_label(way: str, bench: BenchFacts) -> str:
    """ "round trip (µs, emulated)"."""
    words = ", ".join(word for word in ("µs", emulation(bench)) if word)
    return f"{TITLES[way].partition(',')[0]} ({words})"


def words(text: str, letters: float = 1_000) -> str:
    """`text` without control characters, in lines of about so many letters."""
    return textwrap.fill(printable(text), max(8, int(letters)), break_on_hyphens=False) or " "


def lines_of(texts: Iterable[str]) -> int:
    return sum(text.count("\n") + 1 for text in texts)


def wants_log(low_us: float, high_us: float) -> bool:
    """Whether times from `low_us` to `high_us` are read on a log axis."""
    return low_us > 0 and high_us / low_us > 20


def log_axis(axes: Axes, which: str) -> None:
    """A log axis with plain numbers at 1, 2 and 5 where there is room, at powers of ten where there is not."""
    scale: Callable[..., None] = axes.set_xscale if which == "x" else axes.set_yscale
    scale("log")
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    axis = axes.xaxis if which == "x" else axes.yaxis
    steps = (1.0, 2.0, 5.0) if high / low < (200 if which == "x" else 2_000) else (1.0,)
    axis.set_major_locator(LogLocator(10, subs=steps, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1e6 else f"{value:.0e}"))
    axis.set_minor_formatter(NullFormatter())


def tail_axis(axes: Axes, decades: float) -> None:
    """The x axis -log10(1 - q), labelled with the percentiles 0, 90, 99, 99.9, ..."""
    places = list(range(int(np.floor(decades)) + 1))
    axes.set_xlim(0, max(1.0, decades))
    axes.xaxis.set_major_locator(FixedLocator([float(place) for place in places]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: percentile(round(place))))
    axes.set_xlabel("percentile of the packets")


def percentile(nines: int) -> str:
    """0, 90, 99, 99.9, ..."""
    return str((0, 90, 99)[nines]) if nines < 3 else f"99.{'9' * (nines - 2)}"


def us(values_ns: npt.ArrayLike) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.asarray(values_ns, np.float64) / 1_000
    return found


def legend(made: Figure, axes: Axes, labels: Sequence[str]) -> None:
    """Below the axes, in as many columns as the labels leave room for; none for a single run without a word."""
    columns = 2 if max(map(len, labels)) < 24 * made.get_figwidth() / 3.5 and len(labels) > 1 else 1
    handles, texts = axes.get_legend_handles_labels()
    made.legend(handles, texts, loc="outside lower center", ncols=columns, handlelength=2.6, columnspacing=1.2)
