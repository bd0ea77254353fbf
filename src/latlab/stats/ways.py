# SPDX-License-Identifier: Apache-2.0
"""The two ways of each exchange, as the stamps have them: what the clocks are compared by, and what is late or early.

A stamp that was not taken is 0, and so is its column then; where each packet carries a stamp, nothing is looked at
twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from latlab.stats.columns import Columns
from latlab.stats.records import Records

Times = npt.NDArray[np.int64]

MOST_LAG_NS = 1_000_000_000
"""A packet that left later than this was not late: the sender's clock was set."""
ABSENT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Ways:
    """Of n exchanges, each an array of n: when they were sent (sender's clock), and both ways as the stamps have them.

    `ABSENT` where a packet has no such stamps. From the driver to the kernel's stack where those stamps were taken,
    else from the application's wake-up, or to its reading.
    """

    sent_ns: Times
    forward_ns: Times
    back_ns: Times


def ways(records: Records | Columns) -> Ways:
    """Of packets' own records (not of extras)."""
    columns = Columns.of(records)
    sent, arrived = first_of(columns, "t", "w"), first_of(columns, "r", "a")
    answered, home = first_of(columns, "t2", "w2"), first_of(columns, "r2", "a2")
    set_out = sent if _positive(sent) else np.where(sent != 0, sent, columns["S"])
    return Ways(set_out, _difference(sent, arrived), _difference(answered, home))


def _difference(start: Times, end: Times) -> Times:
    found: Times = end - start
    if not (_positive(start) and _positive(end)):
        found[np.flatnonzero((start == 0) | (end == 0))] = ABSENT
    return found


def _positive(values: Times) -> bool:
    return not len(values) or int(values.min()) > 0


def lag(records: Records | Columns) -> Times:
    """How much later than scheduled each packet set out; 0 where that is not known."""
    columns = Columns.of(records)
    late: Times = columns["w"] - columns["S"]
    if columns.whole("w") and columns.whole("S") and len(late) and late.min() >= 0 and late.max() < MOST_LAG_NS:
        return late
    known = (columns["w"] != 0) & (columns["S"] != 0)
    return np.where(known & (late > 0) & (late < MOST_LAG_NS), late, 0)


def first_of(columns: Columns, *fields: str) -> Times:
    """Of each row the first of these stamps that it carries; 0 if it carries none of them."""
    found: Times = columns[fields[0]]
    for before, field in pairwise(fields):
        if columns.whole(before):
            break
        if columns.none(before):
            found = columns[field]
        elif not columns.none(field):
            places = np.flatnonzero(found == 0)
            found = found.copy()
            found[places] = columns[field][places]
    return found
