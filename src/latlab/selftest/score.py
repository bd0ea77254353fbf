# SPDX-License-Identifier: Apache-2.0
"""What the tool reported of each injection, and whether that is right. Pure.

The anomalies that overlap an injection in time are put together by verdict, kind and way. Those of them are about it
that bear its name, or cover it: of the time that either takes, at least a quarter is common to both, each counted as at
least `LEAST_NS` long. A late packet somewhere in a second of added delay is about itself.

Of what is about the injection, its own name goes before others, then what covers more of it. Right is

    above the floor   the verdict and kind that the fault has, its way where one is reported, and its true size within
                      the bound that is stated with the reported one
    below it          undecided: nothing is reported about it, or the verdict `unknown`, or a size within its own bound
                      or the floor, which the bench reaches by itself

A fault of the clock counts as reported as network also when its own name is reported as well, but something called
`network` covers more of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from latlab.selftest.faults import Injection
from latlab.selftest.floor import Floor

SLACK_NS = 250_000_000
"""How far an anomaly may be from the injection's times and still belong to it: a bin of the tool's, and a command's
time on a slow machine."""
LEAST_NS = 200_000_000
COVERS = 0.25
UNDECIDED = "undecided"
UNITS = {"loss": "packets", "duplication": "packets", "reordering": "packets", "ramp": "ppb"}
"""Of the sizes of anomalies, by their kind; of all others: ns."""

NAMED_SHARE, INSIDE_SHARE, ERROR_SHARE, FLOOR_SHARE, ABOVE_SHARE = 0.95, 0.99, 0.10, 0.5, 0.75


class Reported(Protocol):
    """What the self-test reads of an anomaly (see `stats.anomalies`)."""

    @property
    def verdict(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def way(self) -> str | None: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    @property
    def size(self) -> int | float | None: ...
    @property
    def bound(self) -> int | float | None: ...


@dataclass(frozen=True)
class Claim:
    """What the anomalies with one verdict, kind and way say about one injection. `covers`: 0 to 1."""

    verdict: str
    kind: str
    way: str | None
    size: float | None
    bound: float | None
    covers: float

    def decides(self, floor: float) -> bool:
        """Whether it claims more than that something may have been, and more than the bench does by itself."""
        sized = self.size is None or (abs(self.size) >= floor and abs(self.size) > (self.bound or 0))
        return self.verdict != "unknown" and sized


@dataclass(frozen=True)
class Case:
    """One injection with what was reported of it. `named` is None below the floor, where there is no name to find;
    `inside` is None where no size was reported of a fault that has one.
    """

    injection: Injection
    claim: Claim | None
    named: bool | None
    inside: bool | None
    as_network: bool
    """A fault of the clock that was reported as one of the network."""
    also: tuple[Claim, ...]
    """What else was reported about it."""

    @property
    def verdict(self) -> str:
        """As reported, or `undecided`."""
        return self.claim.verdict if self.claim and self.claim.decides(self.least) else UNDECIDED

    @property
    def least(self) -> float:
        """What a report must exceed to claim anything: the floor, where it is in the fault's own unit."""
        return self.injection.fault.floor if self.reported is not None else 0

    @property
    def reported(self) -> float | None:
        """The size that was reported, if it is one of the fault's unit."""
        if self.claim is None or UNITS.get(self.claim.kind, "ns") != self.injection.fault.of.unit:
            return None
        return self.claim.size

    @property
    def bound(self) -> float | None:
        """Of `reported`."""
        return self.claim.bound if self.claim is not None and self.reported is not None else None

    @property
    def right(self) -> bool:
        if not self.injection.above_floor:
            return self.verdict == UNDECIDED
        return bool(self.named) and self.verdict != UNDECIDED and self.inside is not False and not self.as_network


@dataclass(frozen=True)
class Criterion:
    """One thing that a bench must show. `holds` is None when nothing was injected that could show it."""

    what: str
    found: str
    holds: bool | None


