# SPDX-License-Identifier: Apache-2.0
"""Clocks for real, in one emulated bench: a guest and its host compared in two ways that know nothing of each other and
by the packets between them, a NIC's clock read and told, faults injected, seen, and taken back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from latlab.attached import SetUp, attached
from latlab.bench.opening import open_bench
from latlab.bench.site import Site, changes_undone
from latlab.hosts.commands import CommandLog
from latlab.measure import probe
from latlab.scenario.attachments import Attachment
from latlab.scenario.bench_model import EmulatedBench
from latlab.scenario.model import Flow, Guest, Point, Probe
from latlab.timing import clock_faults, kvm_tsc, phc, ptp_kvm, stamping
from latlab.timing.clock_state import read_state
from latlab.timing.reading import Reading
from tests.probe.program import HEADER_BYTES, RECORD, REPLIED, a, a2, w, w2

WATCHED_S = 3.0
METHODS = (kvm_tsc, ptp_kvm)
WAVERING_NS = 100
"""What two rows, or a row and a packet, may differ more than their bounds because they are not of one moment: the
kernel's own steering of its clock, 250 ppb, for the 125 ms between two readings, of both ends."""
SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """A bench with a guest behind tap and bridge."""
    kind = TypeAdapter[Any](Attachment).validate_python({"kind": "tap-bridge"})
    point = Point(attachment=kind, flow=Flow(), load=None, guest=Guest(), instruments=(Probe(),))
    folder: Path = tmp_path_factory.mktemp("clocks")
    with (
        open_bench("clocks", EmulatedBench(), CommandLog()) as site,
        attached(point, site, "run", folder / "console") as made,
    ):
        yield made


def need_tsc(made: SetUp) -> None:
    """An emulated processor that stood still makes its kernel give up the TSC, and KVM then pairs no clocks."""
    source = made.site.hypervisor.read(SOURCE).strip()
    if source != "tsc":
        pytest.skip(f"the hypervisor's kernel went over to {source} by itself: this machine is overloaded")


def watch(made: SetUp, *methods: Any, up: bool = False, during: Any = None) -> list[list[Reading]]:
    """The rows of methods that run at the same time."""
    if ptp_kvm in methods:
        need_tsc(made)
    sender, reflector = (made.app, made.peer) if up else (made.peer, made.app)
    with ExitStack() as stack:
        watches = [stack.enter_context(m.running(made.site, sender, reflector, None)) for m in methods]
        time.sleep(WATCHED_S)
        if during:
            during()
            time.sleep(WATCHED_S)
        rows = [watch.take() for watch in watches]
        assert [watch.failure for watch in watches] == [None] * len(methods)
    return rows


def columns(rows: Sequence[Reading]) -> tuple[Any, Any, Any]:
    table = [(row.time_ns, row.offset_ns or 0, row.error_ns or 0) for row in rows]
    times, offsets, errors = np.array(table, np.int64).T
    return times, offsets, errors


def disagreement_ns(one: Sequence[Reading], other: Sequence[Reading]) -> Any:
    """By how much more than their bounds the first's rows differ from what stands between the second's."""
    times, offsets, errors = columns(one)
    other_times, other_offsets, other_errors = columns(other)
    inside = (times > other_times[0]) & (times < other_times[-1])
    assert inside.sum() >= 5
    base = int(other_offsets[0])
    between = np.interp(times - other_times[0], other_times - other_times[0], other_offsets - base)
    bound = errors + other_errors.max() + WAVERING_NS
    return (np.abs(offsets - base - between) - bound)[inside]


def test_nothing_is_in_the_way_and_nothing_is_left(ready: SetUp) -> None:
    need_tsc(ready)
    hypervisor, guest = ready.site.hypervisor, ready.app.host
    for method in METHODS:
        assert method.obstacle(ready.site, ready.peer, ready.app) is None
        assert method.obstacle(ready.site, ready.app, ready.peer) is None
    assert hypervisor.run_plain(["mountpoint", "-q", "/sys/kernel/debug"]).exit_code != 0
    assert "ptp_kvm" not in guest.read("/proc/modules")


@pytest.mark.parametrize("up", [True, False])
def test_two_ways_that_know_nothing_of_each_other_agree(ready: SetUp, up: bool) -> None:
    by_counter, by_device = watch(ready, *METHODS, up=up)
    assert by_device[0].event is not None
    assert "PRECISE" in by_device[0].event
    assert disagreement_ns(by_counter, by_device).max() <= 0
    _, _, errors = columns(by_counter)
    print(f"bounds: kvm-tsc {np.median(errors):.0f} ns, ptp-kvm {by_device[0].error_ns} ns")  # noqa: T201


def test_a_guest_on_another_clocksource_is_read_around_the_hypercall(ready: SetUp) -> None:
    guest = ready.app.host
    with changes_undone(guest):
        # Its own one is kvm-clock, which alone can be put at the count that the host tells.
        guest.change(["sh", "-c", f"echo tsc > {SOURCE}"], undo=["sh", "-c", f"echo kvm-clock > {SOURCE}"])
        by_counter, by_device = watch(ready, *METHODS)
    assert "(PTP_SYS_OFFSET)" in (by_device[0].event or "")
    assert disagreement_ns(by_counter, by_device).max() <= 0
    assert guest.read(SOURCE).strip() == "kvm-clock"


