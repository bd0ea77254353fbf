# SPDX-License-Identifier: Apache-2.0
"""Guests that do not start at once. The machines are made up: no real processor fails when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from latlab import ends
from latlab.bench.site import Site
from latlab.errors import GuestError
from latlab.guest.machine import MachineSpec

SPEC = cast(MachineSpec, SimpleNamespace(name="guest"))


class Failing:
    """Guests that fail to start so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, *, silent: bool = True) -> None:
        self.starts, self._times, self._silent = 0, times, silent
        monkeypatch.setattr(ends, "start_machines", self._start)

    def _start(self, _on: Any, specs: Sequence[MachineSpec]) -> list[Any]:
        self.starts += 1
        if self.starts <= self._times:
            raise GuestError(f"guest: start {self.starts} failed", silent=self._silent)
        return [SimpleNamespace(name=spec.name, started_again="") for spec in specs]


class Hypervisor:
    facts = SimpleNamespace(id="0123")

    def __init__(self) -> None:
        self.ran: list[list[str]] = []

    def run(self, argv: list[str]) -> str:
        self.ran.append(argv)
        return ""


def site(kind: str, hypervisor: Hypervisor) -> Site:
    return cast(Site, SimpleNamespace(kind=kind, hypervisor=hypervisor))


def test_a_guest_of_an_emulated_processor_that_resets_silently_is_started_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And it says so; what the first one left is out of its way."""
    failing, hypervisor = Failing(monkeypatch, 1), Hypervisor()
    (machine,) = ends.start_guests(site("emulated", hypervisor), [SPEC])
    assert machine.started_again == "guest: start 1 failed"
    assert failing.starts == 2
    assert hypervisor.ran == [["rm", "-rf", "/tmp/latlab-0123-guest"]]


@pytest.mark.parametrize(
    ("kind", "silent", "starts"),
    [("emulated", True, 2), ("emulated", False, 1), ("local", True, 1), ("boards", True, 1)],
)
def test_a_guest_that_fails_for_a_reason_of_its_own_is_not_started_again_and_again(
    monkeypatch: pytest.MonkeyPatch, kind: str, silent: bool, starts: int
) -> None:
    failing = Failing(monkeypatch, 9, silent=silent)
    with pytest.raises(GuestError, match=f"start {starts} failed"):
        ends.start_guests(site(kind, Hypervisor()), [SPEC])
    assert failing.starts == starts
