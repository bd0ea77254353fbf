# SPDX-License-Identifier: Apache-2.0
"""Whether two runs may be compared at all, and if not, why not. Used by everything that puts runs beside each other.

A comparison answers what one thing does. So one thing may differ: the attachment, unless the user says what else is
under test, and then that and nothing else of the point. What the machines run (kernel, versions, arguments) is not
part of the point: it may always differ, and is shown.

Never compared: emulated with real, guests under KVM with guests under TCG, and formats of different number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from latlab.scenario.model import Flow, Guest, Nic
from latlab.scenario.units import format_duration
from latlab.stats.stamps import METRICS, Metric
from latlab.stats.summary import NotMeasured, Summary
from latlab.store.document import BenchFacts, RunDocument

UNDER_TEST = {
    "attachment": "how the guest is attached (this alone may differ when nothing is said)",
    "kernel": "what the machines run: kernel, versions, arguments; of the point nothing may differ",
    "load": "the bulk traffic",
    "flow": "the measured packets",
    "guest": "the guests: how many, their CPUs, memory, image",
    "nic-settings": "MTU, VLAN and offloads of the interfaces",
    "nic": "the NIC",
    "cable": "what joins the two NICs",
    "bench": "the bench, of the same kind",
    "timing": "how the clocks were compared, for one-way times",
}
"""What a user may name as the very thing under test."""
USUAL = ("attachment",)
MIXED = "mixed"
"""The first word of what must not be compared, rather than cannot."""
_NEVER = ""
_SIZE_ONLY = frozenset({"count"})
"""Keys of a flow that change how many packets there are, and no packet's latency."""


@dataclass(frozen=True)
class Obstacle:
    """Something that differs between two runs: the word of `UNDER_TEST` that would allow it, or "", and a sentence."""

    what: str
    sentence: str


def bench_key(bench: BenchFacts) -> tuple[str, ...]:
    """Runs may stand in one table when this is the same for them."""
    return bench.kind, bench.name, bench.accelerator, bench.cable, bench.nic


def comparable(a: RunDocument, b: RunDocument, under_test: Sequence[str] = ()) -> list[str]:
    """Why these two runs must not be compared, a sentence for each reason; none: they may be."""
    allowed = set(under_test or USUAL) | {"timing"}  # clocks concern single metrics: see `metric_obstacles`
    return [obstacle.sentence for obstacle in obstacles(a, b) if obstacle.what not in allowed]


def obstacles(a: RunDocument, b: RunDocument) -> list[Obstacle]:
    """Everything of bench and point that differs."""
    one, other = a.bench, b.bench
    found: list[Obstacle] = []
    if a.format != b.format:
        found.append(Obstacle(_NEVER, f"other format: {a.format} against {b.format}"))
    if one.kind != other.kind:
        told = "emulated against real" if "emulated" in (one.kind, other.kind) else "other kind of bench"
        found.append(Obstacle(_NEVER, f"{told}: {one.kind} against {other.kind}"))
    elif one.accelerator != other.accelerator:
        told = f"{one.accelerator or 'not recorded'} against {other.accelerator or 'not recorded'}"
        found.append(Obstacle(_NEVER, f"guests of another accelerator: {told}"))
    for what, mine, theirs in (
        ("bench", one.name, other.name),
        ("cable", one.cable, other.cable),
        ("nic", one.nic, other.nic),
        ("attachment", a.attachment, b.attachment),
        ("load", a.load, b.load),
    ):
        if mine != theirs and one.kind == other.kind:
            told = f"{mine or 'not recorded'} against {theirs or 'not recorded'}"
            found.append(Obstacle(what, f"other {'NIC' if what == 'nic' else what}: {told}"))
    for what, part, model in (("flow", "flow", Flow), ("guest", "guest", Guest), ("nic-settings", "nic", Nic)):
        words = _differing(_part(a, part, model), _part(b, part, model))
        if words:
            found.append(Obstacle(what, f"other {'settings of the NICs' if part == 'nic' else part}: {words}"))
    if a.timing.method != b.timing.method:
        found.append(Obstacle("timing", f"clocks compared by {a.timing.method} against {b.timing.method}"))
    return found


def metric_obstacles(
    a: Sequence[RunDocument], b: Sequence[RunDocument], key: str, under_test: Sequence[str] = ()
) -> list[str]:
    """Why a metric of two groups of runs, which may be compared, must not be: not measured, other units, other clocks.

    `key` is its name in run.json.
    """
    for side, group in (("A", a), ("B", b)):
        for document in group:
            result = document.metrics.get(key)
            if not isinstance(result, Summary):
                reason = result.not_measured if isinstance(result, NotMeasured) else "not measured"
                return [f"{reason} in {side} ({document.id})"]
    units = sorted({summary.unit for d in (*a, *b) if isinstance(summary := d.metrics[key], Summary)})
    if len(units) > 1:
        return [f"{MIXED} units: {' and '.join(units)}"]
    metric = metric_of(key, a[0])
    if metric is not None and metric.two_clocks and "timing" not in under_test:
        methods = sorted({document.timing.method for document in (*a, *b)})
        if len(methods) > 1:
            return [f"{MIXED} clocks: they were compared by {' and '.join(methods)}"]
    return []


def metric_of(key: str, document: RunDocument) -> Metric | None:
    """The metric that has this name in the run's document; None for one that this version does not know."""
    return next((metric for metric in METRICS if metric.key(document.direction) == key), None)


def _part(document: RunDocument, part: str, model: type[BaseModel]) -> Mapping[str, Any]:
    """A part of the point with the defaults of today, so that an older run differs only in what it says."""
    found = document.point.get(part)
    return model().model_dump(mode="json") | (found if isinstance(found, dict) else {})


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    keys = [key for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key) and key not in _SIZE_ONLY]
    return ", ".join(f"{_name(key)} {_value(key, a.get(key))} against {_value(key, b.get(key))}" for key in keys)


def _name(key: str) -> str:
    for unit in ("_ns", "_bytes", "_mib", "_bps"):
        key = key.removesuffix(unit)
    return key.replace("_", "-")


def _value(key: str, value: object) -> str:
    if value is None:
        return "none"
    if key.endswith("_ns") and isinstance(value, int):
        return format_duration(value)
    return str(value)
