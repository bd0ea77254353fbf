# SPDX-License-Identifier: Apache-2.0
"""THE table of stamps and metrics: which times are taken of a packet, where, and what is computed of them.

Docs, reports, the Parquet columns and the statistics all read this table, so a stamp has one name, one place and one
meaning everywhere. A metric is a difference of two stamps. Each stamp belongs to one of four clocks; a metric whose
stamps come from two clocks means something only when those clocks were compared (`Timescales`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Leg = Literal["forward", "return"]
Clock = Literal["sender", "sender-nic", "reflector", "reflector-nic"]
Direction = Literal["up", "down"]
CLOCKS: tuple[Clock, ...] = ("sender", "sender-nic", "reflector", "reflector-nic")

Timescales = Mapping[Clock, str]
"""Clock -> name of the time that it shows. Two clocks with the same name were compared; one that is absent was not."""

CLAIMED = "claimed"
"""The time that clocks are said to show by a measurement that is not latlab's: one-way times are computed by it, but
nothing is known of the clocks, and so no anomaly is the network's because of it."""

ONE_KERNEL: Timescales = {"sender": "system", "reflector": "system"}
"""Sender and reflector read the same system clock (two namespaces of one machine); NIC clocks are not compared."""


@dataclass(frozen=True)
class Stamp:
    """One time of one packet. `field` names it in record arrays, `column` in samples.parquet.

    The columns are not called by their letters because SQL does not tell `S` from `s`.
    `when_absent` is the reason given for a metric when no packet of a run carries the stamp.
    """

    letter: str
    field: str
    column: str
    leg: Leg
    clock: Clock
    meaning: str
    when_absent: str

    @property
    def needs_tx_request(self) -> bool:
        """The kernel takes it of a sent packet only on request, packet by packet."""
        return self.letter.rstrip("'") in ("s", "t", "T")


_PLACES = (
    # letter, column, taken by the transmitting side, by the NIC's clock, meaning, reason when absent
    ("S", "scheduled_ns", True, False, "when the sender meant to wake up", "no schedule"),
    ("w", "woke_ns", True, False, "the sender woke up", "no wake-up stamps"),
    ("s", "qdisc_ns", True, False, "entered the qdisc", "no qdisc stamps"),
    ("t", "driver_ns", True, False, "handed to the NIC's driver", "no driver stamps"),
    ("T", "nic_out_ns", True, True, "left the NIC", "no hardware stamps"),
    ("R", "nic_in_ns", False, True, "reached the NIC", "no hardware stamps"),
    ("r", "stack_ns", False, False, "reached the kernel's network stack", "no receive stamps"),
    ("a", "read_ns", False, False, "read by the application", "no read stamps"),
)


def _stamps() -> tuple[Stamp, ...]:
    stamps = []
    for leg in ("forward", "return"):
        for letter, column, transmits, nic, meaning, absent in _PLACES:
            if leg == "return" and letter == "S":
                continue  # a reply is not scheduled: it is sent when the request has been read
            at_sender = transmits == (leg == "forward")
            clock: Clock = "sender" if at_sender else "reflector"
            if nic:
                clock = "sender-nic" if at_sender else "reflector-nic"
            if leg == "forward":
                stamps.append(Stamp(letter, letter, column, "forward", clock, meaning, absent))
            else:
                told = "the reflector turned to the reply" if letter == "w" else meaning
                stamps.append(Stamp(letter + "'", letter + "2", "return_" + column, "return", clock, told, absent))
    return tuple(stamps)


STAMPS: tuple[Stamp, ...] = _stamps()
"""In the order in which a packet gives them, which is the order of the probe's records."""

STAMP: dict[str, Stamp] = {stamp.letter: stamp for stamp in STAMPS}


@dataclass(frozen=True)
class Metric:
    """`end` - `start`, two letters of `STAMPS`, in nanoseconds. `leg` is None for what belongs to both legs."""

    name: str
    label: str
    end: str
    start: str
    leg: Leg | None

    @property
    def formula(self) -> str:
        return f"{self.end} - {self.start}"

    @property
    def two_clocks(self) -> bool:
        return STAMP[self.end].clock != STAMP[self.start].clock

    @property
    def between_machines(self) -> bool:
        """Whether it is from the sender's kernel to the reflector's, or back."""
        return {STAMP[self.end].clock, STAMP[self.start].clock} == {"sender", "reflector"}

    def clocks_compared(self, timescales: Timescales) -> bool:
        """True if the difference is one of times of the same clock, or of clocks that were compared."""
        if not self.two_clocks:
            return True
        end, start = timescales.get(STAMP[self.end].clock), timescales.get(STAMP[self.start].clock)
        return end is not None and end == start

    def key(self, direction: Direction) -> str:
        """Name in run.json: `round_trip`, `up`, `up_send_path`, ...; a leg's own name is its whole way.

        The forward leg goes the way of the flow: it is `up` for a flow out of the guest.
        """
        if self.leg is None:
            return self.name
        forward_is_up = direction == "up"
        way = "up" if (self.leg == "forward") == forward_is_up else "down"
        return way if self.name == "application_to_application" else f"{way}_{self.name}"


_LEG_METRICS = (
    ("sender_wakeup", "sender wake-up", "w", "S"),
    ("send_path", "send path", "t", "w"),
    ("wire_to_wire", "wire to wire", "R", "T"),
    ("stack_to_stack", "stack to stack", "r", "t"),
    ("delivery_nic", "delivery from NIC", "a", "R"),
    ("delivery_stack", "delivery from stack", "a", "r"),
    ("application_to_application", "application to application", "a", "w"),
)


def _metrics() -> tuple[Metric, ...]:
    metrics = [Metric("round_trip", "round trip", "a'", "w", None)]
    for name, label, end, start in _LEG_METRICS:
        metrics.append(Metric(name, label, end, start, "forward"))
    metrics.append(Metric("dwell", "dwell in the reflector", "w'", "a", None))
    for name, label, end, start in _LEG_METRICS:
        if start != "S":
            metrics.append(Metric(name, label, end + "'", start + "'", "return"))
    return tuple(metrics)


METRICS: tuple[Metric, ...] = _metrics()


def stamps_table() -> str:
    """The stamps as a Markdown table, for the documentation."""
    lines = ["| stamp | column of samples.parquet | leg | clock | meaning |", "|---|---|---|---|---|"]
    lines += [f"| `{s.letter}` | `{s.column}` | {s.leg} | {s.clock} | {s.meaning} |" for s in STAMPS]
    return "\n".join(lines) + "\n"


def metrics_table() -> str:
    """The metrics as a Markdown table, for the documentation."""
    lines = ["| metric | formula | flow up | flow down | clocks |", "|---|---|---|---|---|"]
    for m in METRICS:
        clocks = f"{STAMP[m.start].clock}, {STAMP[m.end].clock}" if m.two_clocks else STAMP[m.start].clock
        lines.append(f"| {m.label} | `{m.formula}` | `{m.key('up')}` | `{m.key('down')}` | {clocks} |")
    return "\n".join(lines) + "\n"
