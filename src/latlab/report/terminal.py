# SPDX-License-Identifier: Apache-2.0
"""What a terminal is able to, and drawing on it so that nothing of a drawing stays behind.

A live line, or a screen, is drawn only where there is a terminal that understands how: elsewhere lines go below each
other. Both ways of drawing outlive a change of the window's size: the line leaves the cursor at its own beginning, and
what follows it is cleared when it is drawn again, however the terminal has folded it meanwhile; the screen is the
alternate one, which the terminal takes away when it is left.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from latlab.store.disk import write_all

CLEAR_LINE, CLEAR_BELOW, HOME = "\x1b[K", "\x1b[J", "\x1b[H"
NO_FOLDING, FOLDING = "\x1b[?7l", "\x1b[?7h"
ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
DUMB = ("dumb", "unknown")


def is_live(out: TextIO) -> bool:
    """Whether `out` is a terminal on which something can be drawn again."""
    return out.isatty() and os.environ.get("TERM", "") not in DUMB


def size_of(out: TextIO) -> os.terminal_size:
    """Columns and lines, at least 1 each; 80 x 24 where nobody knows. Not COLUMNS: a window's size changes."""
    try:
        found = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return shutil.get_terminal_size()
    return found if found.columns > 0 and found.lines > 0 else os.terminal_size((80, 24))


def is_ascii(out: TextIO) -> bool:
    """Whether `out` takes no more than ASCII: its encoding cannot write a bar or a sparkline."""
    try:
        "━▁█✗·±…".encode(getattr(out, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def styled(text: Text, columns: int) -> str:
    """One line, at most so wide, with its colours unless NO_COLOR says otherwise."""
    cut = text.copy()
    cut.truncate(max(1, columns), overflow="crop")
    page = io.StringIO()
    Console(file=page, force_terminal=True, width=max(1, columns), highlight=False, soft_wrap=True).print(cut, end="")
    return page.getvalue()


class LiveLine:
    """One line that is drawn again and again below what has been printed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def draw(self, text: Text) -> None:
        line = styled(text, size_of(self._out).columns - 1)
        # Cleared from the line's end: tmux keeps a screen that is cleared from its very first place.
        self._out.write(f"\r{NO_FOLDING}{line}{CLEAR_BELOW}{FOLDING}\r")
        self._out.flush()

    def clear(self) -> None:
        self._out.write(f"\r{CLEAR_LINE}{CLEAR_BELOW}")
        self._out.flush()


class Screen:
    """The whole window, until it is left. A context manager."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __enter__(self) -> Screen:
        self._before = signal.signal(signal.SIGTSTP, self._step_back)
        self._out.write(ENTER_SCREEN)
        return self

    def __exit__(self, *_: object) -> None:
        self._out.write(LEAVE_SCREEN)
        self._out.flush()
        signal.signal(signal.SIGTSTP, self._before)

    def _step_back(self, *_: object) -> None:
        """Ctrl-Z: the shell gets its own screen, and we ours again when it lets us go on."""
        # Written past the buffer: the signal may have come in the midst of a drawing.
        write_all(self._out.fileno(), LEAVE_SCREEN.encode())
        os.kill(os.getpid(), signal.SIGSTOP)
        write_all(self._out.fileno(), ENTER_SCREEN.encode())

    def draw(self, lines: Sequence[Text]) -> None:
        """As many lines as there are rows; blank ones go first when there are too few.

        The last column stays empty: what clears the rest of a line would take away what stands there.
        """
        columns, rows = size_of(self._out)
        if len(lines) > rows:
            lines = [line for line in lines if line.plain.strip()]
        drawn = "\r\n".join(f"{styled(line, columns - 1)}{CLEAR_LINE}" for line in lines[:rows])
        self._out.write(f"{HOME}{NO_FOLDING}{drawn}{CLEAR_BELOW}{FOLDING}")
        self._out.flush()
