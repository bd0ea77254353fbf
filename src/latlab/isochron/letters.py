# SPDX-License-Identifier: Apache-2.0
"""isochron's report letters: one text for each packet, as `isochron report --printf-format --printf-args` prints it.

FORMAT has conversions, LETTERS one letter for each of them, in their order. Escape sequences are those of `isochron
report`, and no newline is added. Source: docs/isochron-report.1.md and src/log.c of isochron v0.9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.errors import UsageError
from latlab.isochron.dat import Settings, Slots

MOST_CONVERSIONS = 256
SETTINGS = {"A": "advance_ns", "B": "base_ns", "C": "cycle_ns", "H": "shift_ns", "W": "window_ns"}
SENT = {"S": "scheduled", "w": "wakeup", "s": "sched_ts", "t": "swts", "T": "hwts"}
RECEIVED = {"R": "hwts", "r": "swts", "a": "arrival"}
NUMBER = "q"
LETTERS = "".join((*SETTINGS, *SENT, *RECEIVED, NUMBER))
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "?": "?", "0": "\0", "\n": " ",
}  # fmt: skip

Column = npt.NDArray[np.int64]


def _seconds(values: Column) -> tuple[list[object], ...]:
    """Towards zero, and the rest without its sign, as C divides and isochron prints."""
    seconds = np.sign(values) * (np.abs(values) // 1_000_000_000)
    return seconds.tolist(), (np.abs(values) % 1_000_000_000).tolist()


def _signed(values: Column) -> tuple[list[object], ...]:
    return (values.tolist(),)


def _unsigned(values: Column) -> tuple[list[object], ...]:
    return (values.view(np.uint64).tolist(),)


_CONVERSIONS: dict[str, tuple[str, Callable[[Column], tuple[list[object], ...]]]] = {
    "d": ("%d", _signed),
    "u": ("%d", _unsigned),
    "x": ("%x", _unsigned),
    "T": ("%d.%09d", _seconds),
}


@dataclass(frozen=True)
class Report:
    """A checked FORMAT with its LETTERS."""

    template: str
    conversions: tuple[tuple[str, str], ...]
    """Conversion and letter."""

    def text(self, sent: Slots, received: Slots, settings: Settings) -> str:
        """What is printed of these packets; a packet that did not arrive has times of 0."""
        if not self.conversions:
            return self.template % () * len(sent)
        columns = [
            column
            for conversion, letter in self.conversions
            for column in _CONVERSIONS[conversion][1](_values(letter, sent, received, settings))
        ]
        return "".join(self.template % row for row in zip(*columns, strict=True))


def parse_report(text: str, letters: str) -> Report:
    """Raises UsageError for what isochron would refuse, before anything is printed."""
    template = ""
    conversions: list[str] = []
    rest = iter(_unescaped(text).partition("\0")[0])
    for char in rest:
        if char != "%":
            template += char
            continue
        code = next(rest, None)
        if code == "%":
            template += "%%"
        elif code in _CONVERSIONS:
            template += _CONVERSIONS[code][0]
            conversions.append(code)
        else:
            found = "%" if code is None else f"%{code}"
            raise UsageError(f"--printf: {found} is no conversion", hint="write %d, %u, %x, %T (seconds), or %%")
    if len(conversions) != len(letters):
        raise UsageError(
            f"--printf has {len(conversions)} conversions, and --printf-args {len(letters)} letters",
            hint="give one letter for each conversion, in their order",
        )
    if len(letters) > MOST_CONVERSIONS:
        raise UsageError(f"--printf has {len(letters)} conversions; {MOST_CONVERSIONS} is the most")
    for code, letter in zip(conversions, letters, strict=True):
        if letter not in LETTERS:
            raise UsageError(f"--printf-args: {letter!r} is no letter of isochron", hint=f"its letters: {LETTERS}")
        if letter == NUMBER and code in "dT":
            raise UsageError(f"--printf: a packet's number (q) cannot be printed as %{code}", hint="write %u or %x")
    return Report(template, tuple(zip(conversions, letters, strict=True)))


def _unescaped(text: str) -> str:
    found = ""
    rest = iter(text)
    for char in rest:
        if char == "\\":
            code = next(rest, "")
            if code not in _ESCAPES:
                raise UsageError(f"--printf: \\{code} is no escape sequence", hint="a backslash itself is \\\\")
            char = _ESCAPES[code]
        found += char
    return found


def _values(letter: str, sent: Slots, received: Slots, settings: Settings) -> Column:
    if letter in SETTINGS:
        return np.full(len(sent), getattr(settings, SETTINGS[letter]), np.int64)
    if letter == NUMBER:
        return sent["seqid"].astype(np.int64)
    slots, field = (sent, SENT[letter]) if letter in SENT else (received, RECEIVED[letter])
    values: Column = slots[field].astype(np.int64)
    return values
