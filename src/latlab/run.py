# SPDX-License-Identifier: Apache-2.0
"""The story of one run: a point, executed once, into a directory. The only place that knows the order.

Read `run_point` and `_measure` from top to bottom. What they call is pure, or is one of the three verbs.
"""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from latlab import attachment
from latlab.attached import Begun, SetUp, Standing
from latlab.attachment.wiring import End, Evidence, Wiring, judge, judge_facts
from latlab.bench import snapshot
from latlab.bench.site import Site, link
from latlab.ends import load_ends, timescales, write_text
from latlab.errors import LatlabError, UndoError
from latlab.guest.own import accelerator, describe
from latlab.hosts import interrupt
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Process
from latlab.live import LiveRun
from latlab.load import BulkTraffic, running_between
from latlab.measure import netperf, ping, probe
from latlab.measure.verdict import Outcome, judge_run
from latlab.report.live import Shown
from latlab.report.live_line import line as live_line
from latlab.report.progress import View
from latlab.scenario.model import Netperf, Ping, Point, Probe
from latlab.scenario.plan import PlannedPoint
from latlab.scenario.points import attachment_label, load_label
from latlab.stats.clocks import SHARED
from latlab.stats.columns import Columns
from latlab.stats.live import ROUND_TRIP
from latlab.store.disk import store_error
from latlab.store.document import BenchFacts, InstrumentResult, Verdict, now
from latlab.store.document import Evidence as EvidenceRecord
from latlab.store.run_dir import RunDirectory
from latlab.store.sentences import clock_reasons
from latlab.store.statistics import fill
from latlab.store.timing_log import SyncLog, from_path
from latlab.timing.ptp.sparing import stamps_every
from latlab.timing.reading import Watch
from latlab.timing.said import findings
from latlab.version import program_versions, versions
from latlab.watched import Taken, clocks_watched, guest_watched, hypervisor_watched, way_watched

_programs = functools.cache(program_versions)
"""Asked once for each host: programs do not change while we look."""


class Progress(Protocol):
    """Who is told how a run goes on."""

    def step(self, text: str) -> None:
        """Something is done: a few words in the past tense."""

    def doing(self, text: str, done: int = 0, of: int = 0) -> None:
        """Something is under way."""

    def shows(self, view: View | None) -> bool:
        """`view` says how a measurement stands, until None is given. False: nobody would see it."""


def run_point(
    planned: PlannedPoint, scenario: str, site: Site, log: CommandLog, root: Path, progress: Progress,
    standing: Standing, *, keep: bool = False,
) -> RunDirectory:  # fmt: skip
    """Measures one point, on the set-up that stands, or on one made for it; `keep`: the next point will use it too.

    The run's directory is always written and returned, also when the run failed. StoreError when the directory itself
    cannot be written; KeyboardInterrupt after what was measured is saved.
    """
    point, taken = planned.point, Taken()
    with _directory(planned, scenario, site, root) as run, _recorded(log, run):
        try:
            if standing.set_up is None:
                standing.before = _environment(site, run.env_before)
            try:
                with _ends_unless_kept(standing, taken, keep):
                    _measure(point, site, run, taken, progress, standing)
            except UndoError as error:
                taken.trouble.append(f"{error.message}. {error.hint}")
            if standing.set_up is None:
                changed = snapshot.differences(standing.before, _environment(site, run.env_after))
                taken.trouble += [f"not as it was before the run: {change}" for change in changed]
            _statistics(run)
            run.document.verdict = judge_run(point.flow, _outcome(run, taken))
            run.document.status = "done"
        except LatlabError as error:
            _failed(run, taken, "failed", f"{error.message}. {error.hint}" if error.hint else error.message)
        except KeyboardInterrupt:
            _failed(run, taken, "interrupted", "stopped by the user")
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours spoils one point, not the others
            write_text(run.log("defect.txt"), traceback.format_exc())
            reason = f"a defect of latlab itself ({error!r}): report {run.log('defect.txt')}"
            _failed(run, taken, "failed", reason)
        return run


