# SPDX-License-Identifier: Apache-2.0
"""`latlab doctor`: what each attachment needs on each bench, has, and lacks; and what on this machine makes latency.

It reads only, and needs no root. The one thing that it tries is a guest of two seconds at most, which tells whether KVM
works here, and of which nothing stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latlab.bench.accelerator import nested_obstacle
from latlab.bench.lock import dead_journals
from latlab.doctor import kvm
from latlab.doctor.benches import BenchState, emulated_state, everything_wanted, local_state
from latlab.doctor.boards import boards_state
from latlab.doctor.finding import Finding
from latlab.doctor.latency import kernel_findings
from latlab.doctor.machine import look_here
from latlab.doctor.nics import nic_findings
from latlab.hosts.look import OnlyLooking
from latlab.needs import Missing
from latlab.scenario.bench_model import AnyBench, BoardsBench, EmulatedBench, LocalBench, load_bench
from latlab.scenario.find import find_bench

NOTHING_READY = 4
USUAL = ("emulated", "local")
"""The presets that are looked at when no bench is named."""


@dataclass(frozen=True)
class Diagnosis:
    benches: tuple[BenchState, ...]
    machine: tuple[Finding, ...]
    headline: str

    @property
    def exit_code(self) -> int:
        return 0 if any(state.ready for bench in self.benches for state in bench.attachments) else NOTHING_READY


def examine(names: Sequence[str]) -> Diagnosis:
    """Looks at these benches, or without names at the usual ones, and at this machine. ScenarioError for a bad file."""
    benches = {name: load_bench(find_bench(name)) for name in names or USUAL}
    here = OnlyLooking("hypervisor")
    seen = look_here(here, everything_wanted(), [nic for bench in benches.values() for nic in _nics(bench)])
    trial = kvm.trial(here, next(iter(benches.values())).kernel)
    states = []
    for name, bench in benches.items():
        if isinstance(bench, EmulatedBench):
            nested = trial.obstacle or nested_obstacle(here)
            states.append(emulated_state(name, bench, here, seen.facts, nested))
        elif isinstance(bench, BoardsBench):
            states.append(boards_state(name, bench))
        else:
            states.append(local_state(name, bench, here, seen.facts, trial.obstacle))
    findings = (*kernel_findings(seen), *kvm.findings(trial), *nic_findings(seen), *left_behind())
    headline = f"kernel {seen.facts.kernel} · {seen.facts.machine} · {here.facts.cpus} CPUs"
    return Diagnosis(tuple(states), findings, headline)


def _nics(bench: AnyBench) -> list[str]:
    return [nic for nic in (bench.nic, bench.peer_nic) if nic] if isinstance(bench, LocalBench) else []


def left_behind() -> tuple[Finding, ...]:
    """What a latlab that was killed changed, and nobody has undone yet."""
    count = len(dead_journals())
    if not count:
        return ()
    cost = "what it changed is undone when the next one starts"
    return (Finding("latlab", f"{count} that died left changes behind", cost, "latlab cleanup"),)


__all__ = ["BenchState", "Diagnosis", "Finding", "Missing", "examine"]
