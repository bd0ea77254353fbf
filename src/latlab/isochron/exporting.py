# SPDX-License-Identifier: Apache-2.0
"""A run as isochron's log, or as the text of its report: one leg, packet by packet, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latlab.errors import StoreError
from latlab.isochron.convert import LegName, to_slots
from latlab.isochron.dat import CHUNK_SLOTS, MOST_PACKETS, RECEIVED, SENT, Settings, Slots, Writer
from latlab.isochron.kept import settings_from
from latlab.isochron.letters import Report
from latlab.stats import records as rec
from latlab.store.run_dir import RunDirectory
from latlab.store.samples import Samples


@dataclass
class Exported:
    """What a log holds, in isochron's words."""

    packets: int = 0
    not_received: int = 0
    not_fully_stamped: int = 0
    """Without one of s, t and T, or not received: `isochron report --summary` leaves these out."""
    unknown: int = 0
    """Without a record: their slots have a number and nothing else, since isochron's report ends at a gap."""
    two_clocks: bool = False
    """Sender and reflector read clocks of their own."""

    def remarks(self) -> list[str]:
        """What a user of the log should know beforehand."""
        told = []
        if self.not_fully_stamped:
            told.append(
                f"{self.not_fully_stamped} of {self.packets} packets lack one of s, t, T, or were not received: "
                "isochron report --summary leaves them out, --printf-format prints them"
            )
        if self.unknown:
            told.append(f"{self.unknown} packets have no record: their slots are empty but for the number")
        if self.two_clocks:
            told.append(
                "the ends' clocks are as they were read: their offset is in every time from one end to the other"
            )
        return told


def export_log(run: RunDirectory, leg: LegName, path: Path) -> Exported:
    """Write the `leg` of `run` to `path`, in one step. Raises StoreError; what was at `path` then stays."""
    samples, settings = _open(run, leg)
    packets = _count(samples)
    if not packets:
        raise StoreError(f"{run.path} has no packets to export")
    scales = run.document.timescales
    told = Exported(packets, two_clocks="sender" not in scales or scales["sender"] != scales.get("reflector"))
    with Writer(path, packets, settings).writing() as writer:
        due = 0
        for sent, received in _slots(samples, leg, settings):
            first = int(sent["seqid"][0]) - 1
            _put_unknown(writer, due, first)
            told.unknown += first - due
            told.not_received += first - due
            told.not_fully_stamped += first - due
            writer.put(first, sent, received)
            lost = received["seqid"] == 0
            told.not_received += int(lost.sum())
            unstamped = (sent["hwts"] == 0) | (sent["swts"] == 0) | (sent["sched_ts"] == 0)
            told.not_fully_stamped += int((lost | unstamped).sum())
            due = first + len(sent)
    return told


def report_text(run: RunDirectory, leg: LegName, report: Report) -> Iterator[str]:
    """What `isochron report` prints of the `leg` of `run`, piece by piece. Raises StoreError."""
    samples, settings = _open(run, leg)
    for sent, received in _slots(samples, leg, settings):
        yield report.text(sent, received, settings)


def _open(run: RunDirectory, leg: LegName) -> tuple[Samples, Settings]:
    samples = run.samples()
    if samples is None:
        raise StoreError(f"{run.path} has no samples", hint="the probe did not measure in this run")
    if leg == "return" and run.document.bench.kind == "imported":
        raise StoreError(f"{run.path} was measured one way only: it has no return leg")
    return samples, settings_from(run, samples.header)


def _count(samples: Samples) -> int:
    """Packets up to the last one with a record of its own."""
    last = -1
    for chunk in samples.chunks():
        own = chunk["seq"][chunk["flags"] & rec.OWN != 0]
        last = max(last, int(own.max(initial=0))) if len(own) else last
    return last + 1


def _slots(samples: Samples, leg: LegName, settings: Settings) -> Iterator[tuple[Slots, Slots]]:
    """The packets that have a record, in their order, in pieces without a gap. Raises StoreError where it is broken."""
    due = 0
    for chunk in samples.chunks():
        seqs = chunk["seq"][chunk["flags"] & rec.OWN != 0]
        if len(seqs) and (int(seqs[0]) < due or int(seqs.max()) >= MOST_PACKETS or (seqs[1:] <= seqs[:-1]).any()):
            raise StoreError(
                f"a log of isochron has packets 0 to {MOST_PACKETS - 1} in their order, and the samples after packet "
                f"{due} are not so",
                hint="samples.parquet holds them as they came",
            )
        sent, received = to_slots(chunk, leg, settings)
        gaps = np.flatnonzero(np.diff(seqs.astype(np.int64)) != 1) + 1
        for piece in zip(np.split(sent, gaps), np.split(received, gaps), strict=True):
            if len(piece[0]):
                yield piece
        due = int(seqs[-1]) + 1 if len(seqs) else due


def _put_unknown(writer: Writer, begin: int, end: int) -> None:
    for first in range(begin, end, CHUNK_SLOTS):
        sent = np.zeros(min(CHUNK_SLOTS, end - first), SENT)
        sent["seqid"] = np.arange(first + 1, first + len(sent) + 1)
        writer.put(first, sent, np.zeros(len(sent), RECEIVED))
