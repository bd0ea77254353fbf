# SPDX-License-Identifier: Apache-2.0
"""kvm-tsc and ptp-kvm: where they work, why not elsewhere, and whose clock is subtracted from whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from latlab.errors import BenchError
from latlab.timing import kvm_tsc, ptp_kvm
from latlab.timing.clock_lines import CounterLine, Scaling
from latlab.timing.guest_pair import GuestPair, guest_pair
from latlab.timing.kvm_tsc import TOO_EARLY, find_vcpu, join, scalings
from latlab.timing.reading import Reading
from tests.timing.machines import end, machine, site

KVM = "/sys/kernel/debug/kvm"
FOLDER = f"{KVM}/1234-12"
OURS = "qemu-system-x86_64\0-name\0guest\0-qmp\0unix:/tmp/latlab-id-of-hypervisor-guest/qmp.sock,server=on"
TSC: dict[str, Any] = {
    f"ls {KVM}": "1234-12 exits halt_exits",
    "cat /proc/1234/cmdline": OURS,
    f"find {FOLDER} -name 'tsc-*'": f"{FOLDER}/vcpu0/tsc-offset\n{FOLDER}/vcpu1/tsc-offset",
    f"grep -H '' {FOLDER}/vcpu0/tsc-offset {FOLDER}/vcpu1/tsc-offset": (
        f"{FOLDER}/vcpu0/tsc-offset:-5\n{FOLDER}/vcpu1/tsc-offset:-5\n"
    ),
}
CLOCKSOURCE = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"
DEVICE = {"ls /sys/class/ptp": "ptp0 ptp1\n", "cat /sys/class/ptp/ptp1/clock_name": "KVM virtual PTP\n"}
NO_DEVICE = {"ls /sys/class/ptp": "ptp0"}


def bench(answers: dict[str, Any] | None = None, guest: dict[str, Any] | None = None, **others: Any) -> Sequence[Any]:
    """Site, the guest's end, the peer's end: a namespace of the hypervisor."""
    facts = {key: others.pop(key) for key in ("machine", "uid") if key in others}
    hypervisor = machine("hypervisor", {**TSC, CLOCKSOURCE: "tsc\n", **(answers or {})}, **facts)
    peer = hypervisor
    return site(hypervisor, peer, **others), end(machine("guest", {**DEVICE, **(guest or {})})), end(peer, "eth1")


@pytest.mark.parametrize("method", [kvm_tsc, ptp_kvm])
def test_nothing_is_in_the_way_between_a_guest_and_its_host(method: Any) -> None:
    here, guest, peer = bench()
    assert method.obstacle(here, guest, peer) is None
    assert method.obstacle(here, peer, guest) is None


@pytest.mark.parametrize("method", [kvm_tsc, ptp_kvm])
def test_flows_that_are_not_between_a_guest_and_its_host(method: Any) -> None:
    here, guest, peer = bench()
    far = end(machine("peer"))
    apart = site(here.hypervisor, far.host)
    assert "there is no guest" in method.obstacle(here, end(here.hypervisor), peer)
    assert "both ends are guests" in method.obstacle(here, guest, end(machine("guest2")))
    assert "peer is another machine" in method.obstacle(apart, guest, far)
    assert "runs under tcg, not under KVM" in method.obstacle(site(here.hypervisor, peer.host, guest_accelerator="tcg"),
                                                              guest, peer)  # fmt: skip
    with pytest.raises(BenchError, match="there is no guest"), method.running(here, peer, peer, None):
        pass


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({"machine": "aarch64"}, "on aarch64, KVM does not tell"),
        ({"uid": 1000}, "it needs root"),
        ({"answers": {f"test -d {KVM}": 1}}, f"has no {KVM}"),
        ({"answers": {f"ls {KVM}": "exits"}}, "no virtual machine runs"),
        ({"answers": {f"ls {KVM}": "1-1 2-2", "cat /proc/1234/cmdline": ""}}, "several virtual machines run"),
        ({"answers": {f"find {FOLDER} -name 'tsc-*'": ""}}, "does not tell the TSC offset"),
    ],
)
def test_why_kvm_tsc_does_not_work(others: dict[str, Any], why: str) -> None:
    assert why in (kvm_tsc.obstacle(*bench(**others)) or "")


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({"answers": {CLOCKSOURCE: "hpet\n"}}, "the clocksource of hypervisor is hpet"),
        ({"guest": {**NO_DEVICE, "find /modules-later/ptp_kvm -name '*.ko'": 1, "modprobe ptp_kvm": 1}},
         "`modprobe ptp_kvm` ended"),
        ({"guest": NO_DEVICE}, "ptp_kvm made no clock device"),
    ],
)  # fmt: skip
def test_why_ptp_kvm_does_not_work(others: dict[str, Any], why: str) -> None:
    assert why in (ptp_kvm.obstacle(*bench(**others)) or "")


def test_the_device_is_the_one_that_kvm_gave() -> None:
    assert ptp_kvm.find_device(machine("guest", DEVICE)) == "/dev/ptp1"


def test_the_guests_own_driver_is_loaded_and_taken_away() -> None:
    carried = "/modules-later/ptp_kvm/00-ptp.ko\n/modules-later/ptp_kvm/01-ptp_kvm.ko\n"
    guest = machine("guest", {"find /modules-later/ptp_kvm -name '*.ko'": carried, **NO_DEVICE})
    with pytest.raises(BenchError):
        ptp_kvm.find_device(guest)
    assert [line for line in guest.asked if line.startswith("insmod")] == [f"insmod {f}" for f in carried.split()]
    assert guest.afterwards == ["rmmod ptp", "rmmod ptp_kvm"]


def test_debugfs_is_mounted_where_it_is_not_and_that_is_undone() -> None:
    here, guest, peer = bench({f"test -d {KVM}": 1, "mountpoint -q /sys/kernel/debug": 1})
    kvm_tsc.obstacle(here, guest, peer)
    assert here.hypervisor.afterwards == ["umount /sys/kernel/debug"]
    here, guest, peer = bench()
    kvm_tsc.obstacle(here, guest, peer)
    assert here.hypervisor.afterwards == []


def test_the_guest_is_found_among_several_by_its_sockets() -> None:
    host = machine("hypervisor", {**TSC, f"ls {KVM}": "77-3 1234-12 exits", "cat /proc/77/cmdline": "qemu -name guest"})
    assert find_vcpu(host, machine("guest")) == f"{FOLDER}/vcpu0"


def test_virtual_cpus_that_count_differently_are_said() -> None:
    text = TSC[f"grep -H '' {FOLDER}/vcpu0/tsc-offset {FOLDER}/vcpu1/tsc-offset"]
    assert len(scalings(text)) == 1
    different = text.replace("vcpu1/tsc-offset:-5", "vcpu1/tsc-offset:-6")
    assert len(scalings(different)) == 2
    here, guest, peer = bench({key: different for key in TSC if key.startswith("grep")})
    assert "do not count alike" in (kvm_tsc.obstacle(here, guest, peer) or "")


def pair(guest_reflects: bool) -> GuestPair:
    here, guest, peer = bench()
    found = guest_pair(here, peer, guest) if guest_reflects else guest_pair(here, guest, peer)
    assert isinstance(found, GuestPair)
    return found


SCALING = Scaling(-1_000_000)
TAI_NS = 1_800_000_000_000_000_000


def host_lines(*counters: int) -> list[CounterLine]:
    """Of a host whose counter counts nanoseconds."""
    return [CounterLine(TAI_NS + counter, counter, 10, SCALING) for counter in counters]


GUEST = CounterLine(TAI_NS + 50_000_000 + 7_000, 50_000_000 - 1_000_000, 10)
"""Read when the host's counter stood at 50 ms; the guest's clock is 7 us ahead."""
HOST = host_lines(0, 25_000_000, 49_000_000, 74_000_000, 99_000_000, 124_000_000)


@pytest.mark.parametrize("guest_reflects", [True, False])
def test_the_reflectors_clock_minus_the_senders(guest_reflects: bool) -> None:
    row = join(pair(guest_reflects), HOST, GUEST)
    assert isinstance(row, Reading)
    assert (row.host, row.reference, row.source) == ("reflector", "sender", "kvm-tsc")
    assert row.offset_ns == pytest.approx(7_000 if guest_reflects else -7_000, abs=20)
    assert row.error_ns is not None
    assert 10 <= row.error_ns < 60
    assert row.time_ns == pytest.approx(GUEST.tai_ns - (7_000 if guest_reflects else 0), abs=60)


def test_a_reading_waits_for_two_of_the_host_after_it() -> None:
    for count in range(5):
        assert join(pair(True), HOST[:count], GUEST) is TOO_EARLY
    assert isinstance(join(pair(True), HOST[:5], GUEST), Reading)


def test_a_reading_that_came_before_the_hosts_is_left_out() -> None:
    assert join(pair(True), HOST[2:], GUEST) is None


def test_a_counter_that_kvm_changed_meanwhile_is_not_compared() -> None:
    lines = [CounterLine(l.tai_ns, l.counter, l.ticks, Scaling(-2_000_000)) for l in HOST[:2]] + HOST[2:]  # noqa: E741
    assert join(pair(True), lines, GUEST) is None


class Lines:
    """A stream that has said all it will say."""

    failure: str | None = None

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def take(self) -> list[str]:
        texts, self._texts = self._texts, []
        return texts


def text(line: CounterLine) -> str:
    vcpu = f',"offset":{line.scaling.offset},"ratio":null,"bits":null' if line.scaling else ""
    return f'{{"tai_ns":{line.tai_ns},"counter":{line.counter},"ticks":{line.ticks},"of":"tsc"{vcpu}}}'


def test_two_streams_become_rows() -> None:
    watch = kvm_tsc.TscWatch(pair(True), Lines(*map(text, HOST)), Lines(text(GUEST)))
    assert len(watch.take()) == 1
    assert watch.take() == []
    assert watch.failure is None


def test_a_guest_whose_counter_does_not_fit_is_said_and_not_waited_for_forever() -> None:
    strange = [text(CounterLine(TAI_NS, 10**15 + n, 10)) for n in range(3 * kvm_tsc.MISFITS_MAX)]
    watch = kvm_tsc.TscWatch(pair(True), Lines(*map(text, HOST)), Lines(*strange))
    assert watch.take() == []
    assert "is not what KVM tells" in (watch.failure or "")


def test_what_is_no_line_ends_the_watching_with_a_reason() -> None:
    watch = kvm_tsc.TscWatch(pair(True), Lines("oops"), Lines())
    assert watch.take() == []
    assert "no reading of a clock" in (watch.failure or "")


@pytest.mark.parametrize(("way", "width", "error"), [("precise", 0, 4), ("basic", 2_001, 1_002)])
def test_ptp_kvm_puts_both_on_tai(way: str, width: int, error: int) -> None:
    guest_tai, host_utc = TAI_NS + 9_000, TAI_NS - 37 * 10**9
    line = f'{{"tai_ns":{guest_tai},"phc_ns":{host_utc},"width_ns":{width},"way":"{way}","tai_offset_ns":0}}'
    watch = ptp_kvm.PtpKvmWatch(pair(False), Lines(line, line), 37 * 10**9)
    first, second = watch.take()
    assert (first.offset_ns, first.error_ns, first.time_ns) == (-9_000, error, guest_tai)
    assert way.upper() in (first.event or "") or "PTP_SYS_OFFSET)" in (first.event or "")
    assert second.event is None