@dataclass(frozen=True)
class Score:
    floor: Floor
    cases: tuple[Case, ...]
    left_out: tuple[tuple[str, str], ...]
    """Kinds of faults that were not injected, and why."""
    elsewhere: int
    """Anomalies that were reported where nothing had been injected."""
    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        return all(criterion.holds is not False for criterion in self.criteria)


Flow = tuple[Sequence[Injection], Sequence[Reported]]
"""What was injected into one flow, and what was reported of it."""


def score(
    floor: Floor, flows: Iterable[Flow], *, left_out: Sequence[tuple[str, str]] = (), least: int = 1,
    floor_counts: bool = True,
) -> Score:  # fmt: skip
    """The score. `least` is how many injections there should have been. The floor of a flow beside a clock service,
    which moves the clocks, does not count.
    """
    cases: tuple[Case, ...] = ()
    elsewhere = 0
    for injections, anomalies in flows:
        cases += tuple(judge(injection, anomalies) for injection in injections)
        elsewhere += sum(not any(_near(injection, anomaly) for injection in injections) for anomaly in anomalies)
    return Score(floor, cases, tuple(left_out), elsewhere, tuple(_criteria(floor, cases, least, floor_counts)))


def judge(injection: Injection, anomalies: Iterable[Reported]) -> Case:
    """What was reported of one injection."""
    claims = claims_about(injection, anomalies)
    claim = claims[0] if claims else None
    names = injection.fault.of.names
    named = inside = None
    if injection.above_floor:
        named = claim is not None and _bears_name(injection, claim)
    if claim is not None and named is not False and injection.fault.of.noise != "none":
        inside = _inside(injection, claim)
    by_name = max((c.covers for c in claims if (c.verdict, c.kind) in names), default=0.0)
    as_network = injection.fault.of.of_the_clock and any(
        c.verdict == "network" and c.covers > max(by_name, COVERS) for c in claims
    )
    return Case(injection, claim, named, inside, as_network, tuple(claims[1:]))


def claims_about(injection: Injection, anomalies: Iterable[Reported]) -> list[Claim]:
    """What is said about an injection; what bears its name first, then by how much of it is covered."""
    groups: dict[tuple[str, str, str | None], list[Reported]] = {}
    for anomaly in anomalies:
        if _near(injection, anomaly):
            groups.setdefault((anomaly.verdict, anomaly.kind, anomaly.way), []).append(anomaly)
    claims = [_claim(injection, key, members) for key, members in groups.items()]
    about = [claim for claim in claims if claim.covers >= COVERS or _bears_name(injection, claim)]
    return sorted(about, key=lambda claim: (not _bears_name(injection, claim), -claim.covers))


def _near(injection: Injection, anomaly: Reported) -> bool:
    return anomaly.start_ns <= injection.end_ns + SLACK_NS and anomaly.end_ns >= injection.start_ns - SLACK_NS


def _claim(injection: Injection, key: tuple[str, str, str | None], members: Sequence[Reported]) -> Claim:
    """Counted outcomes add up. Of what came late or moved, the largest is meant: a clock that is stepped and stepped
    back, or a stall and what it leaves behind, are told in several.
    """
    sized = [(float(m.size), m.bound) for m in members if m.size is not None]
    size = bound = None
    if sized and injection.fault.of.noise == "count":
        size = sum(one for one, _ in sized)
        bound = None if any(b is None for _, b in sized) else float(sum(b or 0 for _, b in sized))
    elif sized:
        size, bound = max(sized, key=lambda pair: abs(pair[0]))
    return Claim(*key, size=size, bound=bound, covers=_covers(injection, members))


def _widened(start_ns: int, end_ns: int) -> tuple[int, int]:
    lacking = max(0, LEAST_NS - (end_ns - start_ns))
    return start_ns - lacking // 2, end_ns + lacking // 2


