# SPDX-License-Identifier: Apache-2.0
"""One function for each kind of fault: makes it, keeps it for as long as it lasts, ends it, and says when it was there.

A table says which function injects which kind. Each returns an `Injection` whose times are the sender's.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from latlab.attachment.wiring import End
from latlab.bench.site import Site
from latlab.errors import HostError
from latlab.hosts.host import Host
from latlab.selftest.faults import NS_PER_S, Fault, Injection, Way
from latlab.selftest.stage import Stage, delay_words, outcome_words
from latlab.timing import clock_faults
from latlab.timing.reading import Watch

Sleep = Callable[[float], None]
"""Waits so many seconds; raises what ends the whole test."""

ONE_IN_A_THOUSAND = 3.29
"""Standard deviations: a binomial number is farther from its mean in one case of a thousand."""
SHOWN_NS = 1_000
"""tc shows a delay in whole microseconds."""
OVERTAKEN_PERIODS = 2.5
"""How many periods a packet is held up that others are to overtake."""


@dataclass(frozen=True)
class Target:
    """What faults are injected into."""

    site: Site
    sender: End
    reflector: End
    period_ns: int
    sender_cpu: int
    reflector_pid: int
    stages: dict[Way, Stage]
    """By the way that their packets go."""
    folder: str
    """On every host with a stage: for tables of netem."""
    qemu: tuple[Host, int] | None = None
    """The guest's QEMU, and the host that runs it."""
    sleep: Sleep = time.sleep
    clocks: Watch | None = None
    """What watches the clocks: the clock service, where one runs."""

    def now_ns(self) -> int:
        """TAI on the sender's clock."""
        return _numbers(self.sender.host, "now")["tai_ns"]

    def same_clock(self, host: Host) -> bool:
        return host.facts.boot_id == self.sender.host.facts.boot_id


def _numbers(host: Host, *arguments: str) -> dict[str, int]:
    """What a verb of the probe prints. HostError when it was refused, or prints something else."""
    said = host.run([host.probe, *arguments])
    try:
        return {name: int(value) for name, value in json.loads(said).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise HostError(host.name, f"`latlab-probe {arguments[0]}` printed {said[:80]!r}") from error


def _stall(host: Host, *arguments: str) -> tuple[int, int]:
    """Begin and end, TAI of that host."""
    found = _numbers(host, "stall", *arguments)
    return found["start_ns"], found["end_ns"]


def delay(target: Target, fault: Fault) -> Injection:
    stage = target.stages[_way(fault)]
    usual_ns = stage.read().delay_ns
    start_ns = target.now_ns()
    try:
        stage.change(delay_words(fault.size))
        added_ns = stage.read().delay_ns - usual_ns
        target.sleep(fault.lasts_ns / NS_PER_S)
    finally:
        stage.change(delay_words())
    # The last one that was held up comes when its time is over.
    return Injection(fault, start_ns, target.now_ns() + added_ns, added_ns, SHOWN_NS)


def outcome(target: Target, fault: Fault) -> Injection:
    """A share of the packets is lost, duplicated or late. netem counts what it dropped; of the others only the share is
    known, and how many packets came by: the true number is as uncertain as a binomial one.
    """
    stage = target.stages[_way(fault)]
    share = min(1.0, fault.size * target.period_ns / fault.lasts_ns)
    dropped = stage.read().drops
    before_ns = target.now_ns()
    try:
        if fault.kind == "reordering":
            stage.change_order(share, round(OVERTAKEN_PERIODS * target.period_ns), target.folder)
        else:
            stage.change(outcome_words(fault.kind, share, 0))
        began_ns = target.now_ns()
        target.sleep(max(0.0, (fault.lasts_ns - (began_ns - before_ns)) / NS_PER_S))
    finally:
        over_ns = target.now_ns()
        stage.change(delay_words())
    after_ns = target.now_ns()
    if fault.kind == "loss":
        return Injection(fault, before_ns, after_ns, stage.read().drops - dropped)
    most, least = (after_ns - before_ns) / target.period_ns, (over_ns - began_ns) / target.period_ns
    mean = share * (most + least) / 2
    spread = share * (most - least) / 2 + ONE_IN_A_THOUSAND * math.sqrt(mean * (1 - share))
    return Injection(fault, before_ns, after_ns, round(mean), math.ceil(spread))


def sender_stall(target: Target, fault: Fault) -> Injection:
    cpu = ("--cpu", str(target.sender_cpu))
    return Injection(fault, *_stall(target.sender.host, *cpu, "--for", f"{fault.size}ns"), fault.size)


def receiver_stall(target: Target, fault: Fault) -> Injection:
    return _stopped(target, fault, target.reflector.host, target.reflector_pid)


def vcpu_stop(target: Target, fault: Fault) -> Injection:
    """QEMU is stopped by a signal, not by its monitor: the monitor's `stop` would stop the guest's clock too."""
    assert target.qemu
    return _stopped(target, fault, *target.qemu)


def step(target: Target, fault: Fault) -> Injection:
    """The reflector's clock goes ahead, and back afterwards. The sender's would move the packets as well."""
    return _clock_changed(target, fault, clock_faults.step)


def ramp(target: Target, fault: Fault) -> Injection:
    """The reflector's clock runs too fast. What it has gained it keeps: nobody goes by it."""
    return _clock_changed(target, fault, clock_faults.ramp)


def _clock_changed(target: Target, fault: Fault, change: Callable[[Site, Host, int], None]) -> Injection:
    host, start_ns = target.reflector.host, target.now_ns()
    change(target.site, host, fault.size)
    try:
        target.sleep(fault.lasts_ns / NS_PER_S)
    finally:
        change(target.site, host, -fault.size)
    return Injection(fault, start_ns, target.now_ns(), fault.size)


def _stopped(target: Target, fault: Fault, host: Host, pid: int) -> Injection:
    before_ns = target.now_ns()
    start_ns, end_ns = _stall(host, "--pid", str(pid), "--for", f"{fault.size}ns")
    # A packet comes at any moment of its period, and waits for what is left of the stall.
    missed = min(target.period_ns, end_ns - start_ns) // 2
    size = end_ns - start_ns - missed
    if target.same_clock(host):
        return Injection(fault, start_ns, end_ns, size, missed)
    return Injection(fault, before_ns, target.now_ns(), size, missed)


def _way(fault: Fault) -> Way:
    assert fault.way is not None
    return fault.way


INJECTORS: dict[str, Callable[[Target, Fault], Injection]] = {
    "delay": delay,
    "loss": outcome,
    "duplication": outcome,
    "reordering": outcome,
    "step": step,
    "ramp": ramp,
    "sender-stall": sender_stall,
    "receiver-stall": receiver_stall,
    "vcpu-stop": vcpu_stop,
}
