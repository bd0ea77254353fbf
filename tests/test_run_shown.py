# SPDX-License-Identifier: Apache-2.0
"""What `latlab run` shows while it measures is made of what passes to the disk, which it leaves as it is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latlab import run as story
from latlab.live import PENDING_BYTES, LiveRun
from latlab.measure import probe
from latlab.measure.probe import ProbeResult, Sink
from latlab.report import progress
from latlab.report.progress import TerminalProgress
from latlab.scenario.model import Point
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.stream import DamagedStreamError
from latlab.store.document import RunDocument
from latlab.store.run_dir import open_run
from latlab.timing.reading import Reading
from tests.growing_run import TWO_CLOCKS, GrowingRun, packets
from tests.report.test_terminal import Pty
from tests.samples_maker import START_NS


class Clocks:
    """A `Watch` with one reading at each look."""

    failure = None

    def __init__(self) -> None:
        self.taken = 0

    def take(self) -> list[Reading]:
        self.taken += 1
        return [Reading(START_NS + self.taken, "reflector", "kvm-tsc", "sender", -9_000, 500)]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[GrowingRun]:
    one = GrowingRun(tmp_path, count=400, method="kvm-tsc", timescales=TWO_CLOCKS)
    yield one
    one.run.close()


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pty]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "REDRAW_S", 0)
    one = Pty()
    one.resize(120, 24)
    yield one
    one.close()


def measured(run: GrowingRun, shows: TerminalProgress, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch,
             ) -> tuple[list[Sink], RunDocument]:  # fmt: skip
    """`_probe` with a made-up measurement, which brings `pieces`; the sinks it had, and run.json as others saw it."""
    sinks: list[Sink] = []
    seen: list[RunDocument] = []

    def measure(_flow: Any, _sender: Any, _reflector: Any, sink: Sink, told: Callable[[int, int], None],
                *_: Any) -> ProbeResult:  # fmt: skip
        sinks.append(sink)
        seen.append(open_run(run.path).document)
        for piece in pieces:
            sink.append(piece)
            told(sink.bytes_written // 136, 400)
        return ProbeResult({"replied": 1}, {})

    monkeypatch.setattr(probe, "measure", measure)
    monkeypatch.setattr(story, "stamps_every", lambda *_: 1)
    point: Any = Point.model_validate(run.run.document.point)
    nobody: Any = None
    shows.point(1, 1, "tap-bridge, no load")
    story._probe(point, run.run, nobody, nobody, Clocks(), shows, nobody)
    return sinks, seen[0]


def pieces_of(run: GrowingRun, size: int = 5_000) -> list[bytes]:
    data = run.header.pack() + packets(0, 400, peaks={77: 2_000_000}, lost=(9,)).tobytes()
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_it_is_shown_and_written(run: GrowingRun, window: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = pieces_of(run)
    measured(run, TerminalProgress(window.out), pieces, monkeypatch)
    assert run.raw.read_bytes() == b"".join(pieces)
    last = window.shown().rpartition("[1/1]")[2]
    assert "100 %  p50 413 p99 - p99.9 - max 2000 us emulated" in last
    assert "lost 1" in last
    assert "clocks ±0.50 us" in last


def test_without_a_terminal_nothing_stands_between_the_probe_and_the_disk(
    run: GrowingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[bytes] = []
    monkeypatch.setattr(LiveRun, "feed", lambda _self, data: fed.append(bytes(data)))
    pieces, out = pieces_of(run), io.StringIO()
    measured(run, TerminalProgress(out), pieces, monkeypatch)
    assert run.raw.read_bytes() == b"".join(pieces)
    assert (fed, out.getvalue()) == ([], "")


def test_whoever_watches_from_elsewhere_knows_the_clocks_from_the_first_packet_on(
    run: GrowingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.run.document.timing.method = "ptp-kvm"  # known to us, not yet on disk
    _, seen = measured(run, TerminalProgress(io.StringIO()), pieces_of(run), monkeypatch)
    assert (seen.timing.method, seen.timescales) == ("ptp-kvm", TWO_CLOCKS)


def test_what_cannot_be_shown_is_measured_all_the_same(
    run: GrowingRun, window: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in what is only shown, or a stream that it does not understand, ends no measurement."""
    pieces = [b"not a stream of latlab-probe" * 10]
    measured(run, TerminalProgress(window.out), pieces, monkeypatch)
    assert run.raw.read_bytes() == pieces[0]
    assert "no numbers: damaged at byte 0: this is not a stream" in window.shown()


def test_what_nobody_looks_at_does_not_pile_up(tmp_path: Path) -> None:
    """A terminal that was stopped with Ctrl-S draws nothing for hours."""
    run = GrowingRun(tmp_path, count=100_000)
    live = LiveRun("up", ONE_KERNEL, "shared")
    live.feed(run.header.pack())
    for first in range(0, 40_000, 2_000):
        live.feed(packets(first, 2_000).tobytes())
        assert len(live._pending) <= PENDING_BYTES
    assert live.state().own == 40_000
    run.run.close()


def test_a_failure_is_kept_for_who_looks() -> None:
    live = LiveRun("up", ONE_KERNEL, "shared")
    live.feed(b"x" * 500)
    live.state()
    failure = live.failure
    assert isinstance(failure, DamagedStreamError)
    live.feed(b"more")
    assert live.state().own == 0
    assert live.failure is failure
