# SPDX-License-Identifier: Apache-2.0
"""Exchanges over a made-up network, between made-up clocks, with faults of known kind, place, time and size.

Everything happens in true time first: a packet is sent, waits in queues, is read, answered, read again; delays and
stalls act there, and what comes after is late because of them. Then each stamp is what its clock shows at that time.
So what the clocks did and what the network did is known for each packet, and a verdict is right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from latlab.stats import records as rec
from latlab.stats.records import RECORD, Records, StreamHeader

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

START_NS = 1_800_000_000_000_000_000
CHUNK = 20_480

FaultKind = Literal[
    "delay", "stall", "loss", "duplication", "reordering",
    "step", "ramp", "wander", "sender-step", "late-replies",
]  # fmt: skip
FaultPlace = Literal["forward", "back", "receive", "receiver", "sender", "sender-send", "sender-read", ""]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, `at_s` seconds after the first packet, for `for_s` seconds.

    size: of a delay, a stall or a step in ns; of a ramp the ns that it adds up to; of a wander its amplitude in ns;
    of loss, duplication and reordering the share of the packets, of which every way is meant. Places of a stall:
    `sender` sleeps (it neither sends nor reads), `sender-send` and `sender-read` only one of them, `forward` and `back`
    hold all packets that are on that way, `receive` what reaches the receiver's kernel, `receiver` its reading.
    """

    kind: FaultKind
    at_s: float
    for_s: float = 0.0
    size: float = 0.0
    place: FaultPlace = ""

    def during(self, time_s: Floats) -> npt.NDArray[np.bool_]:
        return (time_s >= self.at_s) & (time_s < self.at_s + self.for_s)


