# SPDX-License-Identifier: Apache-2.0
"""What is watched while a run goes on: the kernels' words, the attachment's own program, the clocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from latlab import attachment
from latlab.attached import SetUp
from latlab.attachment.wiring import End, Finding
from latlab.bench.site import Site
from latlab.ends import write_text
from latlab.errors import HostError, LatlabError
from latlab.measure import probe
from latlab.measure.verdict import kernel_trouble, said_since
from latlab.scenario.model import Point
from latlab.store.run_dir import RunDirectory
from latlab.timing.choose import compared
from latlab.timing.reading import Watch


@dataclass
class Taken:
    """What a measurement brought home, for the verdict."""

    probe: probe.ProbeResult | None = None
    warm: bool = True
    findings: list[Finding] = field(default_factory=list)
    load_failure: str | None = None
    load_shortfall: str | None = None
    trouble: list[str] = field(default_factory=list)


@contextmanager
def hypervisor_watched(site: Site, run: RunDirectory, taken: Taken) -> Iterator[None]:
    """What the bench's kernels say while the run goes on is kept, and judged."""
    consoles = {"hypervisor": site.console} | ({"peer": site.peer_console} if site.peer_console else {})
    before = {host: console() for host, console in consoles.items()}
    try:
        yield
    finally:
        for host, console in consoles.items():
            new = said_since(before[host], console())
            write_text(run.log(f"{host}-console.log"), new)
            taken.trouble += [f"{host}'s kernel: {line}" for line in kernel_trouble(new)]


@contextmanager
def clocks_watched(
    point: Point, site: Site, run: RunDirectory, sender: End, reflector: End, taken: Taken
) -> Iterator[Watch]:
    """The clocks of both ends are compared while the run goes on; the method, and why not a better one, are noted."""
    with compared(site, sender, reflector, point.timing) as (method, watch, refused):
        run.document.timing.method = method
        if refused:
            run.document.env["timing"] = {kind: f"not used: {reason}" for kind, reason in refused.items()}
        yield watch
        if watch.failure:
            taken.trouble.append(f"timing {method}: {watch.failure}")


@contextmanager
def guest_watched(ready: SetUp, run: RunDirectory, taken: Taken) -> Iterator[None]:
    """The same for the measured guest's kernel; and whether it still answers, when something went wrong."""
    if ready.machine is None:
        yield
        return
    try:
        yield
    except LatlabError:
        if not ready.machine.host.answers():
            run.document.failed_on = ready.machine.host.name
        raise
    finally:
        now = ready.machine.kernel_messages()
        new, ready.heard = said_since(ready.heard, now), now
        write_text(run.log("guest-console.log"), new)
        taken.trouble += [f"guest's kernel: {line}" for line in kernel_trouble(new)]


@contextmanager
def way_watched(point: Point, ready: SetUp, taken: Taken) -> Iterator[None]:
    """What the attachment's own program said last, if it has one and something is wrong; asked before it is ended."""
    ways = attachment.KINDS[point.attachment.kind]
    well = False
    try:
        yield
        well = all(finding.ok for finding in taken.findings)
    finally:
        if not well and hasattr(ways, "last_words"):
            with suppress(HostError):  # what went wrong first is what the user must know
                words: str = ways.last_words(ready.site, ready.wiring)
                taken.trouble.append(f"the attachment's log ends with: {' | '.join(words.splitlines())}")
