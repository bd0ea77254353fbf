# SPDX-License-Identifier: Apache-2.0
"""The values of a metric in records: of the packets that are samples, and carry both its stamps."""

from __future__ import annotations

import numpy as np

from latlab.stats import records as rec
from latlab.stats.columns import Columns, Places, without
from latlab.stats.records import Records
from latlab.stats.stamps import STAMP, Metric, Stamp
from latlab.stats.ways import Times

OF_SENDING = ("S", "w", "s", "t", "T")
OF_ARRIVAL = ("R", "r", "a")


def metric_values(records: Records | Columns, metric: Metric, offset_ns: Times | int = 0) -> Times:
    """Values in ns of `metric`, in the records' order, of those records that are samples and carry both stamps.

    `offset_ns`: of each record, by how much the reflector's clock is ahead of the sender's.
    """
    columns = Columns.of(records)
    end, start = STAMP[metric.end], STAMP[metric.start]
    if columns.none(end.field) or columns.none(start.field):
        return np.empty(0, np.int64)
    values: Times = columns[end.field] - columns[start.field]
    if metric.between_machines:
        values = values - offset_ns if end.clock == "reflector" else values + offset_ns
    return without(values, no_samples(columns, metric))


def no_samples(columns: Columns, metric: Metric) -> Places:
    """The rows without a value of `metric`, in order: those that `metric_values` leaves out."""
    end, start = STAMP[metric.end], STAMP[metric.start]
    # Requested or not, a stamp that is there is a sample's.
    flags = {
        rec.SENT,
        *(mask for stamp in (end, start) for mask in due_flags(stamp) if mask != rec.TX_STAMPS_REQUESTED),
    }
    out = [columns.absent(end.field), columns.absent(start.field), *map(columns.lacking, flags)]
    out = [places for places in out if len(places)]
    if not out:
        return np.empty(0, np.intp)
    return np.unique(np.concatenate(out)) if len(out) > 1 else out[0]


def due_flags(stamp: Stamp) -> list[int]:
    """Flags, of each of which a packet has one if it should carry the stamp: the sender's own of a request are on any;
    those of its arrival on what is known to have arrived; all others come home with the reply. Some are on request."""
    arrived = rec.ARRIVED if stamp.letter in OF_ARRIVAL else rec.REPLIED
    wanted = [] if stamp.letter in OF_SENDING else [arrived]
    return [*wanted, rec.TX_STAMPS_REQUESTED] if stamp.needs_tx_request else wanted
