# SPDX-License-Identifier: Apache-2.0
"""The few bpf(2) calls with which a test looks at a loaded program: its maps, and a run on a frame of our making.

Numbers and layouts: include/uapi/linux/bpf.h. OSError when the kernel refuses.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
LOOKUP, UPDATE, DELETE, NEXT_KEY, OBJ_GET, TEST_RUN = 1, 2, 3, 4, 7, 10
ATTR_BYTES = 128

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(number: int, attr: bytes) -> tuple[int, bytes]:
    """The result, and what the kernel left in the attributes."""
    buffer = ctypes.create_string_buffer(attr.ljust(ATTR_BYTES, b"\0"), ATTR_BYTES)
    result = _libc.syscall(SYS_BPF, number, buffer, ATTR_BYTES)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result), buffer.raw


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


def open_pinned(path: str) -> int:
    name = ctypes.create_string_buffer(path.encode())
    return _bpf(OBJ_GET, struct.pack("<QII", _address(name), 0, 0))[0]


class Map:
    """A pinned map; `value_bytes` of one CPU. Values of a per-CPU map are those of all CPUs, one after another."""

    def __init__(self, path: str, key_bytes: int, value_bytes: int, *, cpus: int = 1) -> None:
        self._fd, self._key_bytes, self._value_bytes = open_pinned(path), key_bytes, value_bytes * cpus

    def get(self, key: bytes) -> bytes:
        where, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(self._value_bytes)
        _bpf(LOOKUP, struct.pack("<IIQQQ", self._fd, 0, _address(where), _address(value), 0))
        return value.raw

    def set(self, key: bytes, value: bytes) -> None:
        where, what = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
        _bpf(UPDATE, struct.pack("<IIQQQ", self._fd, 0, _address(where), _address(what), 0))

    def delete(self, key: bytes) -> None:
        where = ctypes.create_string_buffer(key, len(key))
        _bpf(DELETE, struct.pack("<IIQQQ", self._fd, 0, _address(where), 0, 0))

    def every_key(self) -> Iterator[bytes]:
        found, after = ctypes.create_string_buffer(self._key_bytes), 0
        while True:
            following = ctypes.create_string_buffer(self._key_bytes)
            try:
                _bpf(NEXT_KEY, struct.pack("<IIQQQ", self._fd, 0, after, _address(following), 0))
            except FileNotFoundError:
                return
            yield following.raw
            found = following
            after = _address(found)

    def close(self) -> None:
        os.close(self._fd)


def run_xdp(program: int, frame: bytes, interface: int, repeat: int = 1) -> tuple[int, bytes, int]:
    """Runs it as if the frame had come in on the interface: verdict, the frame afterwards, ns of one run on average."""
    data, out = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(len(frame) + 256)
    # struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
    context = ctypes.create_string_buffer(struct.pack("<6I", 0, len(frame), 0, interface, 0, 0))
    attr = struct.pack(
        "<4I2Q4I2Q", program, 0, len(frame), len(out), _address(data), _address(out), repeat, 0, 24, 0,
        _address(context), 0,
    )  # fmt: skip
    after = _bpf(TEST_RUN, attr)[1]
    _, verdict, _, size, _, _, _, duration_ns = struct.unpack_from("<4I2Q2I", after)
    return verdict, out.raw[:size], duration_ns
