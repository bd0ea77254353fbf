# SPDX-License-Identifier: Apache-2.0
"""A run without machines: the commands of its points, in order, as a script to read.

A rehearsed host answers as one on which everything works. The attachments, QEMU's command line, the load and the
instruments are the real ones; only the hosts are not. Left out, so that the script is no run by itself: setting the
bench up (NICs, namespace, the peer's address, the trial guest), what the guest is told through its agent (its own `ip`
commands), waiting until guest, servers and load are ready, the warm-up, what is read as evidence and as environment,
and ending what runs beside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from latlab import attachment
from latlab.attachment.vhost_user import HUGE_PAGES, reserve
from latlab.attachment.wiring import End, Wiring
from latlab.bench import local, pair
from latlab.bench.site import Site, plan_addresses
from latlab.ends import load_ends
from latlab.features import LONG_NAMES
from latlab.guest.disk import FIRMWARES, Disk
from latlab.guest.kernel import Kernel, find_kernel
from latlab.guest.machine import MachineSpec, command_line
from latlab.hosts.channel import Facts
from latlab.hosts.commands import as_shell
from latlab.hosts.host import Host, Process, Result
from latlab.hosts.ssh import ssh_command
from latlab.load import iperf3, netperf_streams, share_out
from latlab.load.streams import Streams
from latlab.measure import netperf, ping, probe
from latlab.measure.ports import NETPERF_CONTROL
from latlab.nic import as_asked
from latlab.rehearsed_pci import rehearsed_pci
from latlab.scenario.bench_model import Addresses, AnyBench, BoardsBench, EmulatedBench
from latlab.scenario.model import Family, Guest, Load, Netperf, Ping, Point, Probe
from latlab.scenario.plan import Plan

PROBE = "latlab-probe"
PEER_MAC = "52:54:00:a1:00:02"
FACTS = Facts("AGENT", 1, 0, "x86_64", "", "", 2, [])
"""Of the rehearsed host: names of files that an attachment makes have the agent's id in them."""


class RehearsedProcess(Process):
    """Has done what it was to do, and goes on running."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = list(argv)

    @property
    def running(self) -> bool:
        return True

    def wait_until_ended(self, timeout_s: float) -> bool:  # noqa: ARG002
        return True

    def wait(self, timeout_s: float | None = None) -> int:  # noqa: ARG002
        return 0


class RehearsedHost(Host):
    """Writes down what it is told. `script` holds the commands, `afterwards` what would undo them."""

    def __init__(
        self, name: str, script: list[str] | None = None, netns: str | None = None,
        afterwards: list[str] | None = None, board: str | None = None,
    ) -> None:  # fmt: skip
        self.name, self.netns, self.probe, self.board = name, netns, PROBE, board
        self.script = script if script is not None else []
        self.afterwards = afterwards if afterwards is not None else []
        self.huge_pages = 0

    @property
    def facts(self) -> Facts:
        return FACTS

    def write_down(
        self, argv: Sequence[str], *, files: Mapping[int, str] | None = None, background: bool = False
    ) -> None:
        self.script.append(self.as_line(argv, files=files, background=background))

    def as_line(self, argv: Sequence[str], *, files: Mapping[int, str] | None = None, background: bool = False) -> str:
        """A command as a line for a shell on this machine: over ssh, if the host is a board."""
        if self.board is None:
            return as_shell(self._place(argv), files=files, background=background)
        return as_shell(["ssh", "--", self.board, as_shell(argv, files=files)], background=background)

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:  # noqa: ARG002
        self.write_down(argv)
        if (found_of_pci := rehearsed_pci(argv, self.script)) is not None:
            return Result(0, found_of_pci, "")
        if argv[-1].startswith(f"{HUGE_PAGES}="):
            self.huge_pages = int(argv[-1].partition("=")[2])
        if argv[-1] == "/proc/meminfo":
            return Result(0, f"HugePages_Total: {self.huge_pages}\n", "")
        if argv[0] == "ip" and "link" in argv and "-j" in argv:
            found = {"ifname": argv[-1], "flags": ["UP", "LOWER_UP"], "address": PEER_MAC, "stats64": _NO_PACKETS}
            return Result(0, json.dumps([{**found, "ifindex": _index(argv[-1])}]), "")
        if argv[:3] == ["ethtool", "--json", "-k"]:
            return Result(0, json.dumps([_features(argv[-1], self.script)]), "")
        return Result(0, "[]" if "-j" in argv else "", "")

    def start(self, argv: Sequence[str], *, background: bool = True, **_: object) -> Process:
        self.write_down(argv, background=background)
        return RehearsedProcess(argv)

    def defer(self, argv: Sequence[str]) -> None:
        self.afterwards.append(self.as_line(argv))

    def change(self, argv: Sequence[str], *, undo: Sequence[str], feed: bytes | None = None) -> str:
        self.defer(undo)
        return self.run(argv, feed=feed)


def _index(name: str) -> int:
    """Another for each interface's name that ends in another digit, as far as a reader has to tell them apart."""
    return 2 + (int(name[-1]) if name[-1].isdigit() else 0) + (10 if name.startswith("ll") else 0)


