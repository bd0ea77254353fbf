# SPDX-License-Identifier: Apache-2.0
"""How a run goes on, for the terminal: one live line, and a line in the past tense for each point.

On a terminal the live line is redrawn; elsewhere only the finished lines are printed.
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

BAR = 16
REDRAW_S = 0.1


class TerminalProgress:
    """See `latlab.run.Progress`."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._head = ""
        self._steps: list[str] = []
        self._drawn = 0.0

    def say(self, head: str, text: str) -> None:
        """A line of its own: ` bench   emulated ...`."""
        self._clear()
        self._out.write(f" {head:<7} {text}\n")
        self._out.flush()

    def point(self, number: int, of: int, label: str) -> None:
        """A point begins."""
        self._head, self._steps = f" [{number}/{of}] {label:<30}", []
        self._draw("", force=True)

    def step(self, text: str) -> None:
        self._steps.append(text)
        self._draw("", force=True)

    def doing(self, text: str, done: int = 0, of: int = 0) -> None:
        if of:
            filled = BAR * min(done, of) // of
            text = f"{text} {'━' * filled}{'╸' if filled < BAR else ''}{' ' * (BAR - filled - 1)} {done}/{of}"
        self._draw(text, force=not of)

    def finished(self, text: str) -> None:
        """The point is done: its line stays."""
        self._clear()
        self._out.write(f"{self._head}  {'   '.join([*self._steps, text])}\n")
        self._out.flush()
        self._head = ""

    def _draw(self, text: str, *, force: bool) -> None:
        if not self._live or not self._head or (not force and time.monotonic() - self._drawn < REDRAW_S):
            return
        self._drawn = time.monotonic()
        line = f"{self._head}  {'   '.join([*self._steps, text])}"
        self._out.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
        self._out.flush()

    def _clear(self) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
