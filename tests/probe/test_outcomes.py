# SPDX-License-Identifier: Apache-2.0
"""What a network does to packets is counted and flagged, packet by packet, and never ends the measurement."""

from __future__ import annotations

import socket

import numpy as np

from tests.probe.program import (
    DUPLICATED,
    LATE,
    REORDERED,
    REPLIED,
    SEND_FAILED,
    SENT,
    a,
    a2,
    reflector,
    send,
)
from tests.probe.relay import REPLY, REQUEST, Packet, packet_seq, packet_type, pass_on, relay

Copies = list[tuple[float, Packet]]
FAST = ("--count", "100", "--period", "1ms", "--timeout", "100ms")


def test_loss_is_counted_and_has_a_record() -> None:
    def replies(_: int, packet: Packet) -> Copies:
        return [] if packet_seq(packet) % 10 == 3 else [(0.0, packet)]

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, replies=replies) as middle:
        outcome = send("--udp", f"127.0.0.1:{middle.port}", *FAST)
    assert (outcome.summary["sent"], outcome.summary["replied"], outcome.summary["lost"]) == (100, 90, 10)
    samples = outcome.samples
    lost = (samples["flags"] & REPLIED) == 0
    assert (samples["seq"] == np.arange(100)).all()
    assert samples["seq"][lost].tolist() == list(range(3, 100, 10))
    assert (samples["stamps"][lost][:, a:] == 0).all()


def test_a_reply_after_the_time_out_is_late_and_no_sample() -> None:
    def replies(_: int, packet: Packet) -> Copies:
        return [(0.3 if packet_seq(packet) == 20 else 0.0, packet)]

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, replies=replies) as middle:
        outcome = send("--udp", f"127.0.0.1:{middle.port}", "--count", "500", *FAST[2:])
    assert (outcome.summary["lost"], outcome.summary["late"], outcome.summary["replied"]) == (1, 1, 499)
    extras = outcome.records[(outcome.records["flags"] & (SENT | SEND_FAILED)) == 0]
    assert extras["seq"].tolist() == [20]
    assert extras["flags"][0] & LATE
    assert extras["stamps"][0, a2] - extras["stamps"][0, a] > 290_000_000
    assert not outcome.samples["flags"][20] & REPLIED


def test_duplicates_are_counted_on_the_record_or_beside_it() -> None:
    def replies(_: int, packet: Packet) -> Copies:
        seq = packet_seq(packet)
        if seq == 10:
            return [(0.0, packet), (0.0, packet)]
        return [(0.0, packet), (0.05, packet)] if seq == 30 else [(0.0, packet)]

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, replies=replies) as middle:
        outcome = send("--udp", f"127.0.0.1:{middle.port}", *FAST)
    assert (outcome.summary["duplicated"], outcome.summary["replied"], outcome.summary["late"]) == (2, 100, 0)
    flagged = outcome.records[(outcome.records["flags"] & DUPLICATED) != 0]
    assert sorted(flagged["seq"].tolist()) == [10, 30]
    assert len(outcome.samples) == 100


def test_a_request_doubled_on_its_way_is_a_duplicate_too() -> None:
    def requests(_: int, packet: Packet) -> Copies:
        return [(0.0, packet), (0.0, packet)] if packet_seq(packet) == 10 else [(0.0, packet)]

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, requests=requests) as middle:
        outcome = send("--udp", f"127.0.0.1:{middle.port}", *FAST)
    assert (outcome.summary["duplicated"], outcome.summary["replied"]) == (1, 100)


def test_overtaken_replies_are_reordered() -> None:
    def replies(_: int, packet: Packet) -> Copies:
        return [(0.01 if packet_seq(packet) == 40 else 0.0, packet)]

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, replies=replies) as middle:
        outcome = send("--udp", f"127.0.0.1:{middle.port}", *FAST)
    assert outcome.summary["reordered"] == 1
    assert outcome.samples["seq"][(outcome.samples["flags"] & REORDERED) != 0].tolist() == [40]
    assert outcome.summary["lost"] == 0


def test_altered_replies_are_rejected() -> None:
    """One bit anywhere, also in the padding, or a byte less, or more: not a reply."""

    def replies(n: int, packet: Packet) -> Copies:
        position = n % len(packet)
        flipped = packet[:position] + bytes([packet[position] ^ 1]) + packet[position + 1 :]
        return [(0.0, [flipped, packet[:-1], packet + b"\0", packet[:50]][n % 4])]

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, replies=replies) as middle:
        outcome = send("--udp", f"127.0.0.1:{middle.port}", "--count", "512", "--size", "128", *FAST[2:])
    assert (outcome.summary["replied"], outcome.summary["rejected"]) == (0, 512)


def test_the_reflector_answers_nothing_it_cannot_verify() -> None:
    with reflector("--bind", "127.0.0.1:0") as far, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(0.3)
        stranger.connect(("127.0.0.1", far.port))
        for size in (0, 1, 95, 96, 128, 1400, 9000, 60000):
            stranger.send(bytes(size))
            stranger.send(bytes(8) + b"\1\1" + bytes(max(0, size - 10)))
        try:
            answer = stranger.recv(65536)
        except TimeoutError:
            answer = None
        assert answer is None
    assert (far.summary["received"], far.summary["rejected"], far.summary["replied"]) == (16, 16, 0)


def test_a_reply_is_never_reflected() -> None:
    """Two reflectors with one key cannot be set to answer each other for ever."""
    seen: list[Packet] = []

    def replies(_: int, packet: Packet) -> Copies:
        seen.append(packet)
        return pass_on(0, packet)

    with reflector("--bind", "127.0.0.1:0") as far:
        with relay(far.port, replies=replies) as middle:
            send("--udp", f"127.0.0.1:{middle.port}", *FAST)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect(("127.0.0.1", far.port))
            stranger.send(seen[0])
            stranger.settimeout(0.2)
            try:
                answer = stranger.recv(65536)
            except TimeoutError:
                answer = None
    assert packet_type(seen[0]) == REPLY
    assert answer is None
    assert far.summary["rejected"] == 1


def test_replies_of_another_sender_are_not_ours() -> None:
    """A reply of an earlier sender with the same key, port and seq is not taken for one of this sender."""
    stored: list[Packet] = []

    def keep(_: int, packet: Packet) -> Copies:
        stored.append(packet)
        return []

    def replay(n: int, _: Packet) -> Copies:
        return [(0.0, stored[n])] if n < len(stored) else []

    with reflector("--bind", "127.0.0.1:0") as far:
        with relay(far.port, replies=keep) as middle:
            send("--udp", f"127.0.0.1:{middle.port}", *FAST)
        with relay(far.port, replies=replay) as middle:
            outcome = send("--udp", f"127.0.0.1:{middle.port}", *FAST)
    assert len(stored) == 100
    assert (outcome.summary["replied"], outcome.summary["rejected"], outcome.summary["lost"]) == (0, 100, 100)


def test_requests_carry_the_type_of_requests() -> None:
    kinds: set[int] = set()

    def requests(_: int, packet: Packet) -> Copies:
        kinds.add(packet_type(packet))
        return pass_on(0, packet)

    with reflector("--bind", "127.0.0.1:0") as far, relay(far.port, requests=requests) as middle:
        send("--udp", f"127.0.0.1:{middle.port}", *FAST)
    assert kinds == {REQUEST}