class Taken:
    """A sink."""

    def __init__(self) -> None:
        self.data = bytearray()

    @property
    def bytes_written(self) -> int:
        return len(self.data)

    def append(self, data: bytes | memoryview, /) -> None:
        self.data += data


@pytest.mark.parametrize("method", METHODS)
def test_no_packet_arrives_before_it_was_sent(ready: SetUp, method: Any) -> None:
    """The packets themselves are the judge: on the sender's clock, the reflector's times stand between the sender's."""
    flow = Flow(count=200, period_ns=10_000_000)
    probe.warm_up(flow, ready.peer, ready.app)
    sink = Taken()
    (rows,) = watch(ready, method, during=lambda: probe.measure(flow, ready.peer, ready.app, sink))
    records = np.frombuffer(bytes(sink.data[HEADER_BYTES:]), RECORD)
    stamps = records["stamps"][(records["flags"] & REPLIED) != 0]
    assert len(stamps) > 150
    times, offsets, errors = columns(rows)
    base = int(offsets[0])
    offset = np.interp(stamps[:, w] - times[0], times - times[0], offsets - base)
    bound = int(np.median(errors)) + WAVERING_NS
    assert (stamps[:, a] - base - offset - stamps[:, w] >= -bound).all()
    assert (stamps[:, a2] - (stamps[:, w2] - base - offset) >= -bound).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_seen_in_its_size_and_taken_back(ready: SetUp, method: Any) -> None:
    site, host = ready.site, ready.site.hypervisor
    before = read_state(host)
    stepped: list[int] = []

    def make() -> None:
        clock_faults.step(site, host, 3_000_000)
        stepped.append(read_state(host).wall_offset_ns - before.wall_offset_ns)

    with changes_undone(host):
        (rows,) = watch(ready, method, during=make)
    assert abs(stepped[0] - 3_000_000) < 500_000
    assert abs(read_state(host).wall_offset_ns - before.wall_offset_ns) < 500_000
    _, offsets, errors = columns(rows)
    narrow = offsets[errors < 500_000]
    # The host is the sender: what it gains, the reflector loses.
    assert abs(int(narrow[-1] - narrow[0]) + 3_000_000) < 100_000


@pytest.mark.parametrize("method", METHODS)
def test_a_ramp_is_seen_in_its_size_and_taken_back(ready: SetUp, method: Any) -> None:
    site, host = ready.site, ready.site.hypervisor
    before = read_state(host).frequency_scaled
    plain = rate_ppb(watch(ready, method)[0])
    with changes_undone(host):
        clock_faults.ramp(site, host, 50_000)
        ramped = rate_ppb(watch(ready, method)[0])
    assert ramped - plain == pytest.approx(-50_000, abs=2_000)
    assert read_state(host).frequency_scaled == before


def rate_ppb(rows: Sequence[Reading]) -> float:
    times, offsets, errors = columns(rows)
    good = errors < 5 * np.median(errors)
    slope: float = np.polyfit((times - times[0])[good], (offsets - offsets[0])[good], 1)[0]
    return slope * 1e9


def test_a_nics_clock_is_read_and_its_filter_told_and_told_back(ready: SetUp) -> None:
    site, host = ready.site, ready.site.hypervisor
    found = stamping.look(host, site.nic)
    assert found.phc is not None
    wanted = stamping.decide(found)
    assert wanted.hardware
    with changes_undone(host):
        stamping.tell(site, host, found, wanted)
        assert stamping.look(host, site.nic).config == {"transmit": "on", "receive": wanted.receive}
    assert stamping.look(host, site.nic).config == found.config
    with phc.running(site, ready.peer, phc_end(ready), None) as clocks:
        time.sleep(WATCHED_S)
        rows = clocks.take()
        assert clocks.failure is None
    for role in ("sender", "reflector"):
        own = [row for row in rows if row.host == role]
        assert len(own) >= 5
        assert "EXTENDED" in (own[0].event or "")
        assert abs(rate_ppb(own)) < 1_000_000


def phc_end(made: SetUp) -> Any:
    """The hypervisor's own NIC, as an end."""
    from latlab.ends import hypervisor_end

    return hypervisor_end(made.site, made.wiring)


def test_a_host_on_another_clocksource_is_an_obstacle_that_names_it(ready: SetUp) -> None:
    need_tsc(ready)
    site: Site = ready.site
    with changes_undone(site.hypervisor):
        site.hypervisor.change(["sh", "-c", f"echo hpet > {SOURCE}"], undo=["sh", "-c", f"echo tsc > {SOURCE}"])
        assert "is hpet" in (ptp_kvm.obstacle(site, ready.peer, ready.app) or "")
        # The counter is the same whatever the kernels tell their time by.
        assert len(watch(ready, kvm_tsc)[0]) >= 5
    assert site.hypervisor.read(SOURCE).strip() == "tsc"
