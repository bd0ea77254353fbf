# SPDX-License-Identifier: Apache-2.0
"""`latlab selftest`: a bench is opened, flows are measured with faults beside them, and the tool is asked.

Read `selftest` from top to bottom. One flow carries all faults but those of a clock service, which moves the clocks all
the time by itself: these have a flow of their own, with the service.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from latlab.bench.opening import open_bench
from latlab.bench.site import changes_undone
from latlab.errors import UsageError
from latlab.hosts.commands import CommandLog
from latlab.report.progress import TerminalProgress
from latlab.scenario.attachments import Attachment, Baseline, Macvtap, Ovs, TapBridge, User
from latlab.scenario.bench_model import load_bench
from latlab.scenario.plan import about
from latlab.scenario.ptp import Ptp
from latlab.scenario.timing import Auto
from latlab.scenario.units import clip
from latlab.selftest import flow
from latlab.selftest.chosen import WITH_PTP, choose
from latlab.selftest.faults import KINDS, NS_PER_S
from latlab.selftest.finder import find
from latlab.selftest.plan import LONG, SHORT, Chosen, share
from latlab.selftest.score import Score, score
from latlab.session import bench_file

QUIET_STRETCH_NS = {False: 15 * NS_PER_S, True: 60 * NS_PER_S}
"""At the beginning, for the floor; by whether it is the long form."""
ATTACHMENTS: dict[str, Attachment] = {kind.kind: kind for kind in (Baseline(), User(), TapBridge(), Macvtap(), Ovs())}
"""Those that leave the NIC to the hypervisor's kernel, where netem stands."""
SERVICE = Ptp(
    log_announce_interval=-2,
    log_sync_interval=-3,
    log_delay_interval=-3,
    step_threshold_ns=20_000_000,
    extra="sanity_freq_limit 0; pi_proportional_const 0.1; pi_integral_const 0.02",
)
"""Quick to see that its master is lost, and not above stepping the clock back: slewing takes minutes. With the
constants for software stamps the servo would look on for 16 s before it begins (linuxptp's pi.c: 0.016 s divided by
pi_integral_const). An emulated machine's clock jumps all the time by what clockcheck would not believe.
"""


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
    """Where the runs' directories are kept; None: they are not."""

    @property
    def faults(self) -> int:
        return self.count or (LONG if self.long else SHORT)


def selftest(asked: Asked) -> Score:
    """The score of a bench. BenchError when it cannot be had, MeasurementError when a flow was not measured."""
    _known("attachment", [asked.attachment], list(ATTACHMENTS))
    _known("fault", asked.only, list(KINDS))
    name, path = bench_file(asked.bench)
    progress, log = TerminalProgress(), CommandLog()
    progress.say("bench", f"{name}  starting")
    started = time.monotonic()
    with ExitStack() as stack:
        stack.callback(progress.clear)
        root = asked.runs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latlab-selftest-")))
        site = stack.enter_context(open_bench(name, load_bench(path), log, lambda text: progress.say("note", text)))
        stack.enter_context(changes_undone(site.hypervisor, site.peer))
        progress.say("bench", f"{name}  {site.headline}   up in {time.monotonic() - started:.1f} s")
        chosen = choose(site, guest=asked.attachment != "baseline", only=asked.only)
        if not chosen.pairs:
            raise UsageError(f"nothing is left to inject on {name}: {'; '.join(map(': '.join, chosen.left_out))}")
        for left in chosen.left_out:
            progress.say("left out", f"{left[0]}: {left[1]}")
        flows = list(_flows(chosen, asked))
        seconds = sum(one.length_ns for one in flows) / NS_PER_S
        progress.say("plan", f"{sum(one.count for one in flows)} faults · {about(seconds)}")
        done = [flow.measure(site, one, root, log, progress) for one in flows]
        missing = sum(one.missing for one in done)
        late = [("the last ones", f"{missing} faults: the flow was over before them")] if missing else []
        return score(
            done[0].floor,
            [(one.injections, find(one.run)) for one in done],
            left_out=[*chosen.left_out, *late],
            least=asked.faults,
            floor_counts=flows[0].timing is not SERVICE,
        )


def _known(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise UsageError(f"the self-test knows no {what} {clip(word)}", hint=f"Known: {', '.join(known)}.")


def _flows(chosen: Chosen, asked: Asked) -> Iterator[flow.Asked]:
    """The flow without a clock service, and the one with it; each if there is anything to inject into it."""
    counts = share(chosen.pairs, asked.faults)
    first = 1
    for with_service in (False, True):
        names = {name for name, _ in chosen.pairs if (name in WITH_PTP) == with_service}
        count = sum(n for (name, _), n in zip(chosen.pairs, counts, strict=True) if name in names)
        if count:
            yield flow.Asked(
                chosen=chosen.only(names),
                count=count,
                seed=asked.seed,
                quiet_ns=QUIET_STRETCH_NS[asked.long and not with_service],
                attachment=ATTACHMENTS[asked.attachment],
                timing=SERVICE if with_service else Auto(),
                first=first,
            )
            first += count
