# SPDX-License-Identifier: Apache-2.0
"""A run while it goes on: on a screen, and as an object for programs; `live_line` has the one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from latlab.live import LiveState
from latlab.report.layout import MARKS, STYLES, Block, Row, microseconds, printable, tables
from latlab.report.progress import bar
from latlab.report.spark import extent, losses, spark
from latlab.report.table import TITLES, emulation, unit
from latlab.stats.summary import NotMeasured, Summary
from latlab.store.document import RunDocument, Status
from latlab.timing.standing import ClocksNow

COLUMNS, FEWER_COLUMNS, NARROW = ("n", "min", "p50", "p99", "p99.9", "max"), ("p50", "p99", "max"), 72
"""Of the table; below so many columns of the terminal, the fewer."""
NUMBER_WIDTH = 7
"""At least, so that the table stays where it is while its numbers grow."""
LEAST_LINES = 8
"""Below that, a screen holds the one line."""
MARGIN = 2
STALLED_S = 3.0
"""Without a record for longer, beyond two periods and the time-out: something is wrong, and it is said."""


@dataclass(frozen=True)
class Shown:
    """One run at one moment. `behind`: bytes of its samples that were written and not read yet; `failure`: why there
    are no numbers, although it is being measured."""

    document: RunDocument
    state: LiveState
    status: Status
    behind: int = 0
    failure: Exception | None = None

    @property
    def phase(self) -> str:
        """`waiting`, `reading`, `measuring`, `finishing` or `ended`."""
        state = self.state
        if self.behind:
            return "reading"
        if self.status != "running":
            return "ended"
        if not state.wanted and not state.own:
            return "waiting"
        return "finishing" if 0 < state.wanted <= state.own else "measuring"

    @property
    def stalled_s(self) -> float:
        """For how long no record has come, if that is too long; else 0."""
        timeout_ns = self.document.point.get("flow", {}).get("timeout_ns", 0)
        usual_s = (2 * self.state.period_ns + timeout_ns) / 1e9
        late = self.phase == "measuring" and self.state.silent_s > usual_s + STALLED_S
        return self.state.silent_s if late else 0.0


def screen(shown: Shown, columns: int, ascii_only: bool = False) -> list[Text]:
    """A line each, the most important first."""
    document, state = shown.document, shown.state
    load = "no load" if document.load == "none" else document.load
    emulated = emulation(document.bench)
    dot = "-" if ascii_only else "·"
    head = f" {document.attachment}, {load}, flow {document.direction}{f' ({emulated})' if emulated else ''}"
    return [
        Text(printable(head), "bold"),
        Text(printable(f" {document.id} {dot} {document.scenario} {dot} bench {document.bench.name}")),
        Text(),
        _progress(shown, columns, ascii_only),
        *_table(shown, FEWER_COLUMNS if columns < NARROW else COLUMNS),
        Text(),
        _outcomes(state, dot),
        _clock_line(state.clocks, ascii_only),
        Text(),
        *_window(state, columns, ascii_only),
    ]


def final(shown: Shown, columns: int = 80, ascii_only: bool = False) -> list[Text]:
    """What stays on the terminal when watching ends."""
    document = shown.document
    found = screen(shown, columns, ascii_only)
    if shown.status == "running":
        return found
    verdict = document.verdict
    # What an interrupted run's document says of it was written before it was interrupted.
    reasons = "its writer is gone: what had come until then is kept" if shown.status != document.status else ""
    reasons = reasons or "; ".join(verdict.reasons)
    mark = "" if ascii_only else MARKS[verdict.value]
    words = f" {mark}{shown.status}: {verdict.value}{', ' if reasons else ''}{reasons}"
    if shown.state.waiting_bytes:
        found.append(Text(f" its samples end within a record: {shown.state.waiting_bytes} bytes are left out"))
    return [*found, Text(), Text(printable(words), STYLES[verdict.value]), Text(f" latlab show {document.id}")]


def live_json(shown: Shown) -> dict[str, Any]:
    """The same for programs: times in ns, the same keys at every moment; null is what is not known (yet).

    `second` is the last whole one: its number in the run, packets sent and lost, the largest round trip.
    """
    document, state = shown.document, shown.state
    second = state.seconds.last - 1 if state.seconds else -1
    largest, sent, lost = state.seconds.second(second) if state.seconds else (None, 0, 0)
    clocks = asdict(state.clocks)
    return {
        "id": document.id,
        "status": shown.status,
        "phase": shown.phase,
        "verdict": document.verdict.model_dump(mode="json") if shown.phase == "ended" else None,
        "wanted": state.wanted or None,
        "records": state.own,
        "behind_bytes": shown.behind,
        "cut_bytes": state.waiting_bytes,
        "silent_s": round(state.silent_s, 1),
        "counts": asdict(state.counts),
        "metrics": {key: asdict(result) for key, result in state.metrics.items()},
        "clocks": clocks,
        "second": {"number": second, "sent": sent, "lost": lost, "max_ns": largest} if second >= 0 else None,
        "bench": document.bench.kind,
        "emulation": emulation(document.bench) or None,
    }


def about(clocks: ClocksNow) -> tuple[str, str]:
    """Colour and words."""
    words = clocks.words if clocks.method in ("shared", "none") else f"{clocks.method} {clocks.words}"
    return "yellow" if clocks.locked is False else "", printable(words)


def _clock_line(clocks: ClocksNow, ascii_only: bool) -> Text:
    style, words = about(clocks)
    text = Text(f" clocks  {words}", style)
    if clocks.offset_ns is None or clocks.method == "shared":
        return text
    way = "ahead of" if clocks.offset_ns >= 0 else "behind"
    bound = "" if clocks.error_ns is None else f", {plus_minus(ascii_only)}{span(clocks.error_ns)}"
    return text.append(f": the reflector's is {span(abs(clocks.offset_ns))} {way} the sender's{bound}")


def plus_minus(ascii_only: bool) -> str:
    return "+-" if ascii_only else "±"


def span(value_ns: int) -> str:
    """A length of time with the unit that suits it: "12.3 us", "4.56 ms", "37.0 s"."""
    for size, name in ((1_000_000_000, "s"), (1_000_000, "ms")):
        if abs(value_ns) >= size:
            return f"{microseconds(value_ns * 1_000 / size)} {name}"
    return f"{microseconds(value_ns)} us"


def _progress(shown: Shown, columns: int, ascii_only: bool) -> Text:
    state, words = shown.state, shown.phase
    if shown.phase == "reading":
        words = f"reading what was measured before, {shown.behind / 1e6:,.0f} MB to go"
    elif shown.phase == "waiting":
        words = "the run has begun; no packet was measured yet"
    elif shown.phase == "finishing":
        words = "all packets measured; the run is being finished"
    elif shown.phase == "ended":
        words = shown.status
    if shown.stalled_s:
        words = f"no record for {shown.stalled_s:.0f} s"
    text = Text(f" {words}", "yellow" if shown.stalled_s else "")
    if not state.wanted:
        return text
    done_s, all_s = (count * state.period_ns // 10**9 for count in (state.own, state.wanted))
    numbers = f"{state.own:,} of {state.wanted:,} packets, {_clock_time(done_s)} of {_clock_time(all_s)}"
    room = columns - text.cell_len - len(numbers) - 2 * MARGIN
    if room >= 8 and shown.phase == "measuring":
        text.append(f"  {bar(state.own, state.wanted, ascii_only, min(room, 40))}", "")
    return text.append(f"  {numbers}")


def _clock_time(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _table(shown: Shown, columns: Sequence[str]) -> Sequence[Text]:
    state = shown.state
    rows = [
        Row(title, _cells(result, columns))
        for key, title in TITLES.items()
        if (result := state.metrics.get(key)) is not None
        and not (isinstance(result, NotMeasured) and key != "round_trip")
    ]
    rows = rows or [Row(TITLES["round_trip"], "nothing measured yet")]
    heads = [name.rjust(NUMBER_WIDTH) for name in columns]
    return list(tables([Block(unit(shown.document.bench), heads, rows)]).split("\n"))


def _cells(result: Summary | NotMeasured, columns: Sequence[str]) -> Sequence[str] | str:
    if isinstance(result, NotMeasured):
        return result.not_measured
    known = {"n": str(result.n), "min": microseconds(result.min_ns), "max": microseconds(result.max_ns)}
    return [known.get(name) or microseconds(result.quantiles_ns.get(name)) for name in columns]


def _outcomes(state: LiveState, dot: str) -> Text:
    counts = state.counts
    share = f" ({100 * counts.lost / counts.sent:.2g} %)" if counts.lost else ""
    text = Text(" lost  ").append(f"  {counts.lost:,} of {counts.sent:,}{share}", "red" if counts.lost else "")
    others = (
        ("of them late", counts.late),
        ("duplicated", counts.duplicated),
        ("reordered", counts.reordered),
        ("not sent", counts.send_failed),
        ("sent a period late", counts.late_wakeups),
    )
    return text.append("".join(f" {dot} {words} {number:,}" for words, number in others if number))


def _window(state: LiveState, columns: int, ascii_only: bool) -> list[Text]:
    """The sparkline, its scale above it, and where packets were lost below."""
    if state.seconds is None or state.seconds.last < 0:
        return []
    cells = state.seconds.cells(max(1, columns - MARGIN))
    each = "second" if cells.cell_s == 1 else f"{cells.cell_s} s"
    scale = extent(cells)
    words = "no answer" if scale is None else f"{microseconds(scale[0])} to {microseconds(scale[1])} us"
    title = f" round trip, largest of each {each}, last {_clock_time(cells.seconds)}: {words}"
    return [
        Text(title, "bold"),
        Text(f" {spark(cells, ascii_only=ascii_only)}"),
        Text(f" {losses(cells, ascii_only=ascii_only)}", "red"),
    ]
