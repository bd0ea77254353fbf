# SPDX-License-Identifier: Apache-2.0
"""A guest's clock against its host's, by the clock device that KVM gives its guests (drivers/ptp/ptp_kvm_*.c in Linux).

A hypercall brings back the host's CLOCK_REALTIME together with the counter at which it was read. Where the guest's own
clocksource is kvm-clock (x86) or the architecture's counter (Arm), the kernel puts its own clock at that very count
(PTP_SYS_OFFSET_PRECISE); else the guest's clock is read before and after the hypercall, and the width is the bound.
On x86 the host answers only when its own clocksource is the TSC. Bound: hard.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from latlab.attachment.wiring import End
from latlab.bench.site import Site, changes_undone
from latlab.errors import BenchError
from latlab.guest.initramfs import LATER_FOLDER
from latlab.hosts.host import Host
from latlab.timing.clock_lines import Lines, PhcLine, read_command, streaming
from latlab.timing.clock_state import read_state
from latlab.timing.guest_pair import GuestPair, guest_pair, kvm_obstacle
from latlab.timing.phc import PhcLines, error_ns
from latlab.timing.reading import Reading, Watch

NAME = "ptp-kvm"
MODULE = "ptp_kvm"
PERIOD_NS = 125_000_000
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
CLOCKS = "/sys/class/ptp"
DEVICE_NAME = "KVM virtual PTP"
"""What the device calls itself (ptp_kvm_common.c)."""


def obstacle(site: Site, sender: End, reflector: End, options: object = None) -> str | None:  # noqa: ARG001
    pair = guest_pair(site, sender, reflector)
    if isinstance(pair, str):
        return pair
    if found := kvm_obstacle(site) or _clocksource_obstacle(site.hypervisor):
        return found
    try:
        with changes_undone(pair.guest):
            find_device(pair.guest)
    except BenchError as error:
        return error.message
    return None


def _clocksource_obstacle(host: Host) -> str | None:
    """KVM answers the hypercall only from the TSC (kvm_pv_clock_pairing in Linux' arch/x86/kvm/x86.c)."""
    if host.facts.machine != "x86_64":
        return None
    source = host.read(CLOCKSOURCE).strip()
    if source in ("tsc", "hyperv_clocksource_tsc_page"):
        return None
    return f"the clocksource of {host.name} is {source}: its KVM tells guests the time only when that is tsc"


@contextmanager
def running(site: Site, sender: End, reflector: End, options: object = None) -> Iterator[Watch]:  # noqa: ARG001
    """BenchError when it does not work here."""
    pair = guest_pair(site, sender, reflector)
    if isinstance(pair, str):
        raise BenchError(f"{NAME}: {pair}", hint="Choose another timing.")
    if reason := _clocksource_obstacle(pair.hypervisor):
        raise BenchError(f"{NAME}: {reason}", hint="Choose another timing.")
    with changes_undone(pair.guest):
        device = find_device(pair.guest)
        # The device tells the host's UTC; what is compared is TAI.
        tai_offset_ns = read_state(pair.hypervisor).tai_offset_ns
        command = read_command(pair.guest, "--phc", device, period_ns=PERIOD_NS)
        with streaming(pair.guest, command) as lines:
            yield PtpKvmWatch(pair, lines, tai_offset_ns)


class PtpKvmWatch(PhcLines):
    """The guest's clock device, whose time is its host's."""

    def __init__(self, pair: GuestPair, lines: Lines, host_tai_offset_ns: int) -> None:
        super().__init__(lines)
        self._pair, self._host_tai_offset_ns = pair, host_tai_offset_ns

    def row(self, line: PhcLine, event: str | None) -> Reading:
        return self._pair.reading(
            NAME,
            guest_tai_ns=line.tai_ns,
            host_tai_ns=line.phc_ns + self._host_tai_offset_ns,
            error_ns=error_ns(line),
            event=event,
        )


def find_device(guest: Host) -> str:
    """The guest's device, `/dev/ptp0`; its driver is loaded where it is not yet, and taken away later.

    BenchError when the guest has none: no driver, or a host that does not answer.
    """
    if device := _device(guest):
        return device
    carried = guest.run_plain(["find", f"{LATER_FOLDER}/{MODULE}", "-name", "*.ko"]).stdout.split()
    for file in sorted(carried):
        name = file.rpartition("/")[2].partition("-")[2].removesuffix(".ko")
        guest.change(["insmod", file], undo=["rmmod", name])
    if not carried:
        guest.change(["modprobe", MODULE], undo=["rmmod", MODULE])
    if device := _device(guest):
        return device
    raise BenchError(f"{guest.name}: {MODULE} made no clock device", hint="Is the guest under KVM?")


def _device(guest: Host) -> str | None:
    for name in guest.run_plain(["ls", CLOCKS]).stdout.split():
        if guest.run_plain(["cat", f"{CLOCKS}/{name}/clock_name"]).stdout.strip() == DEVICE_NAME:
            return f"/dev/{name}"
    return None