def _features(name: str, script: Sequence[str]) -> dict[str, dict[str, bool | None]]:
    """What `ethtool -k` says: all on, but for what the script has switched since."""
    found: dict[str, dict[str, bool | None]] = {
        long: {"active": short != "lro", "fixed": None} for short, long in LONG_NAMES.items()
    }
    for line in script:
        words = line.split()
        if ["ethtool", "-K", name] in (words[:3], words[4:7]):
            switched = words[words.index(name) + 1 :]
            for short, state in zip(switched[::2], switched[1::2], strict=True):
                found[LONG_NAMES[short]]["active"] = state == "on"
    return found


_NO_PACKETS = {way: {"packets": 0, "bytes": 0} for way in ("rx", "tx")}


def rehearsed_site(
    kind: str, addresses: Addresses, kernel: Kernel, *, nic: str, peer_nic: str,
    boards: tuple[str, str] | None = None,
) -> Site:  # fmt: skip
    """`boards`: how ssh reaches hypervisor and peer; without, the peer is a namespace of the hypervisor's."""
    own, other = boards or (None, None)
    hypervisor = RehearsedHost("hypervisor", board=own)
    netns = None if boards else "peer"
    peer = RehearsedHost("peer", hypervisor.script, netns, hypervisor.afterwards, board=other)
    plan = plan_addresses(addresses.ipv4, addresses.ipv6)
    return Site(kind, hypervisor, peer, nic, peer_nic, "kvm", kernel, plan, console=str)


def rehearse_plan(plan: Plan, bench: AnyBench) -> Iterator[str]:
    """The script, line by line, each point's commands under a comment with its label."""
    addresses = Addresses() if isinstance(bench, EmulatedBench) else bench.addresses
    nics, boards = _cable(bench)
    for planned in plan.points:
        kernel = find_kernel(bench.kernel)
        site = rehearsed_site(bench.kind, addresses, kernel, nic=nics[0], peer_nic=nics[1], boards=boards)
        yield f"# {planned.number}: {planned.label}"
        yield from rehearse_point(planned.point, site)


def _cable(bench: AnyBench) -> tuple[tuple[str, str], tuple[str, str] | None]:
    """The two NICs, and how ssh reaches their machines, if they are two."""
    if isinstance(bench, BoardsBench):
        return (bench.hypervisor.nic, bench.peer.nic), (bench.hypervisor.ssh, bench.peer.ssh)
    if isinstance(bench, EmulatedBench):
        return (("eth0", "eth1"), None) if bench.machines == 1 else (("eth0", "eth0"), pair.NAMES)
    return (bench.nic or local.VETH, bench.peer_nic or local.PEER_VETH), None


