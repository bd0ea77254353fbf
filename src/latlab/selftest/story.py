# SPDX-License-Identifier: Apache-2.0
"""`latlab selftest`: a bench is opened, one long flow is measured with faults beside it, and the tool is asked.

Read `selftest` from top to bottom. The flow is an ordinary run, in an ordinary directory: what finds the faults is what
looks at every run, and is told nothing of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from latlab.attached import Begun, SetUp, Standing
from latlab.bench.opening import open_bench
from latlab.bench.site import Site, changes_undone
from latlab.errors import MeasurementError, UsageError
from latlab.guest.machine import Machine
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host, Process
from latlab.report.progress import TerminalProgress, View
from latlab.run import run_point
from latlab.scenario.attachments import Attachment, Baseline, Macvtap, Ovs, TapBridge, User
from latlab.scenario.bench_model import load_bench
from latlab.scenario.model import Flow, Guest, Point, Probe
from latlab.scenario.plan import PlannedPoint, about
from latlab.scenario.units import clip
from latlab.selftest import samples, stage
from latlab.selftest.beside import Injector
from latlab.selftest.chosen import choose
from latlab.selftest.faults import KINDS, NS_PER_S, Way
from latlab.selftest.finder import find
from latlab.selftest.floor import Floor, find_floor
from latlab.selftest.injectors import Sleep, Target
from latlab.selftest.plan import LONG, SHORT, Chosen, lasts_ns, make_plan
from latlab.selftest.score import Score, score
from latlab.selftest.truth import with_truth
from latlab.session import bench_file
from latlab.stats.records import HEADER_BYTES
from latlab.store.run_dir import RunDirectory
from latlab.store.samples import RAW_NAME, RawReader

QUIET_STRETCH_NS = {False: 15 * NS_PER_S, True: 60 * NS_PER_S}
"""At the beginning, for the floor; by whether it is the long form."""
SPARE = 3
"""The flow is made so many times as long as the faults should take. It ends with them; on a slow machine, later."""
ATTACHMENTS: dict[str, Attachment] = {kind.kind: kind for kind in (Baseline(), User(), TapBridge(), Macvtap(), Ovs())}
"""Those that leave the NIC to the hypervisor's kernel, where netem stands."""
PERIOD_NS = {"emulated": 2_000_000}
"""What an emulated machine carries beside the commands of the injections; others: 1 kHz."""
USUAL_PERIOD_NS = 1_000_000


@dataclass(frozen=True)
class Asked:
    """What the user wants. `count` faults, in an order that `seed` gives."""

    bench: str
    long: bool = False
    seed: int = 1
    count: int | None = None
    attachment: str = "baseline"
    only: tuple[str, ...] = ()
    """Kinds of faults; none: all that there are."""
    runs: Path | None = None
    """Where the run's directory is kept; None: it is not."""

    @property
    def faults(self) -> int:
        return self.count or (LONG if self.long else SHORT)


def selftest(asked: Asked) -> Score:
    """The score of a bench. BenchError when it cannot be had, MeasurementError when the flow was not measured."""
    _known("attachment", [asked.attachment], list(ATTACHMENTS))
    _known("fault", asked.only, list(KINDS))
    name, path = bench_file(asked.bench)
    progress, log = TerminalProgress(), CommandLog()
    progress.say("bench", f"{name}  starting")
    started = time.monotonic()
    with ExitStack() as stack:
        root = asked.runs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latlab-selftest-")))
        site = stack.enter_context(open_bench(name, load_bench(path), log, lambda text: progress.say("note", text)))
        stack.enter_context(changes_undone(site.hypervisor, site.peer))
        progress.say("bench", f"{name}  {site.headline}   up in {time.monotonic() - started:.1f} s")
        chosen = choose(site, guest=asked.attachment != "baseline", only=asked.only)
        if not chosen.pairs:
            raise UsageError(f"nothing is left to inject on {name}: {'; '.join(map(': '.join, chosen.left_out))}")
        for left in chosen.left_out:
            progress.say("left out", f"{left[0]}: {left[1]}")
        planned = _planned(site, chosen, asked)
        progress.say("plan", f"{asked.faults} faults · {about(planned.seconds)}")
        run, injector = _run(site, chosen, planned, asked, root, log, progress)
        return _score(run, injector, chosen, asked)


