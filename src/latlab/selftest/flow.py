# SPDX-License-Identifier: Apache-2.0
"""One long flow with faults beside it: an ordinary run, in an ordinary directory.

What finds the faults is what looks at every run, and is told nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from latlab.attached import Begun, SetUp, Standing
from latlab.bench.site import Site
from latlab.errors import MeasurementError
from latlab.guest.machine import Machine
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host, Process
from latlab.report.progress import TerminalProgress, View
from latlab.run import run_point
from latlab.scenario.attachments import Attachment
from latlab.scenario.model import Flow, Guest, Point, Probe
from latlab.scenario.plan import PlannedPoint
from latlab.scenario.ptp import Ptp
from latlab.scenario.timing import Timing
from latlab.selftest import samples, stage
from latlab.selftest.beside import Injector
from latlab.selftest.faults import NS_PER_S, Injection, Way
from latlab.selftest.floor import Floor, find_floor
from latlab.selftest.injectors import Sleep, Target
from latlab.selftest.plan import Chosen, lasts_ns, make_plan
from latlab.selftest.truth import with_truth
from latlab.stats.records import HEADER_BYTES
from latlab.store.run_dir import RunDirectory
from latlab.store.samples import RAW_NAME, RawReader
from latlab.timing.reading import Watch

SPARE = 3
"""The flow is made so many times as long as the faults should take. It ends with them; on a slow machine, later."""
PERIOD_NS = {"emulated": 2_000_000}
"""What an emulated machine carries beside the commands of the injections; others: 1 kHz."""
USUAL_PERIOD_NS = 1_000_000


@dataclass(frozen=True)
class Asked:
    """What is injected into one flow: `count` faults, in an order that `seed` gives, numbered from `first`.

    `quiet_ns`: how long it is left alone at its beginning, for the floor.
    """

    chosen: Chosen
    count: int
    seed: int
    quiet_ns: int
    attachment: Attachment
    timing: Timing
    first: int = 1

    @property
    def length_ns(self) -> int:
        return self.quiet_ns + lasts_ns(self.chosen.pairs, self.count)


@dataclass(frozen=True)
class Measured:
    """What came of it. `missing`: faults that the flow was over before."""

    run: RunDirectory
    floor: Floor
    injections: list[Injection]
    missing: int


def measure(site: Site, asked: Asked, root: Path, log: CommandLog, progress: TerminalProgress) -> Measured:
    """The flow, measured. MeasurementError when it was not, or when a fault could not be injected."""
    planned = _planned(site, asked)
    flow = planned.point.flow
    where: list[Path] = []
    held_ns: list[int] = []

    def floor() -> Floor | None:
        raw = where[0] / RAW_NAME
        if raw.stat().st_size < HEADER_BYTES:
            return None
        quiet = samples.quiet_until(RawReader(raw).chunks(), asked.quiet_ns)
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
        plan=lambda found: make_plan(asked.chosen.pairs, found, asked.count, asked.seed, packets_per_s, asked.first),
        say=progress.step,
    )

    @contextmanager
    def beside(ready: SetUp, run: RunDirectory, clocks: Watch) -> Iterator[Begun]:
        where.append(run.path)
        with ExitStack() as stack:
            stages = _stages(ready, asked.chosen)
            held_ns.append(len(stages) * stage.IDLE_NS)
            folder = f"/tmp/latlab-{site.hypervisor.facts.id}-faults"
            for host in {id(s.host.channel): s.host for s in stages.values()}.values():
                host.change(["mkdir", "-m", "700", folder], undo=["rm", "-rf", folder])

            def begun(sender: Process, reflector: Process) -> None:
                def target(sleep: Sleep) -> Target:
                    return _target(ready, flow, reflector, stages, folder, sleep, clocks)

                stack.enter_context(injector.running(target, done=sender.close_stdin))

            yield begun

    progress.point(1, 1, planned.label)
    run = run_point(planned, "selftest", site, log, root, _Watched(progress, injector), Standing(beside=beside))
    if injector.failure is not None:
        raise injector.failure
    if run.document.status != "done":
        raise MeasurementError(f"the flow was not measured: {'; '.join(run.document.verdict.reasons)}")
    progress.finished(f"{len(injector.injections)} faults injected")
    if injector.found is None:
        raise MeasurementError("the flow ended before there was a floor to compare with")
    missing = len(injector.planned) - len(injector.injections)
    return Measured(run, injector.found, _with_truth(run, injector.injections), missing)


def _planned(site: Site, asked: Asked) -> PlannedPoint:
    """The one point that is measured, for longer than the faults take."""
    period_ns = PERIOD_NS.get(site.kind, USUAL_PERIOD_NS)
    # Bound to a CPU: a hog on it must not just move the sender to another one.
    flow = Flow(period_ns=period_ns, count=SPARE * asked.length_ns // period_ns, cpu=site.peer.facts.cpus - 1)
    point = Point(
        attachment=asked.attachment, flow=flow, load=None, guest=Guest(), instruments=(Probe(),), timing=asked.timing
    )
    label = f"self-test, {asked.timing.kind}" if isinstance(asked.timing, Ptp) else "self-test"
    return PlannedPoint(1, point, label, "selftest", asked.length_ns / NS_PER_S)


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
    ready: SetUp, flow: Flow, reflector: Process, stages: dict[Way, stage.Stage], folder: str, sleep: Sleep,
    clocks: Watch,
) -> Target:  # fmt: skip
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
        clocks=clocks,
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

    def shows(self, view: View | None) -> bool:  # noqa: ARG002
        """No: which faults were injected is what its live line is for."""
        return False


def _with_truth(run: RunDirectory, injections: list[Injection]) -> list[Injection]:
    kept = run.samples()
    if kept is None:
        raise MeasurementError(f"{run.path} holds no samples", hint="Run the self-test again.")
    one_clock = len(set(run.document.timescales.values())) == 1
    return with_truth(
        injections,
        samples.times(kept.chunks(), "S"),
        samples.times(kept.chunks(), "r") if one_clock else None,
    )