def _covers(injection: Injection, members: Sequence[Reported]) -> float:
    """The time common to the injection and these anomalies, as a share of the time of either."""
    start, end = _widened(injection.start_ns, injection.end_ns)
    common = union = 0
    reached: int | None = None
    for begin, finish in sorted(_widened(m.start_ns, m.end_ns) for m in members):
        begin = begin if reached is None else max(begin, reached)
        if finish > begin:
            union += finish - begin
            common += max(0, min(finish, end) - max(begin, start))
            reached = finish
    union += (end - start) - common
    return common / union if union else 0.0


def _bears_name(injection: Injection, claim: Claim) -> bool:
    """`both` is the way of what happened to the whole exchange; outcomes that are counted at the sender have none."""
    way = injection.fault.way
    fits = way is None or claim.way is None or claim.way == way
    return (claim.verdict, claim.kind) in injection.fault.of.names and fits


def _inside(injection: Injection, claim: Claim) -> bool | None:
    """None when no bound is stated: what was counted is not off, but part of it may be elsewhere."""
    if claim.size is None or claim.bound is None:
        return None
    return abs(abs(claim.size) - injection.true_size) <= claim.bound + injection.true_error


def _criteria(floor: Floor, cases: Sequence[Case], least: int, floor_counts: bool) -> Iterable[Criterion]:
    """The fault of a clock that was called network comes first: it is what must never be."""
    clock = [case for case in cases if case.injection.fault.of.of_the_clock]
    wrong = sum(case.as_network for case in clock)
    yield Criterion(
        "no fault of a clock is reported as network", f"{wrong} of {len(clock)}", not wrong if clock else None
    )
    for kind in dict.fromkeys(case.injection.fault.kind for case in cases):
        above = [case for case in cases if case.injection.fault.kind == kind and case.injection.above_floor]
        named = sum(bool(case.named) for case in above)
        holds = named >= NAMED_SHARE * len(above) if above else None
        yield Criterion(f"{kind} is named right in at least 95 %", f"{named} of {len(above)}", holds)
    below = [case for case in cases if not case.injection.above_floor]
    undecided = sum(case.right for case in below)
    holds = undecided >= NAMED_SHARE * len(below) if below else None
    yield Criterion("below the floor nothing is claimed in at least 95 %", f"{undecided} of {len(below)}", holds)
    sized = [case for case in cases if case.inside is not None and case.verdict != UNDECIDED]
    inside = sum(bool(case.inside) for case in sized)
    holds = inside >= INSIDE_SHARE * len(sized) if sized else None
    yield Criterion("the true size is inside the bound in at least 99 %", f"{inside} of {len(sized)}", holds)
    yield _error_of_delays(floor, cases)
    share = floor.level_ns / floor.round_trip_ns
    holds = share <= FLOOR_SHARE if floor_counts else None
    yield Criterion("the floor is at most half the median round trip", f"{share:.0%}", holds)
    above_floor = sum(case.injection.above_floor for case in cases)
    yield Criterion(f"at least {least} faults were injected", f"{len(cases)}", len(cases) >= least)
    found = f"{above_floor} of {len(cases)}"
    yield Criterion("at least three quarters of them above the floor", found, above_floor >= ABOVE_SHARE * len(cases))


def _error_of_delays(floor: Floor, cases: Sequence[Case]) -> Criterion:
    """Median over the delays that were named: the error must be below 10 % of the delay, or the floor."""
    what = "the median error of a reported delay is below 10 %, or the floor"
    errors = [
        (abs(abs(case.claim.size) - case.injection.true_size), case.injection.true_size)
        for case in cases
        if case.injection.fault.kind == "delay" and case.named and case.claim and case.claim.size is not None
    ]
    if not errors:
        return Criterion(what, "no delay was reported", None)
    error_ns, share = median(error for error, _ in errors), median(error / size for error, size in errors)
    return Criterion(what, f"{share:.1%}, {error_ns / 1000:.1f} us", share < ERROR_SHARE or error_ns < floor.level_ns)
