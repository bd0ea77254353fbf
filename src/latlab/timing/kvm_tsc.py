# SPDX-License-Identifier: Apache-2.0
"""A guest's clock against its host's, by the processor's counter (TSC), of which KVM tells how the guest's is made.

No packet and no device is involved: `latlab-probe clock read --counter` runs in both, and debugfs tells offset and
scaling of the guest's virtual CPUs: /sys/kernel/debug/kvm/<pid>-<fd>/vcpu0/tsc-offset, tsc-scaling-ratio, and
tsc-scaling-ratio-frac-bits (Linux' arch/x86/kvm/debugfs.c). Needs root on an x86 hypervisor. The bound is that of
`counter.py`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from latlab.attachment.wiring import End
from latlab.bench.site import Site, changes_undone
from latlab.errors import BenchError, MeasurementError
from latlab.hosts.host import Host
from latlab.timing.clock_lines import CounterLine, Lines, parse_counter, read_command, streaming
from latlab.timing.counter import compare, guest_counter, point, signed
from latlab.timing.guest_pair import GuestPair, guest_pair, kvm_obstacle
from latlab.timing.reading import Reading, Watch

NAME = "kvm-tsc"
DEBUGFS = "/sys/kernel/debug"
GUEST_PERIOD_NS = 125_000_000
HOST_PERIOD_NS = 25_000_000
"""Five times as often: the nearer the host's readings, the narrower the bound; and a servo that acts 8 times a second
changes the rate at most once in four of them."""
KEPT_LINES = 400
"""Of the host, 10 s."""
MISFITS_MAX = 80
"""Readings of the guest in a row, 10 s, that no readings of the host surround."""


def obstacle(site: Site, sender: End, reflector: End, options: object = None) -> str | None:  # noqa: ARG001
    pair = guest_pair(site, sender, reflector)
    if isinstance(pair, str):
        return pair
    host = site.hypervisor
    if host.facts.machine != "x86_64":
        return f"on {host.facts.machine}, KVM does not tell how a guest's counter is made: ptp-kvm works there"
    if host.facts.uid != 0:
        return f"it needs root on {host.name}: debugfs is root's alone"
    if found := kvm_obstacle(site):
        return found
    try:
        with changes_undone(host):
            mount_debugfs(host)
            find_vcpu(host, pair.guest)
    except BenchError as error:
        return error.message
    return None


@contextmanager
def running(site: Site, sender: End, reflector: End, options: object = None) -> Iterator[Watch]:  # noqa: ARG001
    """BenchError when it does not work here."""
    pair = guest_pair(site, sender, reflector)
    if isinstance(pair, str):
        raise BenchError(f"{NAME}: {pair}", hint="Choose another timing.")
    host, guest = pair.hypervisor, pair.guest
    with changes_undone(host):
        mount_debugfs(host)
        vcpu = find_vcpu(host, guest)
        asked = read_command(host, "--counter", "--vcpu", vcpu, period_ns=HOST_PERIOD_NS)
        plain = read_command(guest, "--counter", period_ns=GUEST_PERIOD_NS)
        with streaming(host, asked) as of_host, streaming(guest, plain) as of_guest:
            yield TscWatch(pair, of_host, of_guest)


class TscWatch:
    """Joins the two streams. A reading of the guest waits until two of the host's have come after it."""

    def __init__(self, pair: GuestPair, of_host: Lines, of_guest: Lines) -> None:
        self._pair, self._of_host, self._of_guest = pair, of_host, of_guest
        self._host: deque[CounterLine] = deque(maxlen=KEPT_LINES)
        self._waiting: deque[CounterLine] = deque()
        self._misfits = 0
        self._broken: str | None = None

    @property
    def failure(self) -> str | None:
        return self._broken or self._of_host.failure or self._of_guest.failure

    def take(self) -> list[Reading]:
        readings: list[Reading] = []
        try:
            self._host.extend(map(parse_counter, self._of_host.take()))
            self._waiting.extend(map(parse_counter, self._of_guest.take()))
        except MeasurementError as error:
            self._broken = error.message
        while self._waiting and self._broken is None:
            joined = join(self._pair, self._host, self._waiting[0])
            if joined is TOO_EARLY and len(self._waiting) < MISFITS_MAX:
                break
            self._waiting.popleft()
            if isinstance(joined, Reading):
                readings.append(joined)
                self._misfits = 0
            else:
                self._misfits += 1
        if self._misfits >= MISFITS_MAX:
            self._broken = "the guest's counter is not what KVM tells: is it this hypervisor's guest?"
        return readings


