# SPDX-License-Identifier: Apache-2.0
"""Times and counts in few bytes, as the page's script reads them again (assets/codes.js is the other end).

A time is one 16-bit code: 0 is "none", else 32768 + sign * round(728 log2(1 + |t|)) of t in ns. That is exact to 0.05 %
from 1 ns to 9 hours, for either sign; the ends of an envelope are rounded outwards, to 0.1 %. Arrays are kept as two
planes, the lower bytes and then the upper ones, which zlib packs to about half.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

STEPS_PER_OCTAVE = 728
ZERO = 32_768
_LARGEST = 32_767
COUNT_STEPS = 4
"""Levels of a count for each doubling of it."""

Codes = npt.NDArray[np.uint16]
Rounding = Literal["nearest", "down", "up"]


def time_codes(values_ns: npt.ArrayLike, there: npt.ArrayLike = True, rounding: Rounding = "nearest") -> Codes:
    """Codes of times in ns; 0 where `there` is false. `down` and `up` give a code of no larger, or smaller, a time."""
    values = np.asarray(values_ns, np.float64)
    size = STEPS_PER_OCTAVE * np.log2(1 + np.abs(values))
    signed = np.where(values < 0, -size, size)
    turn = {"nearest": np.rint, "down": np.floor, "up": np.ceil}[rounding]
    # The rounding error of log2 must not push a whole number of steps one step further.
    nearest = np.rint(signed)
    codes = np.where(np.abs(signed - nearest) < 1e-9, nearest, turn(signed))
    found: Codes = np.where(there, ZERO + np.clip(codes, -_LARGEST, _LARGEST), 0).astype(np.uint16)
    return found


def times_of(codes: Codes) -> npt.NDArray[np.float64]:
    """The times in ns of codes; NaN for none."""
    signed = codes.astype(np.float64) - ZERO
    times: npt.NDArray[np.float64] = np.sign(signed) * (np.exp2(np.abs(signed) / STEPS_PER_OCTAVE) - 1)
    return np.where(codes == 0, np.nan, times)


def count_levels(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """0 for none, 1 for one, `COUNT_STEPS` more for twice as many."""
    levels: npt.NDArray[np.uint8] = np.where(
        counts > 0, 1 + np.rint(COUNT_STEPS * np.log2(np.maximum(counts, 1))), 0
    ).astype(np.uint8)
    return levels


def planes(codes: Codes) -> bytes:
    return (codes & 0xFF).astype(np.uint8).tobytes() + (codes >> 8).astype(np.uint8).tobytes()


def text_of(codes: Codes) -> str:
    """Base64 of the planes."""
    return base64.b64encode(planes(codes)).decode()


def packed(parts: Sequence[bytes] | str) -> str:
    """Base64 of zlib's form of these bytes, one after another, or of a text."""
    data = parts.encode() if isinstance(parts, str) else b"".join(parts)
    return base64.b64encode(zlib.compress(data, 9)).decode()


def without_absent(values: dict[str, Any]) -> dict[str, Any]:
    """What the page need not be told: None, and what is empty."""
    return {key: value for key, value in values.items() if value is not None and value not in ("", [], {})}
