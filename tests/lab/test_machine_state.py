# SPDX-License-Identifier: Apache-2.0
"""The comparison that the lab rests on: it sees what is made, and a machine that it cannot read is no equal one."""

from __future__ import annotations

import subprocess

import pytest

from tests.lab import machine_state
from tests.lab.machine_state import differences, read_state

NAMESPACE = "llstate"


def test_a_tool_that_fails_is_no_empty_answer() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        machine_state._output("ip", "-j", "link", "show", "dev", "no-such-device")


def test_a_part_that_cannot_be_empty_is_not(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state, "_sysctls", list)
    with pytest.raises(AssertionError, match="nothing could be read of: sysctls"):
        read_state()


def test_what_is_made_is_seen_unless_it_is_ignored(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_state()
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        assert f"namespaces: + {NAMESPACE}" in differences(before, read_state())
        monkeypatch.setattr(machine_state, "IGNORED", (NAMESPACE,))
        assert not any(NAMESPACE in line for line in differences(before, read_state()))
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)
