# SPDX-License-Identifier: Apache-2.0
"""What the XDP forwarder costs beside the kernel bridge, in instructions, which no other load on the machine changes.

    .venv/bin/python benchmarks/xdp_overhead.py [--count 1000] [--json FILE]

An emulated machine of one CPU runs in virtual time: `-icount shift=2,sleep=off`, where each instruction takes 4 ns and
idle time takes none. In it two namespaces exchange packets: over one veth pair (the floor), and over two that are
joined by the bridge, or by the forwarder. A round trip crosses the joint twice, so half of what it takes beyond the
floor, over 4 ns, is the instructions of one crossing: the joint itself, and the second veth pair.

All variants have the offloads that XDP on veth needs (checksums made by the sender, GRO polling at the ends), so they
differ in the joint alone; "as found" is the bridge without those. Needs no root; QEMU, bpftool and a built latlab.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from latlab.attachment.forwarder import PROGRAM, Forwarder
from latlab.attachment.wiring import End
from latlab.bench.emulated import spec as emulated_spec
from latlab.bench.site import Address, changes_undone, link
from latlab.features import switch_features
from latlab.guest.kernel import find_kernel
from latlab.guest.machine import Machine, command_line
from latlab.hosts.host import Host
from latlab.hosts.local import open_local_host
from latlab.measure.probe import measure, warm_up
from latlab.scenario.model import Flow
from latlab.stats.records import HEADER_BYTES, RECORD, REPLIED

NS_PER_INSTRUCTION = 4
"""`shift=2`."""
SIZES = (128, 1400)
NEAR, FAR = Address("198.18.78.1", "2001:2:0:78::1"), Address("198.18.78.2", "2001:2:0:78::2")
VARIANTS = ("one cable", "bridge, as found", "bridge", "xdp generic", "xdp native")
FLOOR = VARIANTS[0]


class Kept:
    """A sink that keeps the records."""

    def __init__(self) -> None:
        self.data = bytearray()

    def append(self, data: bytes | memoryview, /) -> None:
        self.data += data

    @property
    def bytes_written(self) -> int:
        return len(self.data)


@contextmanager
def virtual_time_machine() -> Iterator[Host]:
    """An emulated machine whose clock counts instructions."""
    on = open_local_host("this machine")
    try:
        kernel = find_kernel()
        spec = replace(emulated_spec(kernel, accelerator="tcg", cpus=1, memory_mib=1024), name="virtual-time")
        folder = f"/tmp/latlab-{on.facts.id}-virtual-time"
        on.defer(["rm", "-rf", folder])
        on.run(["mkdir", "-m", "700", folder])
        argv = ["tcg,thread=single" if word == "tcg,thread=multi" else word for word in command_line(spec, folder)]
        qemu = on.start([*argv, "-icount", f"shift={NS_PER_INSTRUCTION.bit_length() - 1},sleep=off"])
        machine = Machine(on, spec, folder, on.log, qemu)
        try:
            machine.host.run(["modprobe", "-a", "veth", "bridge"])
            yield machine.host
        finally:
            machine.stop()
    finally:
        on.close()


def cable(host: Host, name: str, other: str, namespace: str) -> None:
    """A veth pair whose `other` end is in the namespace."""
    host.change(
        ["ip", "link", "add", name, "type", "veth", "peer", "name", other, "netns", namespace],
        undo=["ip", "link", "del", "dev", name],
    )
    host.run(["ip", "link", "set", "dev", name, "up"])


@contextmanager
def joined(host: Host, variant: str) -> Iterator[tuple[End, End]]:
    """Two namespaces, connected as the variant says."""
    with changes_undone(host):
        for namespace in ("near", "far"):
            host.change(["ip", "netns", "add", namespace], undo=["ip", "netns", "del", namespace])
        near, far = host.within("near", "near"), host.within("far", "far")
        if variant == FLOOR:
            near.run(["ip", "link", "add", "end0", "type", "veth", "peer", "name", "end1", "netns", "far"])
        else:
            cable(host, "port0", "end0", "near")
            cable(host, "port1", "end1", "far")
            host.change(
                ["ip", "link", "add", "name", "joint", "type", "bridge", "stp_state", "0", "mcast_snooping", "0"],
                undo=["ip", "link", "del", "dev", "joint"],
            )
            for port in ("port0", "port1"):
                host.run(["ip", "link", "set", "dev", port, "master", "joint"])
            host.run(["ip", "link", "set", "dev", "joint", "up"])
        for end, nic, address in ((near, "end0", NEAR), (far, "end1", FAR)):
            end.run(["ip", "addr", "add", f"{address.ip4}/24", "dev", nic])
            end.run(["ip", "link", "set", "dev", nic, "up"])
            if variant != "bridge, as found":
                switch_features(end, nic, {"tx": False, "txvlan": False, "gro": True})
        if variant.startswith("xdp"):
            forwarder = Forwarder(host)
            forwarder.load(nic="port0", own_mac=link(host, "joint")["address"], ageing_ns=300 * 10**9)
            for port in ("port0", "port1"):
                forwarder.add_port(port, variant.split()[1])
        yield tuple(
            End(end, nic, address, address, link(end, nic)["address"])
            for end, nic, address in ((near, "end0", NEAR), (far, "end1", FAR))
        )  # type: ignore[misc]  # two of them


def round_trips_ns(near: End, far: End, size_bytes: int, count: int) -> list[int]:
    flow = Flow(count=count, size_bytes=size_bytes, period_ns=1_000_000, fifo=None)
    if not warm_up(flow, near, far)[0]:
        raise SystemExit("the path does not work: not all packets of the warm-up were answered")
    kept = Kept()
    measure(flow, near, far, kept)
    records = np.frombuffer(bytes(kept.data[HEADER_BYTES:]), RECORD)
    replied = records[(records["flags"] & REPLIED) != 0]
    if len(replied) != count:
        raise SystemExit(f"{count - len(replied)} of {count} packets were lost")
    return [int(t) for t in replied["a2"] - replied["w"]]


def program_instructions(host: Host) -> dict[str, int]:
    """Of one run of the program, by what becomes of the frame; the loop that calls it is in it."""
    known, other, many = bytes.fromhex("020000000001"), bytes.fromhex("020000000002"), b"\xff" * 6
    frames = {
        "redirected": known + other + b"\x08\x00" + bytes(46),
        "passed: unknown": bytes.fromhex("020000000009") + other + b"\x08\x00" + bytes(46),
        "passed: multicast": many + other + b"\x08\x00" + bytes(46),
        "passed: runt": known + other + b"\x81\x00\x00",
    }
    with joined(host, "xdp native"):
        folder = Forwarder(host).folder
        indexes = [int(link(host, port)["ifindex"]) for port in ("port0", "port1")]

        def run(frame: bytes, index: int, repeat: int) -> int:
            host.run(["dd", "of=/tmp/frame"], feed=frame)
            host.run(["dd", "of=/tmp/context"], feed=struct.pack("<6I", 0, len(frame), 0, index, 0, 0))
            words = ["data_in", "/tmp/frame", "ctx_in", "/tmp/context", "repeat", str(repeat)]
            said = host.run(["bpftool", "prog", "run", "pinned", f"{folder}/programs/{PROGRAM}", *words])
            found = re.search(r"duration.*: (\d+)ns", said)
            assert found, said
            return int(found[1])

        run(many + known + b"\x08\x00" + bytes(46), indexes[1], 1)
        return {path: run(frame, indexes[0], 100_000) // NS_PER_INSTRUCTION for path, frame in frames.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="packets of each measurement")
    parser.add_argument("--json", type=Path, help="write everything measured here too")
    options = parser.parse_args()

    medians: dict[str, dict[int, float]] = {}
    with virtual_time_machine() as host:
        for variant in VARIANTS:
            with joined(host, variant) as (near, far):
                medians[variant] = {
                    size: statistics.median(round_trips_ns(near, far, size, options.count)) for size in SIZES
                }
            print(f"{variant:18}", *(f"{medians[variant][size] / 1000:9.2f} us" for size in SIZES), flush=True)
        program = program_instructions(host)

    print(
        "\n| between the two ends |", " | ".join(f"{s} B: round trip, instructions of a crossing" for s in SIZES), "|"
    )
    print("|---|" + "---|" * len(SIZES))
    for variant in VARIANTS:
        cells = []
        for size in SIZES:
            extra = (medians[variant][size] - medians[FLOOR][size]) / 2 / NS_PER_INSTRUCTION
            cells.append(f"{medians[variant][size] / 1000:.1f} us, {extra:,.0f}")
        print(f"| {variant} |", " | ".join(cells), "|")
    print("\n| the program alone | instructions |\n|---|---|")
    for path, instructions in program.items():
        print(f"| {path} | {instructions} |")
    if options.json:
        found: dict[str, Any] = {"round_trip_ns": medians, "program_instructions": program, "count": options.count}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