def _measure(point: Point, site: Site, run: RunDirectory, taken: Taken, progress: Progress, standing: Standing) -> None:
    """From a bench that is up to raw samples on disk; every change is deferred for undoing before it is made."""
    with ExitStack() as stack:
        stack.enter_context(hypervisor_watched(site, run, taken))
        ready = _set_up(point, site, run, progress, standing)
        stack.enter_context(guest_watched(ready, run, taken))
        stack.enter_context(way_watched(point, ready, taken))
        app, peer = ready.app, ready.peer
        sender, reflector = (app, peer) if point.flow.direction == "up" else (peer, app)
        run.document.timescales = dict(timescales(sender, reflector))
        clocks = stack.enter_context(clocks_watched(point, site, run, sender, reflector, taken))

        # Before any load flows, the counters can only be moved by our own packets.
        cold = _evidence(point, ready)
        answered = _warm_up(point, sender, reflector, taken, progress)
        warm = _evidence(point, ready)
        taken.findings += judge(cold, warm, packets=answered, when="warm-up") if answered else []

        load = _load(stack, point, ready, progress)
        if any(isinstance(i, Probe) for i in point.instruments):
            with standing.beside(ready, run, clocks) if standing.beside else nullcontext(_nobody) as begun:
                taken.probe = _probe(point, run, sender, reflector, clocks, progress, begun)
            replied = taken.probe.sender["replied"]
            flown = _evidence(point, ready)
            taken.findings += judge(warm, flown, packets=replied, when="flow") + judge_facts(flown)
        _other_instruments(point, run, sender, reflector, ready.wiring, progress)
        if taken.probe is None:
            used = _evidence(point, ready)
            taken.findings += judge(warm, used, packets=1, when="instruments") + judge_facts(used)
        elif len(point.instruments) > 1:
            # What held for the flow may have ended since.
            taken.findings += [late for late in judge_facts(_evidence(point, ready)) if not late.ok]
        if load:
            run.document.load_achieved = load.finish()
            taken.load_failure = load.failure
            taken.load_shortfall = getattr(run.document.load_achieved, "shortfall", None)


def _set_up(point: Point, site: Site, run: RunDirectory, progress: Progress, standing: Standing) -> SetUp:
    """The attachment with its guests: the one that stands, or a new one."""
    ready = standing.set_up
    if ready is not None:
        run.document.env["reused"] = f"attachment and guests of {ready.first_run}"
        progress.step("same guest" if ready.machines else "same set-up")
    else:
        doing = {"baseline": "attaching", "existing": "reaching the guest"}
        progress.doing(doing.get(point.attachment.kind, "starting the guest"))
        ready = standing.make(point, site, run.id, run.log("guest-console.log"))
        if ready.machine:
            progress.step(f"guest {max(machine.boot_s for machine in ready.machines):.1f} s")
            if again := ready.machine.started_again:
                run.document.env["guest started again"] = again
    run.document.env["attachment"] = dict(ready.wiring.notes)
    if point.nic.offloads == "off":
        run.document.env["offloads that stay on"] = ", ".join(ready.offloads) or "none"
    if ready.machine:
        run.document.env["guest"] = describe(ready.machine.host)
        run.document.versions["kernel of the guest"] = ready.machine.host.facts.kernel
        if ready.wiring.visit:
            run.document.bench.accelerator = accelerator(ready.machine.host)
    return ready


@contextmanager
def _ends_unless_kept(standing: Standing, taken: Taken, keep: bool) -> Iterator[None]:
    """The set-up goes on standing only for the next point's sake, and when all is well with it."""
    try:
        yield
        keep = keep and all(finding.ok for finding in taken.findings)
    except BaseException:
        try:
            standing.end()
        except UndoError as error:
            taken.trouble.append(f"{error.message}. {error.hint}")  # beside what went wrong first
        raise
    if not keep:
        standing.end()


@contextmanager
def _directory(planned: PlannedPoint, scenario: str, site: Site, root: Path) -> Iterator[RunDirectory]:
    """The run's directory: written at its start, and again at its end, whatever happened."""
    point = planned.point
    bench = {"kind": site.kind, "name": site.name, "headline": site.headline}
    bench |= {"accelerator": site.guest_accelerator, "nic": site.nic, "cable": site.cable}
    run = RunDirectory.create(
        root,
        slug=planned.slug,
        scenario=scenario,
        point=point.model_dump(mode="json", exclude={"repeat"}),
        point_id=point.identity,
        repeat=point.repeat,
        attachment=attachment_label(point.attachment),
        load=load_label(point.load),
        bench=BenchFacts.model_validate(bench),
    )
    with run:
        run.document.versions = (
            versions()
            | _programs(site.hypervisor)
            | {
                "kernel of the hypervisor": site.hypervisor.facts.kernel,
            }
            | ({"kernel of the peer": site.peer.facts.kernel} if site.separate else {})
        )
        try:
            yield run
        finally:
            run.document.finished = now()
            run.save()


@contextmanager
def _recorded(log: CommandLog, run: RunDirectory) -> Iterator[None]:
    log.to(run.commands)
    try:
        yield
        if log.failure:
            raise store_error(log.failure, run.commands, "writing")
    finally:
        log.to(None)


def _failed(run: RunDirectory, taken: Taken, status: Any, reason: str) -> None:
    """What was measured stays, and is summarised as far as it goes."""
    run.document.status = status
    run.document.verdict = Verdict(value="invalid", reasons=[reason, *taken.trouble])
    try:
        _statistics(run)
    except LatlabError as error:
        run.document.verdict.reasons.append(f"its samples were not summarised: {error.message}")


def _warm_up(point: Point, sender: End, reflector: End, taken: Taken, progress: Progress) -> int:
    """How many packets were answered. What is still cold after this is in the numbers, and the verdict says so."""
    if not any(isinstance(i, Probe) for i in point.instruments):
        return 0
    progress.doing("warming up")
    taken.warm, answered = probe.warm_up(point.flow, sender, reflector)
    progress.step("path ready" if taken.warm else "path not ready")
    return answered