def rehearse_point(point: Point, site: Site) -> list[str]:
    """One point's commands: attaching, the guest, the load, the instruments, and the undoing."""
    host = site.hypervisor
    assert isinstance(host, RehearsedHost)
    ways = attachment.KINDS[point.attachment.kind]
    site = as_asked(site, point.nic, ways.VLAN_AT)
    wirings: list[Wiring] = ways.attach(site, point.attachment, point.guest.count)
    wiring = wirings[0]
    app = End(host, site.nic, wiring.own, wiring.reach, PEER_MAC)
    if wiring.shares_memory:
        reserve(host, point.guest.count * point.guest.memory_mib)
    for number, wired in enumerate(wirings):
        if wired.visit:
            target = wired.visit.target
            agent = [*ssh_command(target, "/tmp/latlab-ssh"), "--", target.destination, PROBE, "agent"]
            host.write_down(agent, background=True)
        if not wired.devices:
            continue
        spec = MachineSpec(
            "guest" if number == 0 else f"guest{number + 1}", site.guest_kernel.image, Path("guest.cpio"),
            site.guest_accelerator, point.guest.cpus, point.guest.memory_mib, devices=wired.devices, files=wired.files,
            shares_memory=wired.shares_memory, disk=_disk(point.guest),
        )  # fmt: skip
        host.write_down(command_line(spec, "/tmp/latlab-guest"), files=wired.files, background=True)
    apps = [
        End(RehearsedHost("guest"), "eth0", wired.own, wired.reach, wired.mac) if wired.devices or wired.visit else app
        for wired in wirings
    ]
    peer_address = site.addresses.peer
    peer = End(site.peer, site.peer_nic, peer_address, peer_address, PEER_MAC)
    for end, argv, background in _traffic(point, apps[0], peer, _load_ends(point, site, wiring, apps, peer)):
        assert isinstance(end.host, RehearsedHost)
        words = end.host.as_line(argv, background=background)
        host.script.append(f"{words}  # in the guest" if end.host.name == "guest" else words)
    return [*host.script, *reversed(host.afterwards)]


def _disk(guest: Guest) -> Disk | None:
    """As if it had been looked at."""
    if guest.image is None:
        return None
    firmware = FIRMWARES["x86_64"][0] if guest.firmware == "uefi" else None
    return Disk(guest.image, "qcow2", guest.ssh_user, guest.ssh_key, guest.boot_limit_ns / 1e9, firmware)


def _load_ends(point: Point, site: Site, wiring: Wiring, apps: Sequence[End], peer: End) -> list[tuple[End, End]]:
    """Without asking the hypervisor for its interface's MAC, which is no command of the run's."""
    if point.load is None:
        return []
    if point.load.source == "hypervisor":
        here = site.addresses.hypervisor
        return [(End(site.hypervisor, wiring.nics.get("bridge", site.nic), here, here, ""), apps[0])]
    return load_ends(site, wiring, apps, point.load, peer)


def _traffic(
    point: Point, app: End, peer: End, pairs: Sequence[tuple[End, End]]
) -> Iterator[tuple[End, list[str], bool]]:
    """The load and the instruments: where each program runs, its arguments, whether it runs beside the others."""
    flow = point.flow
    sender, reflector = (app, peer) if flow.direction == "up" else (peer, app)
    family = netperf.family_of(flow)
    if point.load:
        yield from _bulk(point.load, pairs, point.load.into_app(flow.direction), family)
    for instrument in point.instruments:
        if isinstance(instrument, Probe):
            yield reflector, probe.reflect_command(flow, reflector), True
            yield sender, probe.send_command(flow, sender, reflector), False
        elif isinstance(instrument, Netperf):
            yield reflector, netperf.netserver_argv(getattr(reflector.own, family), family, NETPERF_CONTROL), True
            for test in instrument.tests:
                reach = getattr(reflector.reach, family)
                yield sender, netperf.netperf_argv(reach, family, test, instrument.transactions), False
        elif isinstance(instrument, Ping):
            yield sender, ping.ping_argv(getattr(reflector.reach, family), family, instrument), False


def _bulk(
    load: Load, pairs: Sequence[tuple[End, End]], into_app: bool, family: Family
) -> Iterator[tuple[End, list[str], bool]]:
    for lane, (share, (source, app)) in enumerate(zip(share_out(load.streams, len(pairs)), pairs, strict=True)):
        streams = Streams(load.model_copy(update={"streams": share}), source, app, into_app, family, lane)
        if load.program == "iperf3":
            yield source, iperf3.server_argv(streams), True
            yield app, iperf3.client_argv(streams), True
        else:
            client, server = netperf_streams.ends(streams)
            for number in range(share):
                yield server, netperf_streams.server_argv(streams, number), True
                yield client, netperf_streams.client_argv(streams, number), True
