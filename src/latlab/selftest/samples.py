# SPDX-License-Identifier: Apache-2.0
"""The records of a run as the self-test needs them: the quiet ones for the floor, times for the truth. Pure.

The two ways are those between the machines, as the search for anomalies sees them (`stats.bins.ways`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from latlab.selftest.floor import Quiet, Times
from latlab.stats import records as rec
from latlab.stats.records import Records
from latlab.stats.ways import ABSENT, ways


def quiet_until(chunks: Iterable[Records], length_ns: int) -> Quiet | None:
    """The packets of the first `length_ns` of a flow; None when it has not lasted so long."""
    found: list[Records] = []
    for chunk in chunks:
        found.append(chunk)
        own = chunk[chunk["flags"] & rec.OWN != 0]
        if len(own) and int(own["S"][-1]) - int(found[0]["S"][0]) > length_ns:
            whole = np.concatenate(found)
            return _quiet(whole[(whole["flags"] & rec.OWN != 0) & (whole["S"] <= whole["S"][0] + length_ns)])
    return None


def _quiet(own: Records) -> Quiet:
    answered = own["flags"] & rec.REPLIED != 0
    found = ways(own)
    return Quiet(
        time_ns=own["S"],
        answered=answered & (found.forward_ns != ABSENT) & (found.back_ns != ABSENT),
        forward_ns=found.forward_ns,
        return_ns=found.back_ns,
        wakeup_ns=own["w"] - own["S"],
        round_trip_ns=own["a2"] - own["w"],
        counted={
            "loss": ~answered,
            "duplication": own["flags"] & rec.DUPLICATED != 0,
            "reordering": own["flags"] & rec.REORDERED != 0,
        },
    )


def times(chunks: Iterable[Records], field: str) -> Times:
    """The stamps of one place, of all packets that have them."""
    found = [chunk[field][(chunk["flags"] & rec.OWN != 0) & (chunk[field] != 0)] for chunk in chunks]
    return np.concatenate(found) if found else np.empty(0, np.int64)
