# SPDX-License-Identifier: Apache-2.0
"""The xdp attachment without a kernel: its script, what it refuses, and what its evidence is made of."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latlab import attachment
from latlab.attachment import xdp
from latlab.attachment.forwarder import PATHS, Forwarder, refuse_used
from latlab.attachment.wiring import Wiring
from latlab.bench.site import Site
from latlab.errors import BenchError
from latlab.rehearsal import rehearsed_site
from latlab.scenario.attachments import Xdp
from latlab.scenario.bench_model import Addresses
from tests.attachment.test_golden import KERNEL, options, script
from tests.canned import FACTS, CannedHost

SOURCE = (Path(__file__).parents[2] / "bpf/forward.bpf.c").read_text()
FOLDER = f"/tmp/latlab-{FACTS.id}-bpf"
OURS = 7


def test_the_paths_are_those_of_the_program() -> None:
    (body,) = re.findall(r"enum path \{(.*?)PATHS", SOURCE, re.S)
    assert re.findall(r"\w+", body) == [re.sub(r"\W+", "_", path).upper() for path in PATHS]


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_the_program_is_on_every_port_and_is_taken_off_before_the_port_goes(mode: str) -> None:
    lines = script(options("xdp", mode=mode))
    for port in ("eth0", "lltap0"):
        pin = f"/tmp/latlab-AGENT-bpf/link-{port}"
        (on,) = (n for n, line in enumerate(lines) if f"--device {port} --mode {mode} --pin {pin}" in line)
        off = lines.index(f"bpftool link detach pinned {pin}")
        assert on < off < lines.index(f"rm -f {pin}")
        assert off < lines.index("ip tuntap del dev lltap0 mode tap")
        assert off < lines.index("umount /tmp/latlab-AGENT-bpf")


def test_the_guest_s_frames_are_whole() -> None:
    (qemu,) = (line for line in script(options("xdp")) if line.startswith("qemu-system-"))
    assert "-global virtio-net-device.csum=off" in qemu


def test_ageing_reaches_the_program() -> None:
    chosen = Xdp(ageing_ns=7 * 10**9)
    (line,) = (line for line in script(chosen) if "maps/settings" in line)
    words = shlex.split(line)
    assert bytes(map(int, words[words.index("value") + 1 :]))[:8] == (7 * 10**9).to_bytes(8, "little")


def test_somebody_s_program_stays() -> None:
    found = [{"ifname": "eth0", "xdp": {"mode": 1, "prog": {"id": 31}, "attached": [{"mode": 1, "prog": {"id": 31}}]}}]
    host = CannedHost({"ip -j -d -s link show dev eth0": found})
    with pytest.raises(BenchError, match="eth0 has an XDP program already, with the id 31") as caught:
        refuse_used(host, "eth0")
    assert "bpftool prog show id 31" in caught.value.hint
    assert len(host.asked) == 1


def test_a_peer_s_veth_is_prepared_and_only_for_native_mode_polls() -> None:
    for mode, polls in (("native", " gro on"), ("generic", "")):
        host = CannedHost({"ip -j -d -s link show dev eth1": [{"ifname": "eth1"}], **features("eth1", tx=True)})
        site = replace(rehearsed(), peer=host)
        with pytest.raises(BenchError):  # it does not take: our answers stay what they are
            xdp._prepare_peer(site, Xdp.model_validate({"mode": mode}))
        assert f"ethtool -K eth1 tx off{polls}" in host.asked


def rehearsed() -> Site:
    return rehearsed_site("local", Addresses(), KERNEL, nic="eth0", peer_nic="eth1")


def features(name: str, **states: bool) -> dict[str, Any]:
    long = {"tx": "tx-checksumming"}
    return {f"ethtool --json -k {name}": [{long[k]: {"active": on, "fixed": False} for k, on in states.items()}]}


def counted(**sums: int) -> list[dict[str, Any]]:
    """What bpftool prints of the counters, on two CPUs: `nic_redirected=3`."""
    wanted = {key.replace("_", " ", 1): value for key, value in sums.items()}
    names = [f"{way} {path}" for way in ("nic", "tap") for path in PATHS]
    return [
        {"formatted": {"key": n, "values": [{"cpu": 0, "value": 1}, {"cpu": 1, "value": wanted.get(name, 0) - 1}]}}
        for n, name in enumerate(names)
    ]


def machine(*, mode: int = 1, program: int = OURS, pins: str = "link-eth0\nlink-lltap0\n") -> CannedHost:
    stats = {way: {"packets": 9} for way in ("rx", "tx")}
    there = {"stats64": stats, "xdp": {"mode": mode, "prog": {"id": program}}}
    return CannedHost(
        {
            f"ls {FOLDER}": pins,
            f"bpftool -j map dump pinned {FOLDER}/maps/counters": counted(nic_redirected=5, tap_redirected=6),
            f"bpftool -j prog show pinned {FOLDER}/programs/latlab_forward": {"id": OURS},
            "ip -j -d -s link show dev eth0": [there],
            "ip -j -d -s link show dev lltap0": [there],
        }
    )


def reading(host: CannedHost) -> Any:
    site = replace(rehearsed(), hypervisor=host)
    address = site.addresses.guest(0)
    wiring = Wiring(address, address, notes={"mode": "native"}, nics={"NIC": "eth0", "tap": "lltap0"})
    return attachment.KINDS["xdp"].evidence(site, wiring, None)


def test_what_the_evidence_is_made_of() -> None:
    found = reading(machine())
    assert found.counters["XDP redirected from NIC"] == 5
    assert found.counters["XDP redirected from tap"] == 6
    assert set(found.still.values()) == {0}
    assert len(found.still) == 4
    assert found.facts
    assert all(found.facts.values())


@pytest.mark.parametrize(
    "host", [machine(mode=2), machine(program=8), machine(pins="")], ids=["mode", "another program", "no pins"]
)
def test_what_is_not_as_asked_does_not_hold(host: CannedHost) -> None:
    assert not all(reading(host).facts.values())


def test_two_of_one_host_mean_the_same_forwarder() -> None:
    host = machine()
    assert Forwarder(host).folder == Forwarder(host).folder == FOLDER
