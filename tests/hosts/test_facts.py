# SPDX-License-Identifier: Apache-2.0
"""What an agent says of itself, and what is made of it when it is not all there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latlab.hosts.channel import Recovered, read_facts

SAID: dict[str, Any] = {
    "id": "0123456789abcdef", "pid": 7, "uid": 0, "machine": "x86_64", "kernel": "6.12.1", "boot_id": "a-boot",
    "cpus": 2, "recovered": [{"exit_code": 2, "command": "ip link del dev x"}],
}  # fmt: skip


def test_facts_are_read_as_they_are_said() -> None:
    facts = read_facts(json.dumps(SAID).encode())
    assert facts.boot_id == "a-boot"
    assert facts.recovered == [Recovered("ip link del dev x", 2)]


def test_two_hosts_that_do_not_know_their_boot_are_not_taken_for_one() -> None:
    one, other = (read_facts(json.dumps(SAID | {"boot_id": "", "id": i}).encode()) for i in ("1" * 16, "2" * 16))
    assert one.boot_id != other.boot_id
    assert one.boot_id


@pytest.mark.parametrize("change", [{"recovered": ["ip link del dev x"]}, {"colour": "red"}, {"recovered": None}])
def test_the_facts_of_another_version_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not the facts of an agent of this version"):
        read_facts(json.dumps(SAID | change).encode())
