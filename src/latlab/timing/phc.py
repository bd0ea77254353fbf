# SPDX-License-Identifier: Apache-2.0
"""A NIC's clock (PTP hardware clock, PHC) against its system's: what puts hardware stamps on the system's scale.

Read by the best ioctl that the driver has: PTP_SYS_OFFSET_PRECISE, PTP_SYS_OFFSET_EXTENDED, PTP_SYS_OFFSET (Linux'
include/uapi/linux/ptp_clock.h); the tightest of ten readings, half of whose width is the bound. Bound: hard.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from latlab.attachment.wiring import End
from latlab.bench.site import Site
from latlab.errors import MeasurementError
from latlab.timing.clock_lines import Lines, PhcLine, parse_phc, read_command, streaming
from latlab.timing.reading import Reading, Watch
from latlab.timing.stamping import look

NAME = "phc"
PERIOD_NS = 125_000_000
PRECISE_ROUNDING_NS = 4
"""Both times of PTP_SYS_OFFSET_PRECISE are of one instant, and each is a conversion that cuts off up to a ns twice."""
SENTENCES = {
    "precise": "both clocks at one instant (PTP_SYS_OFFSET_PRECISE)",
    "extended": "the system's clock read around the NIC's register (PTP_SYS_OFFSET_EXTENDED)",
    "basic": "the system's clock read around the driver's function (PTP_SYS_OFFSET)",
}


def error_ns(line: PhcLine) -> int:
    """Bounds how far the difference of the two clocks may be off. Pure."""
    return PRECISE_ROUNDING_NS if line.way == "precise" else (line.width_ns + 1) // 2 + 1


def obstacle(site: Site, sender: End, reflector: End) -> str | None:  # noqa: ARG001
    for end in (sender, reflector):
        if look(end.host, end.nic).phc is None:
            return f"{end.nic} of {end.host.name} has no clock of its own: its packets are stamped by the kernel"
    return None


@contextmanager
def running(site: Site, sender: End, reflector: End, options: object = None) -> Iterator[Watch]:  # noqa: ARG001
    """Both ends' NICs: rows of `sender` and of `reflector`, the system's clock minus the NIC's."""
    with ExitStack() as stack:
        watches = []
        for role, end in (("sender", sender), ("reflector", reflector)):
            command = read_command(end.host, "--nic", end.nic, period_ns=PERIOD_NS)
            watches.append(PhcWatch(role, end.nic, stack.enter_context(streaming(end.host, command))))
        yield _Both(watches)


class PhcLines:
    """Watches what `clock read --phc` prints. `row` makes a reading of a line; the way of reading is told when it
    changes.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._way = ""
        self._broken: str | None = None

    @property
    def failure(self) -> str | None:
        return self._broken or self._lines.failure

    def take(self) -> list[Reading]:
        try:
            return [self._reading(parse_phc(text)) for text in self._lines.take()]
        except MeasurementError as error:
            self._broken = error.message
            return []

    def _reading(self, line: PhcLine) -> Reading:
        event = SENTENCES[line.way] if line.way != self._way else None
        self._way = line.way
        return self.row(line, event)

    def row(self, line: PhcLine, event: str | None) -> Reading:
        raise NotImplementedError


class PhcWatch(PhcLines):
    """One NIC. To put a hardware stamp on the system's scale, add `offset_ns`."""

    def __init__(self, role: str, nic: str, lines: Lines) -> None:
        super().__init__(lines)
        self._role, self._nic = role, nic

    def row(self, line: PhcLine, event: str | None) -> Reading:
        return Reading(
            time_ns=line.tai_ns,
            host=self._role,
            source=NAME,
            reference=f"clock of {self._nic}",
            offset_ns=line.tai_ns - line.phc_ns,
            error_ns=error_ns(line),
            event=event,
        )


class _Both:
    def __init__(self, watches: list[PhcWatch]) -> None:
        self._watches = watches

    @property
    def failure(self) -> str | None:
        return next((watch.failure for watch in self._watches if watch.failure), None)

    def take(self) -> list[Reading]:
        return [reading for watch in self._watches for reading in watch.take()]
