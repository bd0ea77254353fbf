# SPDX-License-Identifier: Apache-2.0
"""A campaign: the points of a plan, one after the other, on a bench that is up for all of them.

A bench that is lost ends the campaign, with one exception: an emulator that fails by itself (it resets its machine, or
its machine's processors hang) says nothing about what is measured. Such a bench is started again, and the point that
was lost with it is measured again; so is one whose guest was lost on it. The run that failed stays, and names the one
that took its place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latlab.attached import Standing
from latlab.bench.opening import open_bench
from latlab.bench.site import Site
from latlab.errors import BenchLostError, GuestError
from latlab.hosts.commands import CommandLog
from latlab.obstacles import able_plan
from latlab.report.progress import TerminalProgress
from latlab.run import run_point
from latlab.scenario.bench_model import AnyBench
from latlab.scenario.model import Scenario
from latlab.scenario.plan import Plan, PlannedPoint, about
from latlab.scenario.points import same_set_up
from latlab.stats.summary import Summary
from latlab.store.run_dir import RunDirectory

MOST_STARTS = 3
"""Of an emulated bench in one campaign. More failures than that have a cause that another start does not mend."""


class Campaign:
    """`done` holds the last run of each point that was begun, in the plan's order."""

    def __init__(self, scenario: Scenario, bench_name: str, bench: AnyBench, root: Path, log: CommandLog,
                 progress: TerminalProgress) -> None:  # fmt: skip
        self._scenario, self._bench_name, self._bench = scenario, bench_name, bench
        self._root, self._log, self._progress = root, log, progress
        self.done: list[RunDirectory] = []
        self._lost: RunDirectory | None = None
        """The run that an emulator's failure ended, until another one has taken its place."""

    def run(self, asked: Plan) -> None:
        """Measures what the bench is able to. BenchLostError when it is lost; what was measured stays."""
        plan: Plan | None = None
        for start in range(1, MOST_STARTS + 1):
            try:
                with self._opened() as site:
                    plan = plan or self._able(asked, site)
                    self._measure(plan, site)
                return
            except (BenchLostError, GuestError) as error:
                failed = error.emulator if isinstance(error, BenchLostError) else error.message * error.silent
                if not failed or start == MOST_STARTS:
                    raise
                if self.done and self.done[-1].document.status != "done":
                    self._lost = self.done.pop()
                self._progress.say("note", f"the emulator failed, and is started again: {failed}")

    @contextmanager
    def _opened(self) -> Iterator[Site]:
        progress, name, started = self._progress, self._bench_name, time.monotonic()
        progress.say("bench", f"{name}  starting")
        with open_bench(name, self._bench, self._log, lambda text: progress.say("note", text)) as site:
            progress.say("bench", f"{name}  {site.headline}   up in {time.monotonic() - started:.1f} s")
            yield site

    def _able(self, asked: Plan, site: Site) -> Plan:
        plan = able_plan(asked, site)
        self._progress.say("plan", f"{len(plan.points)} points · {about(plan.seconds)}")
        for left in plan.left_out:
            self._progress.say("left out", f"{left.label}: {left.reason}")
        return plan

    def _measure(self, plan: Plan, site: Site) -> None:
        """Every point that has no run yet."""
        standing, points = Standing(), plan.points[len(self.done) :]
        for planned, following in zip(points, [*points[1:], None], strict=True):
            self._progress.point(planned.number, len(plan.points), planned.label)
            keep = self._scenario.reuse_guest and following is not None and same_set_up(planned.point, following.point)
            self._measure_one(planned, site, standing, keep=keep)
            if self._guest_failed(site):
                self._lost = self.done.pop()
                self._progress.point(planned.number, len(plan.points), f"{planned.label}, again")
                self._measure_one(planned, site, standing, keep=keep)
            if site.lost:
                raise BenchLostError(
                    f"the bench was lost: {' and '.join(site.lost)} was ended, or answers no more",
                    hint="Run it again.",
                    emulator=site.emulator_failed,
                )

    def _measure_one(self, planned: PlannedPoint, site: Site, standing: Standing, *, keep: bool) -> None:
        finished = run_point(
            planned, self._scenario.name, site, self._log, self._root, self._progress, standing, keep=keep
        )
        self.done.append(finished)
        self._progress.finished(_outcome(finished))
        if self._lost:
            self._lost.document.again = finished.id
            self._lost.save()
            self._lost = None

    def _guest_failed(self, site: Site) -> bool:
        """A guest of an emulated processor hangs, or is reset, like the machine that it runs in."""
        return site.kind == "emulated" and not site.lost and bool(self.done[-1].document.failed_on)


def _outcome(finished: RunDirectory) -> str:
    document = finished.document
    if document.status != "done":
        return f"{document.status}: {'; '.join(document.verdict.reasons)}"
    counts = document.counts
    text = f"lost {counts.lost}"
    found = document.metrics.get("round_trip")
    if isinstance(found, Summary):
        quantiles = [(name, found.quantiles_ns.get(name)) for name in ("p50", "p99")]
        known = "  ".join(f"{name} {value / 1000:.0f}" for name, value in quantiles if value is not None)
        text = f"{known} us   {text}"
    return text if document.verdict.value == "valid" else f"{text}   {document.verdict.value}"