@dataclass(frozen=True)
class World:
    """`queue_ns`: the mean of an exponential wait on each way; `heavy`: the share of packets that wait a Pareto-
    distributed time more (shape 1.5, from 3 times the mean); `bursts`: whether the load comes and goes by the second,
    in each way by itself. `offset_ns` and `skew_ppb` are the reflector's clock against the sender's.
    """

    count: int = 30_000
    period_ns: int = 1_000_000
    floor_ns: tuple[int, int] = (300_000, 300_000)
    queue_ns: tuple[int, int] = (60_000, 60_000)
    heavy: float = 0.0
    bursts: bool = False
    host_ns: int = 5_000
    """Scale of what the hosts' own steps take."""
    offset_ns: int = 0
    skew_ppb: float = 0.0
    drop: float = 0.0
    """Share of packets that is lost all the time."""
    stamps_every: int = 1
    """Transmit stamps on one packet in so many."""
    seed: int = 1
    faults: tuple[Fault, ...] = ()
    first: int = 0
    """Number of the first packet: to make a long run piece by piece."""

    @property
    def header(self) -> StreamHeader:
        return StreamHeader(
            clock="tai", tai_offset_ns=37_000_000_000, period_ns=self.period_ns, count=self.count, size_bytes=128,
            start_ns=START_NS, tx_stamps_every=self.stamps_every,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        return self.count * self.period_ns / 1e9


@dataclass(frozen=True)
class Made:
    """`offset_ns` is the truth for each packet: reflector's clock - sender's, when it was sent."""

    world: World
    records: Records
    offset_ns: Times
    extras: Records = field(default_factory=lambda: np.empty(0, RECORD))

    def stream(self) -> Records:
        """Everything in the order of a probe's stream: an extra after the packets of the second that followed."""
        if not len(self.extras):
            return self.records
        behind = int(1e9 // self.world.period_ns) + 1
        places = np.searchsorted(self.records["seq"], self.extras["seq"] + np.uint64(behind))
        return np.insert(self.records, places, self.extras)

    def chunks(self, size: int = CHUNK) -> Iterator[Records]:
        everything = self.stream()
        for start in range(0, len(everything), size):
            yield everything[start : start + size]


def make(world: World) -> Made:
    rng = np.random.default_rng([world.seed, world.first])
    number = np.arange(world.first, world.first + world.count)
    due = (number * world.period_ns).astype(np.float64)
    host = world.host_ns

    def wait(scale: float) -> Floats:
        return rng.exponential(max(scale, 1.0), world.count)

    woke = _held(due + wait(host), world.faults, ("sender", "sender-send"))
    left = woke + 3 * host + wait(host / 2)
    arrived = left + _way(world, rng, 0, left)
    arrived = _held(arrived, world.faults, ("receive",))
    read = _held(arrived + 2 * host + wait(host / 2), world.faults, ("receiver", "receive"))
    turned = read + host / 2
    answered = turned + 3 * host + wait(host / 2)
    home = answered + _way(world, rng, 1, answered)
    got = _held(home + 2 * host + wait(host / 2), world.faults, ("sender", "sender-read"))

    records = np.zeros(world.count, RECORD)
    records["seq"] = number
    records["flags"] = rec.SENT | rec.REPLIED
    sender: dict[str, Floats] = {"S": due, "w": woke, "t": left, "r2": home, "a2": got}
    reflector: dict[str, Floats] = {"r": arrived, "a": read, "w2": turned, "t2": answered}
    for name, when in sender.items():
        records[name] = START_NS + _whole(when) + _whole(_sender_clock(world, when))
    for name, when in reflector.items():
        records[name] = START_NS + _whole(when) + _whole(_reflector_clock(world, when)) + world.offset_ns
    offset = _whole(_reflector_clock(world, left)) + world.offset_ns - _whole(_sender_clock(world, left))
    asked = number % world.stamps_every == 0
    records["flags"][asked] |= rec.TX_STAMPS_REQUESTED
    for name in ("t", "t2"):
        records[name][~asked] = 0
    return Made(world, records, offset, _outcomes(world, rng, records, due / 1e9))


def _whole(values: Floats) -> Times:
    return np.round(values).astype(np.int64)


def _way(world: World, rng: np.random.Generator, way: int, when: Floats) -> Floats:
    """How long each packet that sets out at `when` is on its way."""
    place, scale = ("forward", "back")[way], np.full(world.count, float(max(1, world.queue_ns[way])))
    if world.bursts:
        seconds = (when / 1e9).astype(np.int64)
        # Each second has its own load, whatever piece of the run it is made in.
        busy = np.array([np.random.default_rng([world.seed, way, s]).random() for s in range(seconds.max() + 1)])
        scale *= 0.3 + 3 * (busy[seconds] > 0.7)
    took = world.floor_ns[way] + rng.exponential(scale)
    if world.heavy:
        struck = rng.random(world.count) < world.heavy
        took += struck * np.minimum(3 * scale * (1 + rng.pareto(1.5, world.count)), 100 * scale)
    for fault in world.faults:
        if fault.kind == "delay" and fault.place == place:
            took += fault.size * fault.during(when / 1e9)
    return _held(when + took, world.faults, (place,)) - when


def _held(when: Floats, faults: Sequence[Fault], places: tuple[str, ...]) -> Floats:
    """What would have happened in a stall at one of these places happens at its end, one packet after the other."""
    for fault in faults:
        if fault.kind == "stall" and fault.place in places:
            begin = fault.at_s * 1e9
            held = (when >= begin) & (when < begin + fault.size)
            when = np.where(held, begin + fault.size + 2_000 * np.cumsum(held), when)
    return when


def _sender_clock(world: World, when: Floats) -> Floats:
    shown = np.zeros(len(when))
    for fault in world.faults:
        if fault.kind == "sender-step":
            shown += fault.size * (when >= fault.at_s * 1e9)
    return shown


def _reflector_clock(world: World, when: Floats) -> Floats:
    """Ahead of true time by so much, without the constant offset."""
    time = when / 1e9
    shown = world.skew_ppb * time
    for fault in world.faults:
        if fault.kind == "step":
            shown += fault.size * (time >= fault.at_s)
        elif fault.kind == "ramp":
            shown += fault.size * np.clip((time - fault.at_s) / max(fault.for_s, 1e-9), 0, 1)
        elif fault.kind == "wander":
            shown += fault.size * np.sin(2 * np.pi * time / max(fault.for_s, 1e-9))
    return shown


_REPLY = ("r", "a", "w2", "t2", "r2", "a2")


def lose(records: Records, chosen: npt.NDArray[np.bool_]) -> None:
    """Makes packets without a reply of the chosen ones."""
    records["flags"][chosen] &= ~np.uint32(rec.REPLIED)
    for name in _REPLY:
        records[name][chosen] = 0


def _outcomes(world: World, rng: np.random.Generator, records: Records, time: Floats) -> Records:
    """Loses, duplicates, reorders; the extras."""
    extras = []
    lost = rng.random(world.count) < world.drop
    for fault in world.faults:
        struck = fault.during(time) & (rng.random(world.count) < fault.size)
        if fault.kind in ("loss", "late-replies"):
            lost |= struck
        if fault.kind == "late-replies":
            extra = records[struck].copy()
            extra["flags"], extra["S"], extra["w"] = rec.LATE, 0, 0
            extras.append(extra)
        elif fault.kind == "duplication":
            # Half of the second replies came in time, the other half after the packet's record was written.
            soon = struck & (rng.random(world.count) < 0.5)
            records["flags"][soon] |= rec.DUPLICATED
            extra = records[struck & ~soon].copy()
            extra["flags"], extra["S"], extra["w"] = rec.DUPLICATED, 0, 0
            extras.append(extra)
        elif fault.kind == "reordering":
            records["flags"][struck] |= rec.REORDERED
    lose(records, lost)
    if not extras:
        return np.empty(0, RECORD)
    joined = np.concatenate(extras)
    return joined[np.argsort(joined["seq"], kind="stable")]
