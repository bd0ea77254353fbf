# SPDX-License-Identifier: Apache-2.0
"""A log of isochron becomes a run like any other: a directory with samples, metrics, counts and a verdict.

Nothing of it is made up. isochron measures one way: there is no reply and no round trip. It logs no state of the
clocks: the sync log is empty, one-way times are computed as isochron itself does, and the verdict is `suspect`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from latlab.isochron.convert import header_of, to_records
from latlab.isochron.dat import VERSION, Reader, Settings
from latlab.isochron.kept import ENV, settings_json
from latlab.stats.stamps import CLAIMED, METRICS, Direction, Timescales
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts, RunDocument, Verdict, now
from latlab.store.run_dir import RunDirectory
from latlab.store.statistics import fill
from latlab.version import versions

TIMESCALES: Timescales = dict.fromkeys(("sender", "sender-nic", "reflector", "reflector-nic"), CLAIMED)
NOT_LOGGED = (
    "nothing is known of the clocks: isochron logs no state of them; one-way times hold only if its hosts were in sync"
)
NOT_WATCHED = "isochron did not look at the clocks either (--omit-sync)"


def import_log(path: Path, runs: Path, direction: Direction) -> RunDirectory:
    """A new run under `runs` of the log in `path`; `direction` is where its packets went, which the log does not say.

    Raises StoreError; what was written of the run before is removed again.
    """
    reader = Reader(path)
    started_ns, digest = _survey(reader)
    name = _printable(path)
    flow = {"direction": direction, "period_ns": reader.settings.cycle_ns, "count": reader.packets,
            "size_bytes": reader.settings.frame_size}  # fmt: skip
    run = RunDirectory.create(
        runs,
        slug=f"isochron-{name.removesuffix('.dat')}",
        scenario=name,
        point={"flow": flow, "imported": {"program": "isochron", "sha256": digest}},
        point_id=hashlib.sha256(f"isochron {direction} {digest}".encode()).hexdigest()[:12],
        attachment="isochron",
        load="load unknown",
        bench=BenchFacts(kind="imported", name="isochron", headline=f"imported from {name}"),
    )
    with run:
        try:
            _fill(run, reader, started_ns)
        except BaseException:
            shutil.rmtree(run.path, ignore_errors=True)
            raise
    return run


def _survey(reader: Reader) -> tuple[int, str]:
    """When the sender meant to wake for the first packet, or 0, and the SHA-256 of all packets: the whole log is read
    before a run is made of it."""
    digest = hashlib.sha256()
    started_ns = 0
    for first, sent, received in reader.chunks():
        digest.update(sent.tobytes() + received.tobytes())
        if first == 0 and sent["scheduled"][0]:
            started_ns = int(sent["scheduled"][0]) - reader.settings.advance_ns
    return started_ns, digest.hexdigest()


def _printable(path: Path) -> str:
    """The file's name; what of it cannot be shown, or is not UTF-8, as question marks."""
    name = os.fsencode(path.name).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in name)


def _fill(run: RunDirectory, reader: Reader, started_ns: int) -> None:
    document = run.document
    with run.raw_writer() as writer:
        writer.append(header_of(reader.settings, reader.packets, started_ns).pack())
        for chunk in reader.chunks():
            writer.append(to_records(*chunk, reader.settings).tobytes())
    samples = run.samples()
    assert samples is not None  # they have just been written
    document.timescales = dict(TIMESCALES)
    fill(document, samples)
    run.convert_samples()
    document.verdict = judge(reader.settings, document, reader.packets)
    document.versions = {**versions(), "isochron log": str(VERSION)}
    document.env = {ENV: settings_json(reader.settings, document.scenario, started_ns)}
    document.status = "done"
    document.finished = now()
    run.save()


def judge(settings: Settings, document: RunDocument, packets: int) -> Verdict:
    """The verdict of an imported run of so many packets: never better than `suspect`."""
    reasons = [NOT_LOGGED]
    if "OMIT_SYNC" in settings.flag_names:
        reasons.append(NOT_WATCHED)
    for metric in METRICS:
        result = document.metrics.get(metric.key(document.direction))
        if metric.two_clocks and isinstance(result, Summary) and result.min_ns < 0:
            reasons.append(f"and they were not in sync: {metric.formula} went down to {result.min_ns} ns")
    counts = document.counts
    if unsent := packets - counts.sent:
        reasons.append(f"{unsent} of {packets} packets were not sent, as far as the sender's log goes")
    if not counts.received:
        return Verdict(
            value="invalid", reasons=["no packet arrived" if counts.sent else "no packet was sent", *reasons]
        )
    return Verdict(value="suspect", reasons=reasons)
