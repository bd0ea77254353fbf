# SPDX-License-Identifier: Apache-2.0
"""What is asked of a comparison: which rows decide it; and whether these runs can answer that at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from latlab.errors import MeasurementError, NotComparableError, UsageError
from latlab.stats.comparing.comparable import MIXED, UNDER_TEST, comparable, metric_obstacles
from latlab.stats.comparing.observing import LOST, QUANTITIES, observe
from latlab.stats.stamps import METRICS
from latlab.store.document import RunDocument

WHOLE_WAYS = ("round_trip", "up", "down")
DEFAULT_QUANTILES = ("p99", "p90", "p50")
"""The first that both sides have a number for is the gate's when nobody asked for another."""
_SHOWN = 3


@dataclass(frozen=True)
class Question:
    """What is asked. `tolerance`: the share by which a gate may get worse, surely, before that counts.

    `metrics` are the gates' (names in run.json, or `lost`; empty: the round trip), `quantiles` one or more of
    `QUANTITIES` (empty: p99). `under_test`: words of `UNDER_TEST`. `gates`: how many gates are looked at together, if
    this comparison is one of several. `stages`: compare every metric, not only whole ways.
    """

    metrics: tuple[str, ...] = ()
    quantiles: tuple[str, ...] = ()
    tolerance: float = 0.0
    under_test: tuple[str, ...] = ()
    gates: int = 1
    stages: bool = False


def check(asked: Question) -> None:
    for quantity in asked.quantiles:
        if quantity not in QUANTITIES:
            raise UsageError(f"{quantity} is no quantile that runs have", hint=f"One of: {', '.join(QUANTITIES)}.")
    known = {metric.key(way) for metric in METRICS for way in ("up", "down")} | {LOST}
    for metric in asked.metrics:
        if metric not in known:
            raise UsageError(f"{metric} is no metric that runs have", hint=f"One of: {', '.join(sorted(known))}.")
    for what in asked.under_test:
        if what not in UNDER_TEST:
            raise UsageError(f"{what} is nothing that can be under test", hint=f"One of: {', '.join(UNDER_TEST)}.")
    if not 0 <= asked.tolerance < 100:
        raise UsageError("a tolerance is a share that is not negative", hint="Write 5%.")


def check_believable(side: str, group: Sequence[RunDocument]) -> None:
    if not group:
        raise UsageError(f"{side} has no runs", hint="`latlab list` shows the runs")
    wrong = [d for d in group if d.status != "done" or d.verdict.value == "invalid"]
    if wrong:
        told = "; ".join(f"{d.id}: {_why(d)}" for d in wrong[:_SHOWN])
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise MeasurementError(
            f"{len(wrong)} of {len(group)} runs of {side} cannot be believed: {told}{more}",
            hint="Measure again, or leave them out: --without-invalid compares the others.",
        )


def _why(document: RunDocument) -> str:
    if document.status in ("running", "interrupted"):
        return document.status
    return f"{document.status if document.status == 'failed' else 'invalid'}: {'; '.join(document.verdict.reasons)}"


def check_one_point(side: str, group: Sequence[RunDocument]) -> None:
    """The runs of one side are averaged, so nothing at all may differ between them."""
    for document in group[1:]:
        reasons = comparable(group[0], document, ("kernel",))
        if reasons:
            reasons = [f"{side} mixes runs that must not be taken together: {reasons[0]}", *reasons[1:]]
            raise NotComparableError(reasons, hint="Give runs of one point as a side.")


def metrics_of(a: Sequence[RunDocument], b: Sequence[RunDocument], asked: Question) -> tuple[list[str], dict[str, str]]:
    """The metrics that can be compared, in the order of tables, and why others cannot."""
    found = [key for document in (*a, *b) for key in document.metrics if asked.stages]
    wanted = dict.fromkeys([*WHOLE_WAYS, *found, *asked.metrics])
    wanted.pop(LOST, None)
    refused: dict[str, str] = {}
    for key in wanted:
        if reasons := metric_obstacles(a, b, key, asked.under_test):
            refused[key] = "; ".join(reasons)
    return [*(key for key in wanted if key not in refused), LOST], refused


def gates_of(
    a: Sequence[RunDocument], b: Sequence[RunDocument], asked: Question, metrics: Sequence[str], refused: dict[str, str]
) -> list[tuple[str, str]]:
    """The rows that decide. Errors when one that was asked for has no number."""
    chosen = asked.metrics or tuple(metric for metric in metrics if metric != LOST)[:1]
    if not chosen:
        raise MeasurementError(
            f"nothing was measured on both sides: {'; '.join(f'{key}: {why}' for key, why in refused.items())}",
            hint="`latlab show RUN` says what a run has.",
        )
    gates = []
    for metric in chosen:
        if metric in refused:
            if not refused[metric].startswith(MIXED):
                raise MeasurementError(
                    f"{metric} cannot be compared: {refused[metric]}", hint="Ask for another --metric."
                )
            hint = "--under-test timing, if that is the very thing under test." if "clocks" in refused[metric] else ""
            raise NotComparableError([f"{metric}: {refused[metric]}"], hint=hint)
        gates += [(metric, quantity) for quantity in _gate_quantities(a, b, metric, asked)]
    return list(dict.fromkeys(gates))


def _gate_quantities(a: Sequence[RunDocument], b: Sequence[RunDocument], metric: str, asked: Question) -> list[str]:
    if metric == LOST:
        return [LOST]
    for quantity in asked.quantiles:
        if not has_numbers(a, b, metric, quantity):
            side, document = next((s, d) for s, d in _sided(a, b) if observe(d, metric, quantity) is None)
            raise MeasurementError(
                f"{metric} has no {quantity} in {side} ({document.id}): too few packets lie beyond it",
                hint="Measure longer, or ask for a lower --quantile.",
            )
    if asked.quantiles:
        return list(asked.quantiles)
    first = next((quantity for quantity in DEFAULT_QUANTILES if has_numbers(a, b, metric, quantity)), None)
    if first is None:
        raise MeasurementError(
            f"{metric} has not even a {DEFAULT_QUANTILES[-1]} on both sides: too few packets", hint="Measure longer."
        )
    return [first]


def _sided(a: Sequence[RunDocument], b: Sequence[RunDocument]) -> Iterator[tuple[str, RunDocument]]:
    yield from (("A", document) for document in a)
    yield from (("B", document) for document in b)


def has_numbers(a: Sequence[RunDocument], b: Sequence[RunDocument], metric: str, quantity: str) -> bool:
    return all(observe(document, metric, quantity) is not None for document in (*a, *b))
