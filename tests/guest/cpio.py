# SPDX-License-Identifier: Apache-2.0
"""A reader of cpio archives in the "newc" form, after Documentation/driver-api/early-userspace/buffer-format.rst."""

from __future__ import annotations

from dataclasses import dataclass

FIELDS = (
    "ino",
    "mode",
    "uid",
    "gid",
    "nlink",
    "mtime",
    "size",
    "major",
    "minor",
    "rmajor",
    "rminor",
    "namesize",
    "check",
)
TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    name: str
    mode: int
    uid: int
    ino: int
    content: bytes


def entries(data: bytes) -> list[Entry]:
    """Everything before the trailer. ValueError when it is no such archive."""
    found: list[Entry] = []
    at = 0
    while True:
        if at % 4 or data[at : at + 6] != b"070701":
            raise ValueError(f"no header at {at}")
        head = dict(
            zip(FIELDS, (int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(len(FIELDS))), strict=True)
        )
        name = data[at + 110 : at + 110 + head["namesize"]]
        if len(name) != head["namesize"] or name[-1:] != b"\0":
            raise ValueError(f"no name at {at}")
        at = -(-(at + 110 + head["namesize"]) // 4) * 4
        content = data[at : at + head["size"]]
        if len(content) != head["size"]:
            raise ValueError(f"cut off at {at}")
        at = -(-(at + head["size"]) // 4) * 4
        if name[:-1].decode() == TRAILER:
            if data[at:].strip(b"\0"):
                raise ValueError("something follows the trailer")
            return found
        found.append(Entry(name[:-1].decode(), head["mode"], head["uid"], head["ino"], content))
