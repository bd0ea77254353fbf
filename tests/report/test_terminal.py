# SPDX-License-Identifier: Apache-2.0
"""Drawing on a terminal (a pty, whose output is read back), and not drawing on anything else."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from rich.text import Text

from latlab.report import progress
from latlab.report.progress import TerminalProgress, bar
from latlab.report.terminal import LiveLine, Screen, is_ascii, is_live, size_of

ESCAPES = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")


class Pty:
    """A terminal of which we are the window."""

    def __init__(self) -> None:
        self._ours, theirs = os.openpty()
        self.out: TextIO = os.fdopen(theirs, "w", encoding="utf-8")
        os.set_blocking(self._ours, False)
        self.resize(80, 24)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shown(self) -> str:
        """What came since the last call."""
        self.out.flush()
        found = b""
        try:
            while data := os.read(self._ours, 65_536):
                found += data
        except BlockingIOError:
            pass
        return found.decode().replace("\r\r\n", "\r\n")  # it makes two of a line's end itself

    def close(self) -> None:
        self.out.close()
        os.close(self._ours)


@pytest.fixture
def pty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pty]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    window = Pty()
    yield window
    window.close()


class Time:
    """In place of time.monotonic: it goes on only when it is told to."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def time_of(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(progress, "time", time)
    return time


def view(number: str, label: str, columns: int, ascii_only: bool) -> Text:
    return Text(f"{number} {label} in {columns} {'ascii' if ascii_only else 'all'}")


def test_drawn_only_where_it_can_be_drawn_again(pty: Pty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert is_live(pty.out)
    assert not is_live(io.StringIO())
    with (tmp_path / "log").open("w") as log:
        assert not is_live(log)
    for dumb in ("dumb", "unknown"):
        monkeypatch.setenv("TERM", dumb)
        assert not is_live(pty.out)


def test_the_size_is_that_of_now(pty: Pty) -> None:
    assert size_of(pty.out) == (80, 24)
    pty.resize(43, 7)
    assert size_of(pty.out) == (43, 7)
    pty.resize(0, 0)
    assert size_of(pty.out) == (80, 24)


def test_what_an_encoding_cannot_write_is_not_drawn(pty: Pty) -> None:
    assert not is_ascii(pty.out)
    for encoding in ("ascii", "latin-1"):
        assert is_ascii(io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert bar(1, 2, ascii_only=True, width=4) == "==> "
    assert bar(2, 2, width=4) == "━━━━"


@pytest.mark.parametrize("columns", [1, 2, 20, 80, 300])
def test_a_line_never_reaches_the_last_column(pty: Pty, columns: int) -> None:
    """There a terminal may fold it, and then it is two."""
    pty.resize(columns, 24)
    LiveLine(pty.out).draw(Text("x" * 200))
    words = ESCAPES.sub("", pty.shown()).strip("\r")
    assert words == "x" * max(1, min(200, columns - 1))


def test_the_cursor_waits_at_the_lines_beginning(pty: Pty) -> None:
    """From there all is cleared, into however many lines a smaller window has folded it; and no line is begun."""
    line = LiveLine(pty.out)
    line.draw(Text("first"))
    line.draw(Text("second"))
    line.clear()
    shown = pty.shown()
    assert "\n" not in shown
    assert re.sub(r"\x1b\[\?7[hl]", "", shown) == "\rfirst\x1b[J\r\rsecond\x1b[J\r\r\x1b[K\x1b[J"


def test_colours_unless_no_color(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    line = LiveLine(pty.out)
    line.draw(Text("lost 1", "red"))
    assert COLOUR.search(pty.shown())
    monkeypatch.setenv("NO_COLOR", "1")
    line.draw(Text("lost 1", "red"))
    shown = pty.shown()
    assert not COLOUR.search(shown)
    assert "lost 1" in shown


def test_a_screen_is_given_back(pty: Pty) -> None:
    with Screen(pty.out) as screen:
        screen.draw([Text("one"), Text(), Text("two")])
    shown = pty.shown()
    assert shown.startswith("\x1b[?1049h\x1b[?25l")
    assert shown.endswith("\x1b[?25h\x1b[?1049l")
    assert "one\x1b[K\r\n\x1b[K\r\ntwo\x1b[K\x1b[J" in shown


def test_also_after_an_error(pty: Pty) -> None:
    with pytest.raises(KeyError), Screen(pty.out):
        raise KeyError
    assert pty.shown().endswith("\x1b[?1049l")


def test_a_small_screen_has_no_blank_lines_and_nothing_below_it(pty: Pty) -> None:
    pty.resize(8, 3)
    with Screen(pty.out) as screen:
        screen.draw([Text("a" * 20), Text(), Text("b"), Text(" "), Text("c"), Text("d")])
        assert ESCAPES.sub("", pty.shown()) == "aaaaaaa\r\nb\r\nc"


def test_a_measurement_is_drawn_four_times_a_second_at_most(pty: Pty, time_of: Time) -> None:
    shows = TerminalProgress(pty.out)
    shows.point(1, 2, "tap-bridge, no load")
    asked = 0

    def counted(*room: object) -> Text:
        nonlocal asked
        asked += 1
        return view(*room)  # type: ignore[arg-type]

    assert shows.shows(counted) is True
    for done in range(400):
        time_of.now_s += 0.01
        shows.doing("measuring", done, 400)
    assert 14 <= asked <= 16
    assert "[1/2] tap-bridge, no load in 79 all" in pty.shown()


def test_it_is_drawn_for_the_window_as_it_is_now(pty: Pty, time_of: Time) -> None:
    shows = TerminalProgress(pty.out)
    shows.point(1, 2, "x")
    shows.shows(view)
    for columns in (120, 33):
        pty.resize(columns, 24)
        time_of.now_s += 1
        shows.doing("measuring", 1, 400)
        assert f"in {columns - 1} all" in pty.shown()


def test_without_a_view_the_bar_is_drawn_and_steps_come_back(pty: Pty, time_of: Time) -> None:
    shows = TerminalProgress(pty.out)
    shows.point(1, 2, "x")
    pty.resize(120, 24)
    shows.step("guest 4.2 s")
    shows.shows(view)
    shows.shows(None)
    time_of.now_s += 1
    pty.shown()
    shows.doing("measuring", 200, 400)
    assert "guest 4.2 s   measuring ━━━━━━━━╸        200/400" in pty.shown()


def test_a_line_that_stays_takes_the_live_one_away(pty: Pty) -> None:
    shows = TerminalProgress(pty.out)
    shows.point(1, 2, "x")
    pty.shown()
    shows.print("$ ip link")
    assert pty.shown() == "\r\x1b[K\x1b[J$ ip link\r\n"


def test_elsewhere_only_finished_lines_are_printed() -> None:
    out = io.StringIO()
    shows = TerminalProgress(out)
    shows.point(1, 2, "x")
    shows.step("guest 4.2 s")
    assert shows.shows(view) is False
    shows.doing("measuring", 200, 400)
    shows.clear()
    shows.finished("lost 0")
    assert out.getvalue() == f" [1/2] {'x':<30}  guest 4.2 s   lost 0\n"