def _known(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise UsageError(f"the self-test knows no {what} {clip(word)}", hint=f"Known: {', '.join(known)}.")


def _planned(site: Site, chosen: Chosen, asked: Asked) -> PlannedPoint:
    """The one point that is measured, for longer than the faults take."""
    length_ns = QUIET_STRETCH_NS[asked.long] + lasts_ns(chosen.pairs, asked.faults)
    period_ns = PERIOD_NS.get(site.kind, USUAL_PERIOD_NS)
    # Bound to a CPU: a hog on it must not just move the sender to another one.
    flow = Flow(period_ns=period_ns, count=SPARE * length_ns // period_ns, cpu=site.peer.facts.cpus - 1)
    point = Point(attachment=ATTACHMENTS[asked.attachment], flow=flow, load=None, guest=Guest(), instruments=(Probe(),))
    return PlannedPoint(1, point, "self-test", "selftest", length_ns / NS_PER_S)


def _run(
    site: Site, chosen: Chosen, planned: PlannedPoint, asked: Asked, root: Path, log: CommandLog,
    progress: TerminalProgress,
) -> tuple[RunDirectory, Injector]:  # fmt: skip
    """The flow, measured, and what was injected beside it."""
    flow = planned.point.flow
    where: list[Path] = []
    held_ns: list[int] = []

    def floor() -> Floor | None:
        raw = where[0] / RAW_NAME
        if raw.stat().st_size < HEADER_BYTES:
            return None
        quiet = samples.quiet_until(RawReader(raw).chunks(), QUIET_STRETCH_NS[asked.long])
        try:
            return find_floor(quiet, sum(held_ns)) if quiet else None
        except ValueError as error:
            raise MeasurementError(
                f"the bench carries too little of the flow for a floor: {error}",
                hint="Is something else using this machine?",
            ) from error

    packets_per_s = NS_PER_S / flow.period_ns
    injector = Injector(
        floor=floor,
        plan=lambda found: make_plan(chosen.pairs, found, asked.faults, asked.seed, packets_per_s),
        say=progress.step,
    )

    @contextmanager
    def beside(ready: SetUp, run: RunDirectory) -> Iterator[Begun]:
        where.append(run.path)
        with ExitStack() as stack:
            stages = _stages(ready, chosen)
            held_ns.append(len(stages) * stage.IDLE_NS)
            folder = f"/tmp/latlab-{site.hypervisor.facts.id}-faults"
            for host in {id(s.host.channel): s.host for s in stages.values()}.values():
                host.change(["mkdir", "-m", "700", folder], undo=["rm", "-rf", folder])

            def begun(sender: Process, reflector: Process) -> None:
                def target(sleep: Sleep) -> Target:
                    return _target(ready, flow, reflector, stages, folder, sleep)

                stack.enter_context(injector.running(target, done=sender.close_stdin))

            yield begun

    progress.point(1, 1, planned.label)
    run = run_point(planned, "selftest", site, log, root, _Watched(progress, injector), Standing(beside=beside))
    if injector.failure is not None:
        raise injector.failure
    if run.document.status != "done":
        raise MeasurementError(f"the flow was not measured: {'; '.join(run.document.verdict.reasons)}")
    progress.finished(f"{len(injector.injections)} faults injected")
    return run, injector


def _stages(ready: SetUp, chosen: Chosen) -> dict[Way, stage.Stage]:
    """netem at both ends of the cable, if any fault needs it. The flow goes from the peer to the application."""
    if not any(way for _, way in chosen.pairs):
        return {}
    site = ready.site
    return {
        "forward": stage.stand(site.hypervisor, site.nic),
        "return": stage.stand(site.peer, site.peer_nic),
    }


def _target(
    ready: SetUp, flow: Flow, reflector: Process, stages: dict[Way, stage.Stage], folder: str, sleep: Sleep
) -> Target:
    if reflector.pid is None:
        raise MeasurementError("the agent did not say which process the reflector is")
    return Target(
        site=ready.site,
        sender=ready.peer,
        reflector=ready.app,
        period_ns=flow.period_ns,
        sender_cpu=flow.cpu or 0,
        reflector_pid=reflector.pid,
        stages=stages,
        folder=folder,
        qemu=_qemu(ready),
        sleep=sleep,
    )


def _qemu(ready: SetUp) -> tuple[Host, int] | None:
    pid = ready.machine.qemu_pid if isinstance(ready.machine, Machine) else None
    return (ready.site.hypervisor, pid) if pid is not None else None


class _Watched:
    """The terminal's progress; ends the flow when nothing can be injected into it any more."""

    def __init__(self, progress: TerminalProgress, injector: Injector) -> None:
        self._progress, self._injector = progress, injector

    def step(self, text: str) -> None:
        self._progress.step(text)

    def doing(self, text: str, done: int = 0, of: int = 0) -> None:
        self._progress.doing(text, done, of)
        if self._injector.failure is not None:
            raise MeasurementError("a fault could not be injected")

    def shows(self, view: View | None) -> bool:
        return self._progress.shows(view)


def _score(run: RunDirectory, injector: Injector, chosen: Chosen, asked: Asked) -> Score:
    found, kept = injector.found, run.samples()
    if found is None or kept is None:
        raise MeasurementError("the flow ended before there was a floor to compare with")
    one_clock = len(set(run.document.timescales.values())) == 1
    injections = with_truth(
        injector.injections,
        samples.times(kept.chunks(), "S"),
        samples.times(kept.chunks(), "r") if one_clock else None,
    )
    return score(found, injections, find(run), left_out=_left_out(chosen, injector), least=asked.faults)


def _left_out(chosen: Chosen, injector: Injector) -> Sequence[tuple[str, str]]:
    missing = len(injector.planned) - len(injector.injections)
    late = [("the last ones", f"{missing} faults: the flow was over before them")] if missing else []
    return [*chosen.left_out, *late]