TOO_EARLY = object()
"""The host has not read its clock twice since."""


def join(pair: GuestPair, host: Sequence[CounterLine], guest: CounterLine) -> Reading | object | None:
    """A reading of the guest as a row; `TOO_EARLY`; or None when it cannot be compared: no readings of the host before
    it, or KVM changed the guest's counter meanwhile. Pure.
    """
    if len(host) < 4 or host[-1].scaling is None:
        return TOO_EARLY
    zero = guest.counter
    # From the newest backwards: the guest's reading is one of the last.
    for last in range(len(host) - 1, 2, -1):
        window = [host[n] for n in range(last - 3, last + 1)]
        scaling = window[-1].scaling
        if scaling is None or signed(guest_counter(window[2].counter, scaling) - zero) < 0:
            return TOO_EARLY
        if signed(guest_counter(window[1].counter, scaling) - zero) > 0:
            continue
        if any(line.scaling != scaling for line in window):
            return None
        points = [point(line, zero, scaling) for line in window]
        compared = compare(points[:2], points[2:], point(guest, zero))
        if compared is None:
            return None
        return pair.reading(
            NAME, guest_tai_ns=compared.guest_tai_ns, host_tai_ns=compared.host_tai_ns, error_ns=compared.error_ns
        )
    return None


def mount_debugfs(host: Host) -> None:
    """Where it is not mounted; undone later. BenchError when KVM tells nothing there."""
    folder = f"{DEBUGFS}/kvm"
    if host.run_plain(["test", "-d", folder]).exit_code == 0:
        return
    if host.run_plain(["mountpoint", "-q", DEBUGFS]).exit_code:
        host.change(["mount", "-t", "debugfs", "debugfs", DEBUGFS], undo=["umount", DEBUGFS])
    if host.run_plain(["test", "-d", folder]).exit_code:
        raise BenchError(
            f"{host.name} has no {folder}", hint="Is kvm loaded? A kernel in lockdown (secure boot) does not show it."
        )


def find_vcpu(host: Host, guest: Host) -> str:
    """The debugfs folder of the guest's first virtual CPU. BenchError when it cannot be told, or when the CPUs of the
    guest do not count alike.
    """
    listed = host.run(["ls", f"{DEBUGFS}/kvm"]).split()
    machines = {name: name.partition("-")[0] for name in listed if re.fullmatch(r"[0-9]+-[0-9]+", name)}
    ours = f"/tmp/latlab-{host.facts.id}-{guest.name}/"
    named = [name for name, pid in machines.items() if ours in host.run_plain(["cat", f"/proc/{pid}/cmdline"]).stdout]
    found = named or list(machines)
    if len(found) != 1:
        how_many = "no virtual machine runs" if not found else "several virtual machines run"
        raise BenchError(f"{host.name}: {how_many} under KVM: which one is {guest.name} cannot be told")
    folder = f"{DEBUGFS}/kvm/{found[0]}"
    files = host.run(["find", folder, "-name", "tsc-*"]).split()
    if not any(file.endswith("/vcpu0/tsc-offset") for file in files):
        raise BenchError(f"{host.name}: {folder} does not tell the TSC offset of its virtual CPUs")
    said = host.run(["grep", "-H", "", *sorted(files)])
    if len(scalings(said)) != 1:
        raise BenchError(f"{host.name}: the virtual CPUs of {guest.name} do not count alike: their TSC offsets differ")
    return f"{folder}/vcpu0"


def scalings(said: str) -> set[tuple[tuple[str, str], ...]]:
    """The different settings of virtual CPUs, from lines `.../vcpu0/tsc-offset:-123`. Pure."""
    of_cpu: dict[str, dict[str, str]] = {}
    for line in said.splitlines():
        path, _, value = line.rpartition(":")
        folder, _, name = path.rpartition("/")
        of_cpu.setdefault(folder, {})[name] = value.strip()
    return {tuple(sorted(settings.items())) for settings in of_cpu.values()}
