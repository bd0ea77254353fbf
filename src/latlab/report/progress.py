# SPDX-License-Identifier: Apache-2.0
"""How a run goes on, for the terminal: one live line, and a line in the past tense for each point.

On a terminal the live line is redrawn; elsewhere only the finished lines are printed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from rich.text import Text

from latlab.report.terminal import LiveLine, is_ascii, is_live, size_of

REDRAW_S = 0.25

View = Callable[[str, str, int, bool], Text]
"""A measurement on one line, of: the point's number ("[3/8]") and label, columns, whether ASCII is all there is."""


class TerminalProgress:
    """See `latlab.run.Progress`."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._line = LiveLine(self._out) if is_live(self._out) else None
        self._number = self._label = ""
        self._steps: list[str] = []
        self._drawn = 0.0
        self._view: View | None = None

    def say(self, head: str, text: str) -> None:
        """A line of its own: ` bench   emulated ...`."""
        self.print(f" {head:<7} {text}")

    def print(self, line: str) -> None:
        """A line that stays, above the live one."""
        self.clear()
        self._out.write(f"{line}\n")
        self._out.flush()

    def point(self, number: int, of: int, label: str) -> None:
        """A point begins."""
        self._number, self._label, self._steps = f" [{number}/{of}]", label, []
        self._draw("", force=True)

    def step(self, text: str) -> None:
        self._steps.append(text)
        self._draw("", force=True)

    def doing(self, text: str, done: int = 0, of: int = 0) -> None:
        """With `of`, and a view set, the view is drawn."""
        if of and self._view is None:
            text = f"{text} {bar(done, of, is_ascii(self._out))} {done}/{of}"
        self._draw(text, force=not of, viewed=of > 0)

    def shows(self, view: View | None) -> bool:
        """From now on the live line of a measurement is what `view` gives. False: nobody would see it."""
        self._view = view
        return self._line is not None

    def finished(self, text: str) -> None:
        """The point is done: its line stays."""
        self.print(self._words(text))
        self._number = ""

    def clear(self) -> None:
        """Takes the live line away, so that others may print."""
        if self._line:
            self._line.clear()

    def _words(self, text: str) -> str:
        return f"{self._number} {self._label:<30}  {'   '.join([*self._steps, text])}"

    def _draw(self, text: str, *, force: bool, viewed: bool = False) -> None:
        if self._line is None or not self._number or (not force and time.monotonic() - self._drawn < REDRAW_S):
            return
        self._drawn = time.monotonic()
        if viewed and self._view is not None:
            columns = size_of(self._out).columns - 1
            self._line.draw(self._view(self._number, self._label, columns, is_ascii(self._out)))
        else:
            self._line.draw(Text(self._words(text)))


def bar(done: int, of: int, ascii_only: bool = False, width: int = 16) -> str:
    """How much of something is done, in so many columns."""
    full, half, none = "=> " if ascii_only else "━╸ "
    filled = width * min(done, of) // of
    return f"{full * filled}{half if filled < width else ''}{none * (width - filled - 1)}"