def _load(stack: ExitStack, point: Point, ready: SetUp, progress: Progress) -> BulkTraffic | None:
    """The bulk traffic, flowing, until the stack ends."""
    if point.load is None:
        return None
    progress.doing("starting the load")
    pairs = load_ends(ready.site, ready.wiring, ready.apps, point.load, ready.peer)
    family = netperf.family_of(point.flow)
    load = stack.enter_context(running_between(point.load, pairs, point.flow.direction, family))
    progress.step("load flows")
    return load


def _evidence(point: Point, ready: SetUp) -> Evidence:
    """The attachment's own counters, and the guest's, which every way into it must move."""
    ways = attachment.KINDS[point.attachment.kind]
    reading: Evidence = ways.evidence(ready.site, ready.wiring, ready.machine)
    app = ready.app
    if app.host is ready.site.hypervisor:
        return reading
    stats = link(app.host, app.nic)["stats64"]
    guest = {f"guest {app.nic} {way} packets": int(stats[way]["packets"]) for way in ("rx", "tx")}
    return replace(reading, counters={**reading.counters, **guest})


def _nobody(_sender: Process, _reflector: Process) -> None:
    """Nothing goes on beside the flow."""


def _probe(
    point: Point, run: RunDirectory, sender: End, reflector: End, clocks: Watch, progress: Progress, begun: Begun
) -> probe.ProbeResult:
    log, document = SyncLog(run.path), run.document
    run.save()  # whoever watches the run from elsewhere reads there how the clocks are compared
    live = LiveRun(document.direction, document.timescales, document.timing.method, ROUND_TRIP)
    seen = progress.shows(
        lambda *room: live_line(Shown(document, live.state(), "running", failure=live.failure), *room)
    )

    def going_on(done: int, of: int) -> None:
        readings = clocks.take()
        log.append(readings)
        if seen:
            live.hear(readings)
        progress.doing("measuring", done, of)

    going_on(0, point.flow.count)
    try:
        with run.raw_writer() as raw:
            every = stamps_every(point.flow, point.timing, sender, reflector)
            sink = probe.Beside(raw, live.feed) if seen else raw
            result = probe.measure(point.flow, sender, reflector, sink, going_on, begun, every)
    finally:
        progress.shows(None)
    log.append(clocks.take())
    run.document.env["sender"], run.document.env["reflector"] = result.sender, result.reflector
    return result


def _other_instruments(
    point: Point, run: RunDirectory, sender: End, reflector: End, wiring: Wiring, progress: Progress
) -> None:
    family = netperf.family_of(point.flow)
    for instrument in point.instruments:
        results: dict[str, InstrumentResult] = {}
        if isinstance(instrument, Netperf):
            progress.doing("netperf")
            results = netperf.measure(sender, reflector, instrument, family)
        elif isinstance(instrument, Ping):
            progress.doing("ping")
            if point.flow.direction == "down" and not wiring.icmp_inward:
                results = {"ping": InstrumentResult(not_measured="user-mode networking passes no ping into the guest")}
            else:
                results = ping.measure(sender, reflector, instrument, family)
        run.document.instruments.update(results)


def _outcome(run: RunDirectory, taken: Taken) -> Outcome:
    """Everything that the verdict is made of; the evidence goes into the run's document too."""
    document = run.document
    document.evidence = [
        EvidenceRecord(what=f.what, before=f.before, after=f.after, rule=f.rule, ok=f.ok) for f in taken.findings
    ]
    return Outcome(
        sender=taken.probe.sender if taken.probe else None,
        reflector=taken.probe.reflector if taken.probe else None,
        counts=document.counts,
        others={name: result.not_measured for name, result in document.instruments.items()},
        warm=taken.warm,
        load_failure=taken.load_failure,
        load_shortfall=taken.load_shortfall,
        findings=taken.findings,
        clocks=clock_reasons(document),
        trouble=taken.trouble,
    )


def _statistics(run: RunDirectory) -> None:
    """Raw samples to metrics, and to Parquet. Nothing of a machine is needed any more."""
    samples = run.samples()
    if samples is None or not samples.records:
        return
    log = SyncLog(run.path)
    flow = samples.header
    said = findings(log.readings(), flow.start_ns + flow.count * flow.period_ns)
    found = fill(run.document, samples, log.comparison(), said, _stoppable)
    if found.path and found.clocks.method != SHARED:
        log.append(from_path(found.path))
    log.finish()
    run.convert_samples(found.clocks)


def _stoppable(chunks: Iterable[Columns]) -> Iterator[Columns]:
    for chunk in chunks:
        interrupt.check()
        yield chunk


def _environment(site: Site, path: Path) -> dict[str, Any]:
    found = {
        "hypervisor": snapshot.machine(site.hypervisor) | snapshot.network(site.hypervisor),
        "peer": (snapshot.machine(site.peer) if site.separate else {}) | snapshot.network(site.peer),
    }
    write_text(path, json.dumps(found, indent=1) + "\n")
    return found
