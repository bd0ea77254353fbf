# SPDX-License-Identifier: Apache-2.0
"""A clock that is ramped while bulk traffic flows: does the report say so, and do the network's numbers stay?

    .venv/bin/python benchmarks/ramp_under_load.py [--ppm 50] [--seconds 20] [--load none] [--json FILE]

Two emulated machines, one flow of a minute with three UDP streams beside it: once as it is, once with the reflector's
clock ramped in its middle. Printed: what the second run says of its clocks, and the one-way quantiles of both, which
may differ by the bench's own noise and by their bounds, but not by the ramp. Needs no root; QEMU and a built latlab.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latlab.attached import Begun, SetUp, Standing
from latlab.bench.opening import open_bench
from latlab.bench.site import changes_undone
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Process
from latlab.report.progress import TerminalProgress
from latlab.run import run_point
from latlab.scenario.attachments import Baseline
from latlab.scenario.bench_model import EmulatedBench
from latlab.scenario.model import Flow, Guest, Load, Point, Probe
from latlab.scenario.plan import PlannedPoint
from latlab.stats.summary import Summary
from latlab.store.document import RunDocument
from latlab.store.sentences import clock_reasons
from latlab.timing import clock_faults

FLOW = Flow(period_ns=5_000_000, count=12_000)
LOADS = {"3 udp": Load(rate_bps=1_000_000), "none": None}
QUIET_S = 20.0
"""Before the ramp."""


@contextmanager
def ramped(ready: SetUp, ppm: float, seconds: float) -> Iterator[Begun]:
    """The reflector's clock runs faster for some seconds of the flow."""
    host, done = ready.app.host, threading.Event()

    def change() -> None:
        if done.wait(QUIET_S):
            return
        with changes_undone(host):
            clock_faults.ramp(ready.site, host, round(ppm * 1000))
            done.wait(seconds)

    thread = threading.Thread(target=change)

    def begun(_sender: Process, _reflector: Process) -> None:
        thread.start()

    try:
        yield begun
    finally:
        done.set()
        if thread.ident is not None:
            thread.join()


def measured(ppm: float, seconds: float, load: Load | None, root: Path) -> RunDocument:
    """One run on a bench of its own."""
    point = Point(attachment=Baseline(), flow=FLOW, load=load, guest=Guest(), instruments=(Probe(),))
    standing = Standing(beside=(lambda ready, _run, _clocks: ramped(ready, ppm, seconds)) if ppm else None)
    log, progress = CommandLog(), TerminalProgress()
    with open_bench("ramp", EmulatedBench(machines=2), log) as site:
        planned = PlannedPoint(1, point, "flow under load", "ramp", 60.0)
        return run_point(planned, "ramp", site, log, root, progress, standing).document


def quantiles(document: RunDocument, key: str, *, trusted: bool = False) -> dict[str, Any]:
    found = (document.metrics_trusted if trusted and document.metrics_trusted else document.metrics)[key]
    if not isinstance(found, Summary):
        return {}
    return {**found.quantiles_ns, "bound": found.bound_ns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--ppm", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--load", choices=list(LOADS), default="3 udp")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, faulty = (
            measured(ppm, options.seconds, LOADS[options.load], Path(folder)) for ppm in (0.0, options.ppm)
        )
    said = clock_reasons(faulty)
    print(f"\n injected: {options.ppm:+.2f} ppm for {options.seconds:g} s, load {options.load}")
    print(" reported:", "; ".join(said) or "nothing")
    print(" without it:", "; ".join(clock_reasons(plain)) or "nothing")
    rows = []
    for key in ("up", "down"):
        for name, document, trusted in (
            ("as it is", plain, False), ("ramped", faulty, False), ("ramped, without suspect clocks", faulty, True)
        ):  # fmt: skip
            values = quantiles(document, key, trusted=trusted)
            rows.append({"way": key, "run": name, **values})
            told = "   ".join(f"{q} {values[q] / 1000:8.1f}" for q in ("p50", "p90", "p99", "bound") if values.get(q))
            print(f" {key:<5}{name:<32} {told}  us")
    if options.json:
        result = {"ppm": options.ppm, "seconds": options.seconds, "load": options.load, "said": said, "rows": rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
