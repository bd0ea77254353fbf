# SPDX-License-Identifier: Apache-2.0
"""A host that answers from a table, and writes down what it is asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from latlab.errors import HostError
from latlab.hosts.channel import Facts
from latlab.hosts.host import Host, Result

FACTS = Facts("0123456789abcdef", 1, 0, "x86_64", "6.12.1", "a-boot", 2, [])


class CannedHost(Host):
    """`answers`: a command line -> what it prints as text or JSON, or its exit code. Others print nothing."""

    def __init__(self, answers: Mapping[str, Any], *, name: str = "hypervisor", facts: Facts = FACTS) -> None:
        self.name, self.netns, self.probe = name, None, "latlab-probe"
        self._answers, self._facts = answers, facts
        self.asked: list[str] = []
        self.afterwards: list[str] = []

    @property
    def facts(self) -> Facts:
        return self._facts

    def within(self, netns: str, name: str) -> Host:  # noqa: ARG002
        """Itself: its answers do not depend on where they are asked for."""
        return self

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:  # noqa: ARG002
        line = shlex.join(argv)
        self.asked.append(line)
        answer = self._answers.get(line, "")
        if isinstance(answer, HostError):
            raise answer
        if isinstance(answer, int):
            return Result(answer, "", "RTNETLINK answers: no")
        return Result(0, answer if isinstance(answer, str) else json.dumps(answer), "")

    def defer(self, argv: Sequence[str]) -> None:
        self.afterwards.append(shlex.join(argv))

    def change(self, argv: Sequence[str], *, undo: Sequence[str], feed: bytes | None = None) -> str:
        self.defer(undo)
        return self.run(argv, feed=feed)
