# SPDX-License-Identifier: Apache-2.0
"""Two probes at the two ends of a veth pair between namespaces of our own: raw Ethernet, VLAN tags, real-time."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from tests.probe.program import (
    REPLIED,
    SEND_FAILED,
    SENT,
    SOFTWARE_ORDER,
    finish,
    r,
    r2,
    reflector,
    send,
    spawn,
    w,
)

numbers = itertools.count()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass
class Link:
    near: str
    far: str

    @property
    def at_near(self) -> list[str]:
        return ["ip", "netns", "exec", self.near]

    @property
    def at_far(self) -> list[str]:
        return ["ip", "netns", "exec", self.far]


@pytest.fixture
def link() -> Iterator[Link]:
    """near0 (10.99.0.1, fd99::1) <-> far0 (10.99.0.2, fd99::2), each in a namespace."""
    name = f"latlab-test-{os.getpid()}-{next(numbers)}"
    made = Link(f"{name}-near", f"{name}-far")
    try:
        ip("netns", "add", made.near)
        ip("netns", "add", made.far)
        ip("link", "add", "near0", "netns", made.near, "type", "veth", "peer", "name", "far0", "netns", made.far)
        for namespace, device, number in ((made.near, "near0", 1), (made.far, "far0", 2)):
            ip("-n", namespace, "addr", "add", f"10.99.0.{number}/24", "dev", device)
            ip("-n", namespace, "addr", "add", f"fd99::{number}/64", "dev", device, "nodad")
            ip("-n", namespace, "link", "set", device, "up")
        # The kernel needs a moment to see the carrier, IPv6 more than IPv4.
        for address in ("10.99.0.2", "fd99::2"):
            subprocess.run([*made.at_near, "ping", "-c1", "-w5", address], check=True, capture_output=True)
        yield made
    finally:
        for namespace in (made.near, made.far):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


@pytest.mark.parametrize(("bind", "host"), [("10.99.0.2:0", "10.99.0.2"), ("[::]:0", "[fd99::2]")])
def test_udp_over_a_link(link: Link, bind: str, host: str) -> None:
    with reflector("--bind", bind, prefix=link.at_far) as far:
        to = f"{host}:{far.port}"
        outcome = send("--udp", to, "--count", "300", "--device", "near0", prefix=link.at_near)
    assert (outcome.summary["replied"], outcome.summary["tx_stamps_missing"]) == (300, 0)
    assert (np.diff(outcome.samples["stamps"][:, SOFTWARE_ORDER], axis=1) >= 0).all()


@pytest.mark.parametrize("tag", [[], ["--vlan", "5", "--pcp", "7"], ["--vlan", "0", "--pcp", "3"], ["--vlan", "4094"]])
def test_raw_ethernet_with_and_without_a_tag(link: Link, tag: list[str]) -> None:
    with reflector("--l2", "far0", prefix=link.at_far) as far:
        mac = far.ready["address"]
        outcome = send("--l2", "near0", "--dst", mac, "--count", "300", *tag, prefix=link.at_near)
    assert (outcome.summary["replied"], outcome.summary["tx_stamps_missing"]) == (300, 0)
    assert outcome.summary["rejected"] == 0
    assert (np.diff(outcome.samples["stamps"][:, SOFTWARE_ORDER], axis=1) >= 0).all()


def test_the_reply_carries_the_tag_of_its_request(link: Link) -> None:
    # A raw socket of the far namespace; a child has moved there.
    program = (
        "import socket\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n"
        "s.setsockopt(263, 8, 1)\n"  # SOL_PACKET, PACKET_AUXDATA
        "s.settimeout(10)\n"
        "print('ready', flush=True)\n"
        "seen = {}\n"
        "while len(seen) < 2:\n"
        "    data, control, _, address = s.recvmsg(2000, 200)\n"
        "    if data[12:14] == b'\\x81\\x00' and data[16:18] == b'\\x88\\xb5':\n"
        "        seen[address[2]] = int.from_bytes(data[14:16], 'big')\n"
        "    elif data[12:14] == b'\\x88\\xb5':\n"
        "        seen[address[2]] = int.from_bytes(control[0][2][16:18], 'little')\n"
        "print(sorted(seen.values()))\n"
    )
    watcher = subprocess.Popen([*link.at_far, "python3", "-c", program], stdout=subprocess.PIPE)
    try:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == b"ready\n"
        with reflector("--l2", "far0", prefix=link.at_far) as far:
            tag = ("--vlan", "9", "--pcp", "6")
            send("--l2", "near0", "--dst", far.ready["address"], "--count", "5", *tag, prefix=link.at_near)
        tags, _ = watcher.communicate(timeout=15)
    finally:
        watcher.kill()
        watcher.wait()
    assert tags.decode().strip() == str([6 << 13 | 9] * 2)


def test_a_frame_for_another_station_gets_no_answer(link: Link) -> None:
    with reflector("--l2", "far0", prefix=link.at_far) as far:
        to = ("--l2", "near0", "--dst", "02:00:00:00:00:77")
        outcome = send(*to, "--count", "20", "--timeout", "50ms", prefix=link.at_near)
    assert (outcome.summary["replied"], far.summary["replied"]) == (0, 0)


def test_real_time_is_granted_and_read_back(link: Link) -> None:
    with reflector("--bind", "10.99.0.2:0", "--fifo", "80", "--cpu", "0", prefix=link.at_far) as far:
        to = f"10.99.0.2:{far.port}"
        outcome = send("--udp", to, "--count", "300", "--fifo", "80", "--cpu", "0", prefix=link.at_near)
    assert outcome.summary["scheduler"] == "SCHED_FIFO 80"
    assert outcome.summary["transmit_scheduler"] == "SCHED_FIFO 78"
    assert far.summary["scheduler"] == "SCHED_FIFO 79"
    assert (outcome.summary["cpu"], far.summary["cpu"]) == (0, 0)
    assert outcome.summary["memory_locked"] is True
    assert far.summary["memory_locked"] is True
    assert outcome.summary["warnings"] == []
    assert outcome.summary["replied"] == 300


def test_a_link_that_goes_down_and_comes_back(link: Link) -> None:
    """Packets without a way are SEND_FAILED or lost; the run goes on, and later stamps belong to the right packets."""
    with reflector("--bind", "10.99.0.2:0", prefix=link.at_far) as far:
        to = f"10.99.0.2:{far.port}"
        arguments = ("--udp", to, "--count", "4000", "--period", "1ms", "--timeout", "200ms")
        sender = spawn("send", *arguments, prefix=link.at_near)
        time.sleep(0.4)
        ip("-n", link.near, "link", "set", "near0", "down")
        time.sleep(0.3)
        ip("-n", link.near, "link", "set", "near0", "up")
        outcome = finish(sender)
    samples = outcome.samples
    assert outcome.exit_code == 0
    assert (samples["seq"] == np.arange(4000)).all()
    assert outcome.summary["send_failed"] > 100
    assert outcome.summary["send_failed"] == ((samples["flags"] & SEND_FAILED) != 0).sum()
    assert outcome.summary["sent"] + outcome.summary["send_failed"] == 4000
    assert samples["flags"][-1] & (SENT | REPLIED) == SENT | REPLIED
    replied = samples[(samples["flags"] & REPLIED) != 0]["stamps"]
    complete = replied[(replied[:, SOFTWARE_ORDER] != 0).all(axis=1)]
    assert len(complete) > 1500
    assert (np.diff(complete[:, SOFTWARE_ORDER], axis=1) >= 0).all()


def test_a_silent_receiver_does_not_hold_up_the_time_outs(link: Link) -> None:
    """Nothing ever comes back: each record still goes out soon after its time-out, in order."""
    start = time.monotonic()
    arguments = ("--udp", "10.99.0.2:9", "--count", "200", "--timeout", "100ms")
    outcome = send(*arguments, prefix=link.at_near)
    assert time.monotonic() - start < 3
    assert outcome.summary["replied"] == 0
    assert len(outcome.samples) == 200
    assert (outcome.samples["stamps"][:, [r, r2]] == 0).all()
    assert (outcome.samples["stamps"][:, w] > 0).all()
