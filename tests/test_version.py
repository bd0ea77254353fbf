# SPDX-License-Identifier: Apache-2.0
"""The versions of a run's programs, from what they really print."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from latlab.hosts.host import Host, Result
from latlab.version import parse_version, program_versions

PRINTED = {
    "qemu-system-x86_64": "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) Fabrice Bellard\n",
    "iperf3": "iperf 3.12 (cJSON 1.7.15)\nLinux vm 6.18.44 #1 SMP x86_64\n",
    "netperf": "Netperf version 2.7.0\n",
    "ping": "ping from iputils 20221126\nlibcap: yes, IDN: yes\n",
    "ip": "ip utility, iproute2-6.1.0, libbpf 1.1.2\n",
}


class Machine:
    """Has the programs in `printed`."""

    facts = SimpleNamespace(machine="x86_64")

    def __init__(self, printed: dict[str, str]) -> None:
        self.printed, self.commands = printed, 0

    def run_plain(self, argv: Sequence[str]) -> Result:
        self.commands += 1
        assert list(argv[:4]) == ["sh", "-c", 'exec "$@"', "sh"]
        said = self.printed.get(argv[4])
        return Result(127, "", "not found") if said is None else Result(0, said, "")


def test_every_program_says_its_version_in_five_commands() -> None:
    machine = Machine(PRINTED)
    assert program_versions(cast(Host, machine)) == {
        "qemu": "10.0.2", "iperf3": "3.12", "netperf": "2.7.0", "ping": "20221126", "ip": "6.1.0"
    }  # fmt: skip
    assert machine.commands == 5


def test_what_is_missing_or_says_nothing_is_left_out() -> None:
    found = program_versions(cast(Host, Machine({"ip": PRINTED["ip"], "ping": "BusyBox v1.35.0\n"})))
    assert found == {"ip": "6.1.0"}


@pytest.mark.parametrize(
    ("program", "text", "expected"),
    [
        ("ping", "ping utility, iputils-s20180629", "s20180629"),
        ("ip", "ip utility, iproute2-ss200127", "ss200127"),
        ("iperf3", "", None),
    ],
)
def test_older_spellings(program: str, text: str, expected: str | None) -> None:
    assert parse_version(program, text) == expected
