# SPDX-License-Identifier: Apache-2.0
"""Between latlab's records and isochron's slots. Pure.

The stamps are the same ones, but for S: latlab's is when the sender meant to wake up, isochron's when the packet should
be on the wire, an advance time later. isochron's receiver adds the UTC offset also to a software stamp that was not
taken (src/rcv.c, app_loop): a time of a few whole seconds since 1970 is none.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from latlab.isochron.dat import FLAGS, RECEIVED, SENT, Settings, Slots
from latlab.stats import records as rec
from latlab.stats.records import RECORD, Records, StreamHeader
from latlab.stats.stamps import Timescales

LegName = Literal["forward", "return"]

SENT_STAMPS = {"scheduled": "S", "wakeup": "w", "sched_ts": "s", "swts": "t", "hwts": "T"}
RECEIVED_STAMPS = {"hwts": "R", "swts": "r", "arrival": "a"}
_RETURN_SENT = {"scheduled": "w2", "wakeup": "w2", "sched_ts": "s2", "swts": "t2", "hwts": "T2"}
_RETURN_RECEIVED = {"hwts": "R2", "swts": "r2", "arrival": "a2"}
SHORTEST_PERIOD_NS = 1_000
_UTC_OFFSET_LIMIT_NS = 1_000_000_000_000


def to_records(first: int, sent: Slots, received: Slots, settings: Settings) -> Records:
    """One record for each packet that either end has logged; `first` is the number of the first slot, from 0.

    A packet that the receiver logged and the sender did not is an extra: RECEIVED without SENT.
    """
    records = np.zeros(len(sent), RECORD)
    was_sent, was_received = sent["seqid"] != 0, received["seqid"] != 0
    records["seq"] = np.arange(first, first + len(sent))
    records["flags"] = np.where(was_sent, rec.SENT, 0) | np.where(was_received, rec.RECEIVED, 0)
    if settings.flags & FLAGS["DO_TS"]:
        records["flags"] |= np.where(was_sent, rec.TX_STAMPS_REQUESTED, 0).astype("<u4")
    for field, stamp in SENT_STAMPS.items():
        records[stamp] = np.where(was_sent, sent[field], 0)
    for field, stamp in RECEIVED_STAMPS.items():
        records[stamp] = np.where(was_received, received[field], 0)
    records["S"] -= np.where(records["S"] != 0, settings.advance_ns, 0)
    records["r"][(records["r"] < _UTC_OFFSET_LIMIT_NS) & (records["r"] % 1_000_000_000 == 0)] = 0
    if settings.cycle_ns > 0:
        late = (records["S"] != 0) & (records["w"] - records["S"] > settings.cycle_ns)
        records["flags"] |= np.where(late, rec.LATE_WAKEUP, 0).astype("<u4")
    logged: Records = records[was_sent | was_received]
    return logged


def to_slots(records: Records, leg: LegName, settings: Settings) -> tuple[Slots, Slots]:
    """Slots of sender and receiver for the packets' own records among `records`, in their order; extras have none.

    The return leg's sender is the reflector: what it did is known of answered packets only, and what it meant to do
    is what it did, S = w'.
    """
    own = records[records["flags"] & rec.OWN != 0]
    sent, received = np.zeros(len(own), SENT), np.zeros(len(own), RECEIVED)
    forward = leg == "forward"
    arrived = own["flags"] & (rec.ARRIVED if forward else rec.REPLIED) != 0
    sent["seqid"] = own["seq"] + np.uint64(1)
    received["seqid"] = np.where(arrived, sent["seqid"], 0)
    for field, stamp in (SENT_STAMPS if forward else _RETURN_SENT).items():
        sent[field] = own[stamp] if forward else np.where(arrived, own[stamp], 0)
    for field, stamp in (RECEIVED_STAMPS if forward else _RETURN_RECEIVED).items():
        received[field] = np.where(arrived, own[stamp], 0)
    sent["scheduled"] += np.where(sent["scheduled"] != 0, settings.advance_ns, 0)
    return sent, received


def header_of(settings: Settings, packets: int, start_ns: int) -> StreamHeader:
    """The stream header of an imported log. A log does not tell the UTC offset: 0.

    The period is the cycle, if that is one that packets could be sent with: the statistics make bins of it.
    """
    return StreamHeader(
        clock="tai",
        tai_offset_ns=0,
        period_ns=max(settings.cycle_ns, SHORTEST_PERIOD_NS),
        count=packets,
        size_bytes=settings.frame_size,
        start_ns=start_ns,
        tx_stamps_every=1 if settings.flags & FLAGS["DO_TS"] else 0,
    )


def settings_of(header: StreamHeader, transport: str, vlan: bool, timescales: Timescales) -> Settings:
    """What a log of isochron says of a run of latlab's own: a cycle of one period, no advance time.

    OMIT_SYNC, as long as not all of the run's clocks were compared.
    """
    ethernet = (18 if vlan else 14) if transport == "l2" else 0
    compared = len(timescales) == 4 and len(set(timescales.values())) == 1
    flags = (FLAGS["DO_TS"] if header.tx_stamps_every else 0) | (0 if compared else FLAGS["OMIT_SYNC"])
    return Settings(header.size_bytes + ethernet, flags, base_ns=header.start_ns, cycle_ns=header.period_ns)
