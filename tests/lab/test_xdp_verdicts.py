# SPDX-License-Identifier: Apache-2.0
"""The XDP forwarder in this machine's own kernel, on frames of our making (BPF_PROG_TEST_RUN), beside a model of it.

Frames of less than an Ethernet header are not among them: the kernel refuses to run a program on those (asserted here),
as no driver hands them up. Runts are therefore frames that end inside their VLAN tag.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latlab.attachment.forwarder import PATHS, PROGRAM, SETTINGS
from latlab.hosts.local import forwarder_path
from tests.lab import bpf_calls
from tests.lab.bpf_calls import Map, run_xdp
from tests.lab.forwarder_model import XDP_PASS, XDP_REDIRECT, Model
from tests.lab.machine_state import is_root

T = TypeVar("T")
NAMES = ("xv0", "xv1", "xv2", "xv3")
"""The NIC, two taps, and an interface that is no port (any more)."""
OWN_MAC = bytes.fromhex("02aaaaaaaa01")
STATIONS = tuple(bytes.fromhex(f"0200000000{n:02x}") for n in range(1, 5))
MANY = (b"\xff" * 6, bytes.fromhex("333300000001"), bytes.fromhex("0180c2000000"))
ODD = (bytes(6), OWN_MAC)
AGEING_NS = 100 * 10**9
MAX_STATIONS = 4096
CLONE_NEWNET = 0x40000000


class Loaded:
    """The forwarder, pinned in `folder`, and four interfaces in a network namespace that one thread is in."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self._there = ThreadPoolExecutor(1, initializer=_enter, initargs=(namespace,))
        self.indexes = [_index(namespace, name) for name in NAMES]
        self.program = bpf_calls.open_pinned(f"{folder}/programs/{PROGRAM}")
        cpus = _possible_cpus()
        self.counted = Map(f"{folder}/maps/counters", 4, 8, cpus=cpus)
        self.stations = Map(f"{folder}/maps/stations", 8, 16)
        ports, set_ = Map(f"{folder}/maps/ports", 4, 4), Map(f"{folder}/maps/settings", 4, 24)
        set_.set(bytes(4), struct.pack(SETTINGS, AGEING_NS, self.indexes[0], OWN_MAC))
        for index in self.indexes[:3]:
            key = struct.pack("<I", index)
            self.call(partial(ports.set, key, key))
        ports.close()
        set_.close()

    def call(self, function: Callable[[], T]) -> T:
        """In the namespace, where the interfaces' indexes mean what we mean."""
        return self._there.submit(function).result()

    def reset(self) -> Model:
        for key in list(self.stations.every_key()):
            self.stations.delete(key)
        for number in range(2 * len(PATHS)):
            self.counted.set(struct.pack("<I", number), bytes(8 * _possible_cpus()))
        return Model(self.indexes[0], self.indexes[:3], OWN_MAC)

    def frame(self, frame: bytes, port: int) -> int:
        """The verdict. The frame itself must come out as it went in."""
        verdict, after, _ = self.call(lambda: run_xdp(self.program, frame, port))
        assert after == frame
        return verdict

    def set_age(self, key: bytes, age_ns: int) -> None:
        port = struct.unpack_from("<I", self.stations.get(key), 8)[0]
        seen_ns = (time.monotonic_ns() - age_ns) % 2**64
        self.stations.set(key, struct.pack("<QII", seen_ns, port, 0))

    def table(self) -> dict[tuple[bytes, int], int]:
        found = {}
        for key in self.stations.every_key():
            mac, vlan = struct.unpack("<6sH", key)
            found[mac, vlan] = struct.unpack_from("<I", self.stations.get(key), 8)[0]
        return found

    def counters(self) -> dict[tuple[str, str], int]:
        found = {}
        for number in range(2 * len(PATHS)):
            each = struct.unpack(f"<{_possible_cpus()}Q", self.counted.get(struct.pack("<I", number)))
            if sum(each):
                found[("nic", "tap")[number // len(PATHS)], PATHS[number % len(PATHS)]] = sum(each)
        return found

    def close(self) -> None:
        self._there.shutdown()
        os.close(self.program)
        self.counted.close()
        self.stations.close()


def _enter(namespace: str) -> None:
    import ctypes

    with Path(f"/run/netns/{namespace}").open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def _index(namespace: str, name: str) -> int:
    return int(json.loads(_run("ip", "-n", namespace, "-j", "link", "show", "dev", name))[0]["ifindex"])


def _possible_cpus() -> int:
    """As the kernel counts them: `0-3` are 4."""
    return int(Path("/sys/devices/system/cpu/possible").read_text().strip().rpartition("-")[2]) + 1


@pytest.fixture(scope="module")
def forwarder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    if not is_root():
        pytest.skip("needs root")
    folder, namespace = tmp_path_factory.mktemp("bpf"), f"latlab-xdp-{os.getpid()}"
    _run("ip", "netns", "add", namespace)
    try:
        for one, other in (NAMES[:2], NAMES[2:]):
            _run("ip", "-n", namespace, "link", "add", one, "type", "veth", "peer", "name", other)
        _run("mount", "-t", "bpf", "bpf", str(folder))
        try:
            _run("bpftool", "prog", "loadall", forwarder_path(), f"{folder}/programs", "type", "xdp",
                 "pinmaps", f"{folder}/maps")  # fmt: skip
            loaded = Loaded(folder, namespace)
            yield loaded
            loaded.close()
        finally:
            _run("umount", str(folder))
    finally:
        _run("ip", "netns", "del", namespace)


def tag(protocol: int) -> st.SearchStrategy[bytes]:
    """With IDs that repeat, priority bits, and 0: a priority without a VLAN."""
    control = st.builds(lambda pcp, vlan: pcp << 13 | vlan, st.integers(0, 7), st.sampled_from((0, 1, 7, 4095)))
    return control.map(lambda bits: struct.pack(">HH", protocol, bits))


untagged = st.just(b"")
tags = st.one_of(
    untagged,
    tag(0x8100),
    tag(0x88A8),
    st.builds(lambda outer, inner: outer + inner, tag(0x88A8), tag(0x8100)),  # QinQ
    st.builds(lambda outer, inner: outer + inner, tag(0x8100), tag(0x8100)),
)
payloads = st.one_of(st.binary(max_size=60), st.integers(0, 9000).map(bytes))
whole = st.builds(
    lambda to, sender, tagged, payload: to + sender + tagged + b"\x08\x00" + payload,
    st.sampled_from((*STATIONS, *STATIONS, *MANY, *ODD)),
    st.sampled_from((*STATIONS, *STATIONS, *MANY, *ODD)),
    tags,
    payloads,
)
runts = st.builds(
    lambda to, sender, tagged, kept: (to + sender + tagged)[:kept],
    st.sampled_from(STATIONS),
    st.sampled_from(STATIONS),
    st.one_of(tag(0x8100), tag(0x88A8)),
    st.integers(14, 16),
)
frames = st.one_of(whole, whole, whole, runts, st.binary(min_size=14, max_size=80))
arrivals = st.tuples(st.just("frame"), st.integers(0, 3), frames)
ages = st.tuples(st.sampled_from(("stale", "nearly")), st.integers(0, 7), st.just(b""))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.one_of(arrivals, arrivals, arrivals, ages), max_size=40))
def test_verdicts_table_and_counters_are_the_model_s(forwarder: Loaded, steps: list[tuple[str, int, bytes]]) -> None:
    model = forwarder.reset()
    for what, number, frame in steps:
        if what == "frame":
            port = forwarder.indexes[number]
            assert forwarder.frame(frame, port) == model.frame(frame, port), frame[:22].hex()
        elif model.stations:
            station = sorted(model.stations)[number % len(model.stations)]
            age_ns = AGEING_NS * 3 // 2 if what == "stale" else AGEING_NS // 2
            forwarder.set_age(struct.pack("<6sH", *station), age_ns)
            if what == "stale":
                model.stale.add(station)
            else:
                model.stale.discard(station)
    assert forwarder.table() == model.stations
    assert forwarder.counters() == dict(model.counters)


