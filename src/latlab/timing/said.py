# SPDX-License-Identifier: Apache-2.0
"""What the sync log says of clocks that went wrong, as anomalies beside those that the packets show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from latlab.stats.anomalies import Anomaly, Kind
from latlab.timing.ptp.events import Happening, events
from latlab.timing.reading import Reading

THIN_NS = 500_000_000
"""Between two readings of one source that say nothing new of its state."""


def findings(readings: Iterable[Reading], end_ns: int) -> list[Anomaly]:
    """Masters lost, faulty ports, servos out of lock and steps of ptp4l, each with the sentence of `timing.ptp.events`.

    `end_ns`: when the run ended, for what had not ended by then.
    """
    return [_finding(happening, end_ns) for happening in events(thinned(readings))]


def thinned(readings: Iterable[Reading]) -> Iterator[Reading]:
    """Those that say something new, and of the others one in `THIN_NS`: a day of eight a second is more than memory
    should hold.
    """
    last: dict[tuple[str, str], Reading] = {}
    for reading in readings:
        before = last.get((reading.host, reading.source))
        if (
            before is None
            or reading.event
            or _state(reading) != _state(before)
            or reading.time_ns - before.time_ns >= THIN_NS
        ):
            last[reading.host, reading.source] = replace(reading, event=None)
            yield reading


def _state(reading: Reading) -> tuple[object, ...]:
    return reading.port_state, reading.servo_state, reading.grandmaster, reading.reference, reading.offset_ns is None


def _finding(happening: Happening, end_ns: int) -> Anomaly:
    kinds: dict[str, Kind] = {"master-lost": "master-lost", "fault-reset": "fault-reset", "step": "step"}
    end = max(happening.start_ns, end_ns) if happening.end_ns is None else happening.end_ns
    size = happening.size_ns if happening.size_ns is not None else end - happening.start_ns
    return Anomaly(
        verdict="clock",
        kind=kinds.get(happening.kind, "servo"),
        place="clock",
        start_ns=happening.start_ns,
        end_ns=end,
        packets=0,
        size=float(size),
        bound=None,
        evidence=(happening.sentence,),
    )
