# SPDX-License-Identifier: Apache-2.0
"""Quantities as people write them ("500us", "10Mbit", "192MiB") and as the programs keep them (integers).

Exact throughout: a decimal fraction is accepted when it is a whole number of the smallest unit ("1.5ms" is 1500000 ns,
"0.5ns" is an error), and nothing is ever rounded. A number without a unit is an error, because 500 of nobody knows
what is how wrong measurements begin. `format_x(parse_x(text))` is the one canonical form of a quantity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from latlab.errors import UsageError

MIB = 1 << 20


@dataclass(frozen=True)
class Quantity:
    """One kind of quantity: `units` maps each unit to its size in the smallest one, smallest first.

    `other_spellings` maps a wrong or ambiguous unit to the unit that is probably meant, or to several with | between.
    """

    name: str
    units: Mapping[str, int]
    smallest: str
    other_spellings: Mapping[str, str]
    example: str


DURATION = Quantity(
    "duration",
    {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9},
    "ns",
    {"m": "ms|min", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min",
     "msec": "ms", "usec": "us", "nsec": "ns", "hour": "h", "hours": "h", "\N{MICRO SIGN}s": "us",
     "\N{GREEK SMALL LETTER MU}s": "us"},
    "500us, 2ms or 1s",
)  # fmt: skip

# iproute2's units. There "mbps" means megabytes per second, elsewhere megabits: that one is not taken at all.
RATE = Quantity(
    "rate",
    {"bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9},
    "bit",
    {"k": "kbit", "K": "kbit", "m": "Mbit", "M": "Mbit", "g": "Gbit", "G": "Gbit", "mbit": "Mbit", "gbit": "Gbit",
     "Kbit": "kbit", "kbps": "kbit", "Mbps": "Mbit", "mbps": "Mbit", "Gbps": "Gbit", "gbps": "Gbit", "bps": "bit",
     "kbit/s": "kbit", "Mbit/s": "Mbit", "Gbit/s": "Gbit", "bit/s": "bit"},
    "500kbit, 10Mbit or 1Gbit",
)  # fmt: skip

SIZE = Quantity(
    "size",
    {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
    "B",
    {"k": "KiB", "K": "KiB", "kB": "KiB", "KB": "KiB", "M": "MiB", "MB": "MiB", "m": "MiB", "G": "GiB", "GB": "GiB",
     "b": "B", "byte": "B", "bytes": "B"},
    "128B, 192MiB or 2GiB",
)  # fmt: skip

_NUMBER_AND_UNIT = re.compile(r"\+?([0-9]{1,24}(?:\.[0-9]{1,24})?) ?([^\s0-9.]*)")


def parse(quantity: Quantity, text: str) -> int:
    """`text` in the quantity's smallest unit (ns, bit per second, bytes). Raises UsageError with a hint."""
    name = quantity.name
    if re.fullmatch(r"-[0-9.]+ ?\S*", text):
        raise UsageError(f"a {name} cannot be negative: {clip(text)}")
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise UsageError(f"not a {name}: {clip(text)}", hint=f"Write a number and a unit, such as {quantity.example}.")
    number, unit = match.groups()
    if not unit:
        likely = " or ".join(f"{number}{u}" for u in list(quantity.units)[1:4])
        raise UsageError(f"a {name} needs a unit: {clip(text)}", hint=f"Write {likely}.")
    if unit not in quantity.units:
        meant = quantity.other_spellings.get(unit)
        likely = " or ".join(f"{number}{u}" for u in meant.split("|")) if meant else ""
        hint = f"Write {likely}." if likely else f"Units: {', '.join(quantity.units)}."
        raise UsageError(f"not a unit of a {name}: {clip(text)}", hint=hint)
    value = Fraction(number) * quantity.units[unit]
    if value.denominator != 1:
        raise UsageError(f"not a whole number of {quantity.smallest}: {clip(text)}")
    return int(value)


def write(quantity: Quantity, value: int) -> str:
    """`value` in the largest unit that keeps it a whole number: 1500000 ns is "1500us"."""
    if value == 0:
        return "0" + quantity.smallest
    unit = max((u for u in quantity.units if value % quantity.units[u] == 0), key=lambda u: quantity.units[u])
    return f"{value // quantity.units[unit]}{unit}"


def parse_duration_ns(text: str) -> int:
    return parse(DURATION, text)


def parse_rate_bps(text: str) -> int:
    return parse(RATE, text)


def parse_size_bytes(text: str) -> int:
    return parse(SIZE, text)


def format_duration(ns: int) -> str:
    return write(DURATION, ns)


def format_rate(bps: int) -> str:
    return write(RATE, bps)


def format_size(size_bytes: int) -> str:
    return write(SIZE, size_bytes)


def clip(text: str, limit: int = 40) -> str:
    """`text` quoted for a message: one line, printable, not longer than a person wants to read."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return f'"{shown[: limit - 3]}..."' if len(shown) > limit else f'"{shown}"'