def hello(sender: bytes, to: bytes = MANY[0], tagged: bytes = b"", size: int = 60) -> bytes:
    return (to + sender + tagged + b"\x08\x00").ljust(size, b"\0")


def test_a_station_that_moves_is_found_where_it_went(forwarder: Loaded) -> None:
    forwarder.reset()
    nic, tap, other, _ = forwarder.indexes
    one, two = STATIONS[:2]
    assert forwarder.frame(hello(one), tap) == XDP_PASS
    assert forwarder.frame(hello(two, one), nic) == XDP_REDIRECT
    assert forwarder.frame(hello(one), other) == XDP_PASS
    assert forwarder.table()[one, 0] == other
    assert forwarder.frame(hello(two, one), tap) == XDP_REDIRECT
    # And never back to where a frame came from.
    assert forwarder.frame(hello(two, one), other) == XDP_PASS
    assert forwarder.counters()["tap", "passed: same port"] == 1


def test_vlans_are_apart(forwarder: Loaded) -> None:
    """The same address is another station in another VLAN; the inner tag of two does not matter."""
    forwarder.reset()
    nic, tap = forwarder.indexes[:2]
    five, six = struct.pack(">HH", 0x8100, 5), struct.pack(">HH", 0x8100, 6)
    forwarder.frame(hello(STATIONS[0], tagged=five), tap)
    assert forwarder.frame(hello(STATIONS[1], STATIONS[0], tagged=five), nic) == XDP_REDIRECT
    assert forwarder.frame(hello(STATIONS[1], STATIONS[0], tagged=six), nic) == XDP_PASS
    assert forwarder.frame(hello(STATIONS[1], STATIONS[0]), nic) == XDP_PASS
    double = struct.pack(">HHHH", 0x88A8, 5, 0x8100, 6)
    assert forwarder.frame(hello(STATIONS[1], STATIONS[0], tagged=double), nic) == XDP_REDIRECT


@pytest.mark.parametrize("size", [14, 60, 1514, 3000, 9014])
def test_length_does_not_matter(forwarder: Loaded, size: int) -> None:
    forwarder.reset()
    nic, tap = forwarder.indexes[:2]
    forwarder.frame(hello(STATIONS[0]), tap)
    assert forwarder.frame(hello(STATIONS[1], STATIONS[0], size=size), nic) == XDP_REDIRECT


def test_the_kernel_runs_nothing_on_less_than_a_header(forwarder: Loaded) -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        forwarder.call(lambda: run_xdp(forwarder.program, bytes(13), forwarder.indexes[0]))
    assert caught.value.errno == errno.EINVAL


def test_a_full_table_forgets_somebody_for_the_newest(forwarder: Loaded) -> None:
    forwarder.reset()
    nic, tap = forwarder.indexes[:2]
    macs = [struct.pack(">HI", 0x0202, number) for number in range(MAX_STATIONS + 500)]
    for mac in macs:
        forwarder.frame(hello(mac), tap)
    assert MAX_STATIONS // 2 < len(forwarder.table()) <= MAX_STATIONS
    assert forwarder.frame(hello(STATIONS[0], macs[-1]), nic) == XDP_REDIRECT
    assert forwarder.counters()["tap", "learnt"] == len(macs)
