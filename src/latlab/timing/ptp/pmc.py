# SPDX-License-Identifier: Apache-2.0
"""What pmc prints for a management request, read. Pure.

A request is echoed as `sending: GET TIME_STATUS_NP`. An answer is one line with the port that answers, and a line for
each field, behind two tabs (pmc.c of linuxptp 3.1.1 to 4.4):

        525400.fffe.a10001-1 seq 2 RESPONSE MANAGEMENT PORT_DATA_SET
                portIdentity            525400.fffe.a10001-1
                portState               SLAVE

pmc flushes after each answer, but ends none with a mark of its own but the end of its last line: an answer is complete
when it has as many fields as its kind has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ANSWER = re.compile(r"\t([0-9a-f]{6}\.[0-9a-f]{4}\.[0-9a-f]{6})-([0-9]{1,5}) seq ([0-9]{1,5}) ([A-Z]+) (.*?) *")
FIELD = re.compile(r"\t\t([A-Za-z0-9_.]{1,80}) +(\S.*)")

LAST_FIELDS: Mapping[str, str] = {
    "TIME_STATUS_NP": "gmIdentity",
    "CURRENT_DATA_SET": "meanPathDelay",
    "PORT_DATA_SET": "versionNumber",
    "TIME_PROPERTIES_DATA_SET": "timeSource",
    "PARENT_DATA_SET": "grandmasterIdentity",
}
"""The kinds that are asked for, and the field that each one ends with."""


@dataclass(frozen=True)
class Answer:
    kind: str
    """`TIME_STATUS_NP`, ...; "" when the request was refused."""
    clock: str
    port: int
    fields: Mapping[str, str]

    def whole(self, name: str) -> int | None:
        """A field that is a number; its fraction is rounded away. None when it is not there, or is no number."""
        text = self.fields.get(name, "")
        if not re.fullmatch(r"[+-]?[0-9]{1,19}(\.[0-9]{1,9})?", text):
            return None
        whole, _, fraction = text.partition(".")
        up = int(fraction[:1] or 0) >= 5
        value = int(whole)
        return value + (-1 if text.startswith("-") else 1) * up

    @property
    def refused(self) -> bool:
        return not self.kind


def request(kind: str) -> bytes:
    return f"GET {kind}\n".encode()


class Answers:
    """Takes pmc's lines, gives whole answers. What is between two answers and belongs to none is left out."""

    def __init__(self) -> None:
        self._head: tuple[str, str, int] | None = None
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> Answer | None:
        """The answer that this line ends, if it does."""
        if match := ANSWER.fullmatch(line.rstrip("\r\n")):
            clock, port, _, action, rest = match.groups()
            words = rest.split()
            self._head, self._fields = None, {}
            if action not in ("RESPONSE", "ACKNOWLEDGE"):
                return None
            if words[:1] == ["MANAGEMENT"] and len(words) == 2 and words[1] in LAST_FIELDS:
                self._head = (words[1], clock, int(port))
                return None
            return Answer("", clock, int(port), {}) if words[:1] == ["MANAGEMENT_ERROR_STATUS"] else None
        match = FIELD.fullmatch(line.rstrip("\r\n"))
        if match is None or self._head is None:
            return None
        kind, clock, port_number = self._head
        self._fields[match[1]] = match[2].strip()
        if match[1] != LAST_FIELDS[kind]:
            return None
        answer = Answer(kind, clock, port_number, self._fields)
        self._head, self._fields = None, {}
        return answer
