# SPDX-License-Identifier: Apache-2.0
"""The story of `latlab watch`: a run that another process measures is read as it grows, and shown until it ends."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from latlab.errors import StoreError
from latlab.hosts import interrupt
from latlab.live import LiveRun, LiveState
from latlab.report import live as report
from latlab.report import live_line
from latlab.report.layout import WIDTH, print_text
from latlab.report.live import Shown
from latlab.report.terminal import Screen, is_ascii, is_live, size_of
from latlab.stats.stream import DamagedStreamError
from latlab.store.document import RunDocument
from latlab.store.find import find_run, with_statistics
from latlab.store.growing import GrowingRun
from latlab.store.run_dir import RunDirectory
from latlab.timing.standing import ClocksNow

LOOK_S, DRAW_S, LINE_S, PLAIN_S = 0.1, 0.25, 1.0, 10.0
"""Between two looks at the files, two drawings, two lines for programs, two lines where nothing can be drawn again."""
AT_ONCE_BYTES = 1 << 22
BUSY_S = 0.2
"""What was measured before we came is read for so long before the next drawing."""
LEFT = 130


def watch(root: Path, name: str, *, as_json: bool = False, once: bool = False, out: TextIO | None = None) -> int:
    """Shows the run until it ends. The exit code: 0, or 130 when the user leaves before that.

    StoreError when there is no such run, or when its samples are damaged.
    """
    out = out or sys.stdout
    with GrowingRun(find_run(root, name).path) as run, ExitStack() as stack:
        follower = Following(run)
        if once:
            shown = follower.look(limit_s=None)
            _json(shown, out) if as_json else _last(shown, out)
            return 0
        draw, every_s = _line_drawer(out, as_json)
        if not as_json and is_live(out):
            draw, every_s = _screen_drawer(stack.enter_context(Screen(out)), out), DRAW_S
        code, shown = _follow(follower, draw, every_s)
        stack.close()
        if not as_json:
            _last(shown, out)
            if code == LEFT:
                out.write(" left; the run goes on\n")
        return code


def _follow(follower: Following, draw: Callable[[Shown], None], every_s: float) -> tuple[int, Shown]:
    """Until the run ends: 0; or until the user leaves."""
    shown, due = follower.look(limit_s=0.0), 0.0
    try:
        while True:
            ended = shown.phase == "ended"
            if ended or time.monotonic() >= due:
                due = max(due + every_s, time.monotonic() + every_s / 2)
                draw(shown)
            if ended:
                return 0, shown
            interrupt.check()
            if not shown.behind:
                time.sleep(LOOK_S)
            shown = follower.look(limit_s=BUSY_S)
    except KeyboardInterrupt:
        return LEFT, shown


class Following:
    """What is known of the run that grows."""

    def __init__(self, run: GrowingRun) -> None:
        self._run = run
        self._live: LiveRun | None = None
        self._made_of: tuple[object, ...] = ()

    def look(self, limit_s: float | None) -> Shown:
        """Reads what has come, for `limit_s` (None: all of it)."""
        # The status first: what was written before the run ended is then all there is.
        status = self._run.status()
        document = self._run.document()
        live = self._of(document)
        samples, begun = self._run.samples, time.monotonic()
        live.hear(self._run.readings())
        while data := samples.read(AT_ONCE_BYTES):
            live.feed(data)
            if limit_s is not None and time.monotonic() - begun >= limit_s:
                break
            interrupt.check()
        state = live.state()
        if isinstance(live.failure, DamagedStreamError):
            raise StoreError(f"{samples.path}: {live.failure}", hint="What came before it was shown.") from live.failure
        if live.failure is not None:
            raise live.failure
        behind = samples.size - samples.at if status != "running" or samples.size - samples.at > AT_ONCE_BYTES else 0
        if status != "running" and not document.metrics and not samples.at:
            # It died after samples.raw had become samples.parquet.
            ended = document.model_copy(update={"status": status})
            document = with_statistics(RunDirectory(self._run.path, ended))
        if status != "running" and document.metrics:
            state, behind = state_of(document, state), 0
        return Shown(document, state, status, behind)

    def _of(self, document: RunDocument) -> LiveRun:
        """Anew when the document tells more of the clocks than before: it is written again before the first packet."""
        made_of = (document.direction, dict(document.timescales), document.timing.method)
        if self._live is None or (made_of != self._made_of and not self._run.samples.at):
            self._live, self._made_of = LiveRun(*made_of), made_of
        return self._live


def state_of(document: RunDocument, seen: LiveState | None = None) -> LiveState:
    """Of a run that has ended, by its own document; the last minutes are those that we have seen."""
    counts, flow, timing = document.counts, document.point.get("flow", {}), document.timing
    known = timing.method not in ("none", "shared") and timing.error_ns > 0
    return LiveState(
        wanted=flow.get("count", 0),
        period_ns=flow.get("period_ns", 0),
        own=counts.sent + counts.send_failed,
        counts=counts,
        metrics={key: document.metrics[key] for key in ("round_trip", "up", "down") if key in document.metrics},
        clocks=ClocksNow(
            timing.method,
            timing.offset_ns if known else None,
            timing.error_ns if known else None,
            words="one clock" if timing.method == "shared" else "at the first packet" if known else "not compared",
        ),
        seconds=seen.seconds if seen else None,
    )


def _json(shown: Shown, out: TextIO) -> None:
    out.write(json.dumps(report.live_json(shown)) + "\n")
    out.flush()


def _line_drawer(out: TextIO, as_json: bool) -> tuple[Callable[[Shown], None], float]:
    def draw(shown: Shown) -> None:
        if as_json:
            _json(shown, out)
        elif shown.phase != "ended":
            out.write(f" {live_line.line(shown, '', '', WIDTH - 1, is_ascii(out)).plain.rstrip()}\n")
            out.flush()

    return draw, LINE_S if as_json else PLAIN_S


def _screen_drawer(screen: Screen, out: TextIO) -> Callable[[Shown], None]:
    def draw(shown: Shown) -> None:
        columns, rows = size_of(out)
        if rows < report.LEAST_LINES:
            screen.draw([live_line.line(shown, "", "", columns - 1, is_ascii(out))])
        else:
            screen.draw(report.screen(shown, columns - 1, is_ascii(out)))

    return draw


def _last(shown: Shown, out: TextIO) -> None:
    columns = min(size_of(out).columns, WIDTH) if out.isatty() else WIDTH
    for line in report.final(shown, columns, is_ascii(out)):
        print_text(line.append("\n"), out)
    out.flush()
