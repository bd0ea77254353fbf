# SPDX-License-Identifier: Apache-2.0
"""The packet on the wire, checked by an implementation of its own: layout, byte order and keyed hash."""

from __future__ import annotations

import socket
import struct

from tests.probe.program import KEY, REPLIED, SOFTWARE_ORDER, a, finish, r, reflector, spawn, t2, w2

MASK = (1 << 64) - 1


def rotate(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (64 - bits))) & MASK


def siphash(key: bytes, data: bytes) -> int:
    """SipHash-2-4, from the paper's definition."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(n: int) -> None:
        for _ in range(n):
            v[0], v[2] = (v[0] + v[1]) & MASK, (v[2] + v[3]) & MASK
            v[1], v[3] = rotate(v[1], 13) ^ v[0], rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2], v[0] = (v[2] + v[1]) & MASK, (v[0] + v[3]) & MASK
            v[1], v[3] = rotate(v[1], 17) ^ v[2], rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    result: int = v[0] ^ v[1] ^ v[2] ^ v[3]
    return result


def seal(packet: bytes, key: bytes) -> bytes:
    return struct.pack(">Q", siphash(key, packet[8:])) + packet[8:]


def test_the_hash_is_the_papers() -> None:
    assert siphash(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


def test_a_request_as_documented_is_answered_as_documented() -> None:
    key = bytes.fromhex(KEY)
    padding = bytes(range(37))
    request = seal(struct.pack(">QBBBBIQ", 0, 1, 1, 1, 0, 0xCAFE, 5) + bytes(72) + padding, key)
    with reflector("--bind", "127.0.0.1:0") as far, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", far.port))
        client.send(request)
        first = client.recv(65536)
        client.send(seal(request[:16] + struct.pack(">Q", 6) + request[24:], key))
        second = client.recv(65536)
    for reply in (first, second):
        assert len(reply) == len(request)
        assert reply == seal(reply, key)
        assert reply[96:] == padding
        assert struct.unpack_from(">BBxxI", reply, 8) == (1, 2, 0xCAFE)
    hardware_ns, r_ns, a_ns, w_ns = struct.unpack_from(">4q", first, 24)
    assert hardware_ns == 0
    assert 0 < r_ns <= a_ns <= w_ns
    assert first[11] == 0
    # The second reply brings home the transmit stamps of the first.
    assert second[11] == 1
    back, s_offset_ns, t_offset_ns, nic_ns = struct.unpack_from(">iiiq", second, 56)
    assert back == 1
    assert 0 < s_offset_ns <= t_offset_ns < 1_000_000_000
    assert nic_ns == 0


def test_the_sender_takes_a_reply_made_from_the_documentation() -> None:
    """A reflector of ten lines: the stamps that it invents come out of the records as they went in."""
    key = bytes.fromhex(KEY)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(5)
        sender = spawn("send", "--udp", f"127.0.0.1:{far.getsockname()[1]}", "--count", "3", "--timeout", "1s")
        for n in range(3):
            request, address = far.recvfrom(65536)
            assert request == seal(request, key)
            assert request[9] == 1
            assert struct.unpack_from(">Q", request, 16) == (n,)
            stamps = struct.pack(">4q", 0, 1000 + n, 2000 + n, 3000 + n)
            report = struct.pack(">iiiq", 1, 50, 60, 0) if n else bytes(20)
            head = request[:9] + bytes([2, 0, int(n > 0)]) + request[12:24]
            far.sendto(seal(head + stamps + report + bytes(20) + request[96:], key), address)
        outcome = finish(sender)
    stamps_taken = outcome.samples["stamps"]
    assert stamps_taken[:, [r, a, w2]].tolist() == [[1000 + n, 2000 + n, 3000 + n] for n in range(3)]
    assert stamps_taken[:, t2].tolist() == [3060, 3061, 0]
    assert (outcome.samples["flags"] & REPLIED).all()
    assert outcome.summary["tx_stamps_missing"] == 1
    assert SOFTWARE_ORDER[-1] == 14
