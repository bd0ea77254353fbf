# SPDX-License-Identifier: Apache-2.0
"""Numbers as a person says them."""

from __future__ import annotations

UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))
MOST_CONFIDENT = 0.9999
"""No model of noise is believed further than that."""


def time(value_ns: float, digits: int = 3) -> str:
    """In the unit that fits, to so many significant digits: 91.2 us, 6.1 ms, 22.6 s."""
    size, name = next((unit for unit in UNITS if abs(value_ns) >= 0.9995 * unit[0]), UNITS[-1])
    scaled = value_ns / size
    whole = len(str(int(abs(scaled) + 0.5)))
    return f"{scaled:.{max(0, digits - whole) if name != 'ns' else 0}f} {name}"


def several(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def confident(chance: float) -> float:
    """What is left when noise looks like this with such a chance."""
    return round(min(max(0.0, 1 - chance), MOST_CONFIDENT), 4)
