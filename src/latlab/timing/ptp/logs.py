# SPDX-License-Identifier: Apache-2.0
"""What ptp4l and phc2sys print, read. Pure.

Each line begins with the program and CLOCK_MONOTONIC, `ptp4l[1234.567]: `; notices and measurements come on standard
output, warnings and errors on standard error (print.c). The forms are those of clock.c, port.c and phc2sys.c of
linuxptp 3.1.1 to 4.4; from 4.0 on a port is `port 1 (eth0)`, before that `port 1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE = re.compile(r"(ptp4l|phc2sys)\[([0-9]{1,12})\.([0-9]{3})\]: (.*)")
OFFSET = re.compile(
    r"master offset +(-?[0-9]{1,19}) s([0-9]) freq +([+-]?[0-9]{1,19}) path delay +(-?[0-9]{1,19})"
)  # fmt: skip
PHC_OFFSET = re.compile(
    r"(\S+) (?:phc|sys|pps) offset +(-?[0-9]{1,19}) s([0-9]) freq +([+-]?[0-9]{1,19})(?: delay +(-?[0-9]{1,19}))?"
)
TRANSITION = re.compile(r"port ([0-9]{1,5})(?: \(([^)]*)\))?: ([A-Z_]+) to ([A-Z_]+) on ([A-Z_]+)(?: \((.*)\))?")
SELECTED = re.compile(r"selected (best master|local) clock ([0-9a-f]{6}\.[0-9a-f]{4}\.[0-9a-f]{6})(?: as best master)?")
INT64 = 2**63


@dataclass(frozen=True)
class Offset:
    """One synchronisation, as it was logged."""

    offset_ns: int
    servo: str
    frequency_ppb: float
    delay_ns: int | None
    """ptp4l: the mean path delay; phc2sys: how long reading the two clocks took."""


@dataclass(frozen=True)
class Transition:
    port: int
    before: str
    after: str
    event: str
    detail: str = ""


@dataclass(frozen=True)
class Selected:
    """Another clock is the grandmaster now."""

    identity: str
    local: bool


@dataclass(frozen=True)
class Line:
    program: str
    monotonic_ns: int
    text: str
    said: Offset | Transition | Selected | None = None


def parse_line(text: str) -> Line | None:
    """One line; None when it is no line of these programs (what a library or the loader prints)."""
    match = LINE.fullmatch(text.rstrip("\r\n"))
    if match is None:
        return None
    program, whole, milli, words = match.groups()
    return Line(program, int(whole) * 10**9 + int(milli) * 10**6, words.strip(), _said(program, words.strip()))


def _said(program: str, words: str) -> Offset | Transition | Selected | None:
    if program == "phc2sys":
        match = PHC_OFFSET.fullmatch(words)
        return _offset(*match.group(2, 3, 4, 5)) if match else None
    if match := OFFSET.fullmatch(words):
        return _offset(*match.groups())
    if match := TRANSITION.fullmatch(words):
        port, _, before, after, event, detail = match.groups()
        return Transition(int(port), before, after, event, detail or "")
    if match := SELECTED.fullmatch(words):
        return Selected(match[2], match[1] == "local")
    return None


def _offset(offset: str, servo: str, frequency: str, delay: str | None) -> Offset | None:
    numbers = [int(offset), int(frequency), int(delay or 0)]
    if any(not -INT64 <= number < INT64 for number in numbers):
        return None
    return Offset(numbers[0], f"s{servo}", float(numbers[1]), None if delay is None else numbers[2])


class Lines:
    """Cuts a stream of bytes into lines. A line that does not end is cut at `LONGEST`."""

    LONGEST = 4096

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self.LONGEST:
            whole.append(self._rest)
            self._rest = b""
        return [line.decode(errors="replace") for line in whole]
