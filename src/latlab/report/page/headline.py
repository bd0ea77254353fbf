# SPDX-License-Identifier: Apache-2.0
"""What the runs say, in sentences: the page's first lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from latlab.report.layout import microseconds
from latlab.report.page.groups import Group, groups_of
from latlab.report.page.judge import MAXIMUM, Judgement, Value, believed, judge, together
from latlab.report.page.measured import Measured
from latlab.report.page.reduce import WAYS
from latlab.scenario.units import format_duration

WAY_WORDS = {"round_trip": "round trip", "up": "way up", "down": "way down"}


@dataclass(frozen=True)
class Asked:
    """What the page shows first. `budget_ns` is None without a budget."""

    way: str
    statistic: str
    budget_ns: int | None = None


def usual_way(runs: Sequence[Measured]) -> str:
    """The round trip, unless not half of the runs have measured it and more of them another way."""
    measured = Counter(way for run in runs for way in WAYS if run.summary(way))
    if 2 * measured[WAYS[0]] >= len(runs):
        return WAYS[0]
    return max(WAYS, key=lambda way: measured[way])


def usual_statistic(runs: Sequence[Measured], way: str) -> str:
    """p99; of runs that are too short for it, the median."""
    known = [run.value(way, "p99").value_ns is not None for run in runs if run.summary(way)]
    return "p99" if any(known) or not known else "p50"


def judgements(runs: Sequence[Measured], group: Group, asked: Asked) -> dict[tuple[int, int], Judgement]:
    """Of each cell of a table whose runs may be believed."""
    found = {}
    for cell, places in group.cells.items():
        told = [_judged(runs[place], asked) for place in places if believed(runs[place].document)]
        if told:
            found[cell] = together(told)
    return found


def _judged(run: Measured, asked: Asked) -> Judgement:
    counts, value = run.document.counts, run.value(asked.way, asked.statistic)
    return judge(value, counts.lost, counts.sent, asked.statistic, asked.budget_ns or 0)


def sentences(runs: Sequence[Measured], asked: Asked) -> list[str]:
    """The first one is the headline."""
    documents = [run.document for run in runs]
    groups = groups_of(documents)
    said = []
    for group in groups:
        alike = sum(other.name == group.name for other in groups) > 1
        where = f"On {group.bench if alike else group.name}: " if len(groups) > 1 else ""
        sentence = _of_budget(runs, group, asked) if asked.budget_ns is not None else _of_range(runs, group, asked)
        said.append(where + sentence if where else sentence[:1].upper() + sentence[1:])
    return said + _of_trouble(runs)


def _name(run: Measured) -> str:
    load = "no load" if run.document.load == "none" else run.document.load
    return f"{run.document.attachment} ({load})"


def _emulated(group: Group) -> str:
    return f", {group.emulation}" if group.emulation else ""


def _statistic(asked: Asked) -> str:
    """ "p99 of the round trip"."""
    return f"{'maximum' if asked.statistic == MAXIMUM else asked.statistic} of the {WAY_WORDS[asked.way]}"


def _known(runs: Sequence[Measured], group: Group, asked: Asked) -> list[tuple[Measured, Value, int]]:
    """The runs that may be believed and have the number, the smallest first."""
    found = []
    for place in group.places:
        value = runs[place].value(asked.way, asked.statistic)
        if believed(runs[place].document) and value.value_ns is not None:
            found.append((runs[place], value, value.value_ns))
    return sorted(found, key=lambda entry: entry[2])


def _of_range(runs: Sequence[Measured], group: Group, asked: Asked) -> str:
    known = _known(runs, group, asked)
    if not known:
        reasons = Counter(runs[place].why_not(asked.way) or "too few samples" for place in group.places)
        return f"no run has a number for the {_statistic(asked)}{_emulated(group)}: {reasons.most_common(1)[0][0]}."
    (least, low, least_ns), (most, _, most_ns) = known[0], known[-1]
    if len(known) == 1:
        return f"{_name(least)}: the {_statistic(asked)} is {microseconds(least_ns)} us{_emulated(group)}."
    near = [run for run, value, _ in known[1:] if (value.low_ns or 0) <= (low.high_ns or 0)]
    lowest = _name(least)
    if near:
        others = len(near) - 1
        lowest += f", not told apart from {_name(near[0])}" + (f" and {others} more" if others else "") + ","
    return (
        f"the {_statistic(asked)} is lowest for {lowest} with {microseconds(least_ns)} us, and highest for "
        f"{_name(most)} with {microseconds(most_ns)} us{_emulated(group)}."
    )


def _of_budget(runs: Sequence[Measured], group: Group, asked: Asked) -> str:
    told = judgements(runs, group, asked)
    counted = Counter(told.values())
    budget = format_duration(asked.budget_ns or 0)
    judged = len(told) - counted["unknown"]
    if not judged:
        return f"no point has a number for the {_statistic(asked)}{_emulated(group)}."
    if len(told) == 1:
        return _of_one(runs, group, asked, next(iter(told)), next(iter(told.values())))
    sentence = f"{counted['within']} of {judged} points keep {budget} at the {_statistic(asked)}{_emulated(group)}"
    parts = []
    if counted["over"]:
        worst = _worst(runs, group, asked, told)
        parts.append(f"{counted['over']} exceed it{worst}")
    if counted["undecided"]:
        parts.append(f"{counted['undecided']} undecided within their error")
    if counted["unknown"]:
        parts.append(f"{counted['unknown']} without that number")
    return "; ".join([sentence, *parts]) + "."


def _of_one(runs: Sequence[Measured], group: Group, asked: Asked, cell: tuple[int, int], told: Judgement) -> str:
    verb = {"within": "keeps", "over": "exceeds", "undecided": "may or may not keep"}[told]
    known = _known(runs, group, asked)
    value = f": {microseconds(known[-1][2])} us" if known else ""
    name = _name(runs[group.cells[cell][0]])
    return f"{name} {verb} {format_duration(asked.budget_ns or 0)} at the {_statistic(asked)}{_emulated(group)}{value}."


def _worst(runs: Sequence[Measured], group: Group, asked: Asked, told: dict[tuple[int, int], Judgement]) -> str:
    over = {place for cell, judgement in told.items() if judgement == "over" for place in group.cells[cell]}
    known = [entry for entry in _known(runs, group, asked) if runs.index(entry[0]) in over]
    if not known:
        return ""
    run, _, value_ns = known[-1]
    return f", worst {_name(run)} with {microseconds(value_ns)} us"


def _of_trouble(runs: Sequence[Measured]) -> list[str]:
    """Losses, anomalies by whose fault they were, and runs that may not be believed."""
    said = []
    lost = sum(run.document.counts.lost for run in runs)
    sent = sum(run.document.counts.sent for run in runs)
    if sent:
        said.append(f"{lost:,} of {sent:,} packets were lost." if lost else f"None of {sent:,} packets was lost.")
    anomalies: Counter[str] = Counter()
    for run in runs:
        anomalies.update(run.document.anomaly_counts)
    if anomalies:
        words = [f"{anomalies['network']} by the network", f"{anomalies['clock']} by a clock"]
        words += [f"{anomalies['sender']} by the sender", f"{anomalies['unknown']} for no known reason"]
        total = sum(anomalies.values())
        said.append(f"{total} anomal{'y' if total == 1 else 'ies'}: {', '.join(words)}.")
    verdicts = Counter("unfinished" if run.document.status != "done" else run.document.verdict.value for run in runs)
    parts = [f"{verdicts[word]} {'is' if verdicts[word] == 1 else 'are'} {word}"
             for word in ("suspect", "invalid", "unfinished") if verdicts[word]]  # fmt: skip
    if parts:
        said.append(f"Of {len(runs)} runs {', '.join(parts)}: see their reasons below.")
    return said
