# SPDX-License-Identifier: Apache-2.0
"""A man in the middle on loopback, who loses, doubles, delays and swaps packets as a test tells him."""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Packet = bytes
Plan = Callable[[int, Packet], list[tuple[float, Packet]]]
"""(n-th packet, its bytes) -> what to pass on: pairs of a delay in seconds and the bytes. Empty: lost."""

REQUEST, REPLY = 1, 2


def packet_type(packet: Packet) -> int:
    return packet[9]


def packet_seq(packet: Packet) -> int:
    return int.from_bytes(packet[16:24], "big")


def pass_on(_: int, packet: Packet) -> list[tuple[float, Packet]]:
    return [(0.0, packet)]


@dataclass
class Relay:
    port: int


@contextmanager
def relay(reflector_port: int, replies: Plan = pass_on, requests: Plan = pass_on) -> Iterator[Relay]:
    """Passes packets between one sender and a reflector. Plans see only requests and replies, no flush packets."""
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    back.connect(("127.0.0.1", reflector_port))
    stop = threading.Event()

    def run() -> None:
        client: tuple[str, int] | None = None
        waiting: list[tuple[float, int, bool, Packet]] = []
        order = itertools.count()
        counts = {front: 0, back: 0}
        while not stop.is_set():
            limit_s = min(0.05, max(0.0, waiting[0][0] - time.monotonic())) if waiting else 0.05
            for ready in select.select([front, back], [], [], limit_s)[0]:
                packet, address = ready.recvfrom(65536)
                if ready is front:
                    client = address
                measured = packet_type(packet) in (REQUEST, REPLY)
                plan = (requests if ready is front else replies) if measured else pass_on
                for delay_s, copy in plan(counts[ready], packet):
                    heapq.heappush(waiting, (time.monotonic() + delay_s, next(order), ready is front, copy))
                counts[ready] += measured
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, forward, packet = heapq.heappop(waiting)
                if forward:
                    back.send(packet)
                elif client:
                    front.sendto(packet, client)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Relay(front.getsockname()[1])
    finally:
        stop.set()
        thread.join()
        front.close()
        back.close()
