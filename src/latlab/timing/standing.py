# SPDX-License-Identifier: Apache-2.0
"""How the clocks of a flow's ends stand at this moment, by the readings that have come so far. Pure.

`shared` needs no readings, and `exchange` has none: there the packets themselves tell (`stats.live.Exchange`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from latlab.stats.clocks import EXCHANGE, SHARED, UNKNOWN
from latlab.stats.live import Exchange
from latlab.stats.stamps import Timescales
from latlab.timing.reading import LOCKED, Reading

SILENT_S, SILENT_INTERVALS = 3.0, 4
"""Without a comparison for longer than both, nothing is known of now."""
SERVO = {"s0": "not locked", "s1": "about to step", "s2": "locked", "s3": "locked"}
PTP_SOURCES = ("ptp4l", "pmc")
AT_WORK = ("MASTER", "GRAND_MASTER", "PRE_MASTER", "PASSIVE", "SLAVE")
"""States of a port that has nothing wrong (IEEE 1588-2019, table 27); one that sets a clock has to be SLAVE."""


@dataclass(frozen=True)
class ClocksNow:
    """`offset_ns`: the reflector's clock - the sender's; `error_ns` bounds how far that may be off; None: not known.

    `locked` is None where nothing is set after another clock. `words` say it all but the two numbers.
    """

    method: str = UNKNOWN
    offset_ns: int | None = None
    error_ns: int | None = None
    locked: bool | None = None
    words: str = "not compared"


class Follower:
    """Hears the readings of one run."""

    def __init__(self, method: str, timescales: Timescales) -> None:
        self._method = method
        self._one_clock = timescales.get("sender") is not None and timescales["sender"] == timescales.get("reflector")
        self._compared: Reading | None = None
        self._compared_s = self._usual_s = 0.0
        self._servos: dict[str, str] = {}
        self._ports: dict[str, str] = {}

    def hear(self, readings: Iterable[Reading], now_s: float) -> None:
        """`now_s`: when they came, on a clock of ours that only goes forward."""
        for reading in readings:
            if (reading.host, reading.reference) == ("reflector", "sender") and reading.error_ns is not None:
                if self._compared is not None:
                    self._usual_s = (reading.time_ns - self._compared.time_ns) / 1e9
                self._compared, self._compared_s = reading, now_s
            if reading.source in PTP_SOURCES:
                if reading.servo_state is not None:
                    self._servos[reading.host] = reading.servo_state
                if reading.port_state is not None:
                    self._ports[reading.host] = reading.port_state

    def now(self, now_s: float, fastest: Exchange | None = None) -> ClocksNow:
        """`fastest`: for a run whose clocks are compared by its packets."""
        if self._method == SHARED:
            return ClocksNow(SHARED, 0, 0, words="one clock")
        if self._method == EXCHANGE:
            if fastest is None:
                return ClocksNow(EXCHANGE, words="no answer yet")
            return ClocksNow(EXCHANGE, fastest.offset_ns, fastest.error_ns, words="by the packets")
        if self._method == UNKNOWN:
            return ClocksNow()
        locked, words = self._lock()
        silent_s = now_s - self._compared_s
        if self._compared is None:
            return ClocksNow(
                self._method, locked=locked, words=f"{words}, no reading yet" if words else "no reading yet"
            )
        if silent_s > max(SILENT_S, SILENT_INTERVALS * self._usual_s):
            silence = f"no reading for {silent_s:.0f} s"
            # What was locked says nothing any more once its master is gone.
            return ClocksNow(self._method, locked=None if locked is None else False, words=silence)
        return ClocksNow(self._method, self._compared.offset_ns, self._compared.error_ns, locked, words or "compared")

    def _lock(self) -> tuple[bool | None, str]:
        """Of the end whose clock is set after the other's; (None, "") where no method sets one."""
        idle = {host: state for host, state in self._ports.items() if not self._at_work(host, state)}
        if self._one_clock and self._servos and set(idle.values()) <= {"UNCALIBRATED"}:
            return None, "runs free"
        for host, state in idle.items():
            return False, f"not locked, port of the {host} {state}"
        for servo in self._servos.values():
            return servo in LOCKED, SERVO.get(servo, f"servo {servo}")
        return None, ""

    def _at_work(self, host: str, state: str) -> bool:
        return state == "SLAVE" if host in self._servos else state in AT_WORK
