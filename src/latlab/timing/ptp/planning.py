# SPDX-License-Identifier: Apache-2.0
"""Before anything is started: who is the master, whose stamps, may the slave's clock be steered; or why it cannot be.

Everything here only looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latlab.attachment.wiring import End
from latlab.bench.site import Site
from latlab.hosts.host import Host
from latlab.hosts.look import Run, on_host
from latlab.scenario.ptp import Ptp
from latlab.timing.ptp.config import OLDEST, Role, Stamps, Version, parse_version
from latlab.timing.ptp.nic import Abilities, parse_abilities
from latlab.timing.ptp.others import already_on, find_daemons, steered_by, taken_port

INSTALL = "Debian and Ubuntu: apt install linuxptp"


@dataclass(frozen=True)
class Side:
    """One end as PTP sees it."""

    end: End
    name: str
    """`sender` or `reflector`."""
    role: Role
    version: Version

    @property
    def host(self) -> Host:
        return self.end.host


@dataclass(frozen=True)
class Plan:
    master: Side
    slave: Side
    stamps: Stamps
    free_running: bool
    """The slave measures its offset and steers nothing: both ends have one clock."""
    notes: tuple[str, ...]

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.master, self.slave


def make_plan(site: Site, sender: End, reflector: End, options: Ptp) -> Plan | str:
    """The plan, or why PTP does not work between these two ends, with what to do about it."""
    master_is_sender = _master_is_sender(site, sender, reflector, options)
    if isinstance(master_is_sender, str):
        return master_is_sender
    if nat := _behind_nat((sender, reflector)):
        return nat
    versions: dict[str, Version] = {}
    for name, end in (("sender", sender), ("reflector", reflector)):
        found = _version(end.host)
        if isinstance(found, str):
            return found
        versions[name] = found
    same_clock = sender.host.facts.boot_id == reflector.host.facts.boot_id
    named = {"sender": sender, "reflector": reflector}
    master, slave = ("sender", "reflector") if master_is_sender else ("reflector", "sender")
    sides = (
        Side(named[master], master, "master", versions[master]),
        Side(named[slave], slave, "slave", versions[slave]),
    )
    for side in sides:
        if reason := _disturbed(side, options, steered=side.role == "slave" and not same_clock):
            return reason
    stamps = choose_stamps(
        options, site.kind, [(side.end, _abilities(side.end)) for side in sides], same_clock=same_clock
    )
    if not isinstance(stamps, tuple):
        return stamps
    notes = [stamps[1], *_clock_notes(sides[1], same_clock)]
    return Plan(*sides, stamps[0], same_clock, tuple(notes))


def _master_is_sender(site: Site, sender: End, reflector: End, options: Ptp) -> bool | str:
    if options.master in ("sender", "reflector"):
        return options.master == "sender"
    wanted = site.peer if options.master == "peer" else site.hypervisor
    for end in (sender, reflector):
        if end.host is wanted:
            return end is sender
    ends = f"{sender.host.name} and {reflector.host.name}"
    return f"the {options.master} is no end of this flow, which are {ends}: let the master be the sender or reflector"


def _behind_nat(ends: Sequence[End]) -> str | None:
    for end in ends:
        if end.own.ip4 != end.reach.ip4:
            return (
                f"{end.host.name} is behind a NAT, which PTP's messages do not pass: use another attachment or timing"
            )
    return None


def _version(host: Host) -> Version | str:
    run = on_host(host)
    if host.facts.uid != 0:
        return f"ptp4l needs root on {host.name}"
    for program in ("ptp4l", "pmc"):
        if not host.has(program):
            # The guest that latlab makes holds what latlab starts in every one, and no daemons.
            instead = "; a guest that latlab made has none: use kvm-tsc or ptp-kvm" if host.name == "guest" else ""
            return f"{program} is not installed on {host.name}; {INSTALL}{instead}"
    printed = run(["ptp4l", "-v"])
    version = parse_version(printed.stdout or printed.stderr)
    if version is None:
        return f"ptp4l on {host.name} does not say its version; {INSTALL}"
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"ptp4l on {host.name} is version {'.'.join(map(str, version))}; {oldest} or later is needed"
    return version


def _disturbed(side: Side, options: Ptp, *, steered: bool) -> str | None:
    host, run = side.host, on_host(side.host)
    daemons = find_daemons(run)
    if reason := already_on(daemons, side.end.nic, host.name):
        return reason
    if options.transport.startswith("UDP") and _port_taken(run) and not any(d.here for d in daemons):
        return f"UDP port 319 of {host.name} is taken: `ss -lunp sport = :319` there says by whom"
    return steered_by(daemons, host.name) if steered else None


def _port_taken(run: Run) -> bool:
    # udp6 is missing in a kernel without IPv6.
    return taken_port({"udp": run(["cat", "/proc/net/udp", "/proc/net/udp6"]).stdout})


def _abilities(end: End) -> Abilities:
    return parse_abilities(on_host(end.host)(["ethtool", "-T", end.nic]).stdout)


def choose_stamps(
    options: Ptp, bench: str, ends: Sequence[tuple[End, Abilities]], *, same_clock: bool
) -> tuple[Stamps, str] | str:
    """Whose stamps, and that in words; or why there are none. Pure."""
    without = [f"{end.nic} of {end.host.name}" for end, abilities in ends if not abilities.hardware]
    if options.stamps == "hardware" and without:
        return f"{' and '.join(without)} cannot stamp PTP's packets in hardware: use `stamps: software`"
    if options.stamps == "software":
        return "software", "the kernels stamp PTP's packets, as asked for"
    if options.stamps == "auto" and without:
        return "software", f"the kernels stamp PTP's packets: {' and '.join(without)} cannot"
    if options.stamps == "auto" and bench == "emulated":
        return "software", "the kernels stamp PTP's packets: QEMU's NICs stamp none that they receive"
    if options.stamps == "auto" and same_clock:
        return "software", "the kernel stamps PTP's packets: the NICs' clocks would be two, and it has one"
    return "hardware", "the NICs stamp PTP's packets; their filters are set as found when the run ends"


def _clock_notes(slave: Side, same_clock: bool) -> list[str]:
    if same_clock:
        return ["both ends have one kernel's clock: the PTP slave runs free, so its offset is the method's own error"]
    return [
        f"the clock of {slave.host.name} is set by PTP; its frequency is as found when the run ends, its time is not"
    ]
