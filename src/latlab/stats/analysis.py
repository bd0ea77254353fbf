# SPDX-License-Identifier: Apache-2.0
"""From a run's records to its numbers: the clocks are compared, what was odd gets a verdict, the rest is summarised.

Two passes over the records, each chunk by chunk: one reduces them to bins, from which the clocks' path and lasting
delays are found; the other puts every packet right by it, looks for late ones, and adds up the statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from latlab.stats import records as rec
from latlab.stats.anomalies import Anomaly, clock_moves, in_order, told_once, us
from latlab.stats.bins import Bins, make_bins, packets_of_bin
from latlab.stats.clock_path import MIN_BINS, ClockPath, clock_path, same_clock
from latlab.stats.clocks import EXCHANGE, NOT_COMPARED, ONE_CLOCK, SHARED, UNKNOWN, Clocks, FromExchanges, FromReadings
from latlab.stats.columns import Columns, columns_of
from latlab.stats.counts import counted
from latlab.stats.delays import delays
from latlab.stats.late import LateFinder, Sampler
from latlab.stats.negative import NegativeFinder, negative
from latlab.stats.records import Records, StreamHeader
from latlab.stats.shapes import Shape
from latlab.stats.shapes.of_run import Looked, RunShapes
from latlab.stats.stamps import CLAIMED, Direction, Timescales
from latlab.stats.summary import RunStatistics, Tally
from latlab.stats.tube import Floats
from latlab.stats.ways import Times, lag, ways

Chunks = Callable[[], Iterable[Records | Columns]]


@dataclass(frozen=True)
class TimingFacts:
    """How the clocks compared, over a run. Times in ns; `offset_ns` is the reflector's clock - the sender's."""

    method: str
    offset_ns: int = 0
    """At the first packet."""
    rate_ppb: float = 0.0
    """How much faster the reflector's clock ran."""
    error_ns: int = 0
    """Bound of the offset, for half of the packets."""
    noise_ns: int = 0
    """Moves of the clocks that are smaller are not seen."""
    suspect: int = 0
    """Packets that were measured while a clock was not to be trusted."""
    contradicted: int = 0
    """Stretches of the run for which the exchanges allow no such offset as the method gave."""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """`trusted`: the statistics without the packets whose clocks are suspect, if there are any."""

    statistics: RunStatistics
    timing: TimingFacts
    clocks: Clocks
    anomalies: list[Anomaly] = field(default_factory=list)
    trusted: RunStatistics | None = None
    path: ClockPath | None = None
    shapes: list[Shape] = field(default_factory=list)


def analyse(
    chunks: Chunks, header: StreamHeader, direction: Direction, timescales: Timescales,
    readings: FromReadings | None = None, method: str = UNKNOWN, said: Sequence[Anomaly] = (),
    spikes_over_ns: int | None = None,
) -> Analysis:  # fmt: skip
    """The numbers of a run, from its records.

    `timescales` says which clocks are one: they are taken for one, unless another `method` was asked for. Of two
    clocks, `readings` of the method put the packets right, if they are given; else the exchanges do. `said`: what the
    sync log tells of clocks that went wrong. `spikes_over_ns`: see `RunShapes`.
    """
    sampler = Sampler()
    bins = make_bins(sampler.watch(chunks()), packets_of_bin(header.period_ns, header.count), header.period_ns)
    one = timescales.get("sender", CLAIMED) == timescales.get("reflector") != CLAIMED
    shared = one and method in (UNKNOWN, SHARED)
    path = (same_clock(bins) if shared else clock_path(bins)) if len(bins) else None
    known = counted(bins) if len(bins) else []
    if path is not None:
        known += clock_moves(path) + delays(path)
    known += said
    clocks = _clocks(shared, path, readings, method, said)
    scales = dict(timescales)
    if clocks.compared:
        scales["sender"] = scales["reflector"] = scales.get("sender", clocks.method)

    finder = LateFinder(sampler.records, path, compared=path is not None, period_ns=header.period_ns)
    looked = RunShapes(header, direction, scales, clocks, spikes_over_ns)
    seen = _Seen(clocks, path, finder, looked, Tally(scales, clocks))
    for piece in _pieces(chunks()):
        seen.join(seen.look(piece))
    statistics = seen.tally.statistics(direction)
    trusted = seen.trusted.statistics(direction) if seen.trusted else None
    known += seen.negative.anomalies()
    late = finder.anomalies(known)
    anomalies = in_order([*told_once(known, late, bins.packets * header.period_ns), *late])
    shapes = seen.shapes.found(anomalies)
    return Analysis(statistics, _facts(clocks, path, bins, seen), clocks, anomalies, trusted, path, shapes)


def _clocks(
    shared: bool, path: ClockPath | None, readings: FromReadings | None, method: str, said: Sequence[Anomaly]
) -> Clocks:
    if shared:
        return ONE_CLOCK
    wrong = [(a.start_ns, a.end_ns) for a in said if a.verdict == "clock"]
    moved = path.moving if path is not None else []
    if readings is not None and len(readings.time_ns):
        return Clocks(method, readings, wrong, moved, int(np.median(readings.error_ns)))
    if path is None:
        return NOT_COMPARED
    return Clocks(EXCHANGE, FromExchanges(path), wrong, moved, int(np.median(path.error_ns)))


@dataclass(frozen=True)
class _Found:
    """What one chunk tells. `trusted` is the tally of the packets whose clocks are not suspect; None if none is."""

    tally: Tally
    trusted: Tally | None
    suspect: int
    first_offset_ns: int | None
    late: list[tuple[int, int, Floats]]
    negative: list[tuple[int, int]]
    shaped: Looked


@dataclass
class _Seen:
    """The second pass: `look` at the chunks in any order, `join` what was found in theirs."""

    clocks: Clocks
    path: ClockPath | None
    finder: LateFinder
    shapes: RunShapes
    tally: Tally
    trusted: Tally | None = None
    suspect: int = 0
    first_offset_ns: int | None = None
    negative: NegativeFinder = field(default_factory=NegativeFinder)

    def look(self, chunk: Columns) -> _Found:
        """Changes nothing here."""
        clocks, own = self.clocks, chunk.having(rec.SENT)
        offset, error = clocks.of(chunk)
        suspect = clocks.suspect(chunk, error)
        wrong, trusted = int(np.count_nonzero(suspect)), None
        tally = self.tally.empty()
        tally.add(chunk, offset, error)
        if wrong:
            trusted = self.tally.empty()
            trusted.add(chunk[~suspect], offset[~suspect], error[~suspect])
        forth = ways(own)
        before = []
        if clocks.compared:
            before = negative(forth if own is chunk else ways(chunk), offset, error)
        late = self.finder.find(own, forth, self._of_path(own, chunk, offset))
        shaped = self.shapes.look(chunk, offset, suspect)
        return _Found(tally, trusted, wrong, int(offset[0]) if len(chunk) else None, late, before, shaped)

    def _of_path(self, own: Columns, chunk: Columns, offset: Times) -> Times | int:
        """The offset by the path of these packets. It mostly is the one that the clocks have been put right by."""
        if self.path is None:
            return 0
        if own is chunk and isinstance(self.clocks.comparison, FromExchanges):
            return offset
        return self.path.at(own.seq, lag(own))[0]

    def join(self, found: _Found) -> None:
        if found.trusted and self.trusted is None:
            self.trusted = self.tally.copy()
        if self.trusted is not None:
            self.trusted.merge(found.trusted or found.tally)
        self.tally.merge(found.tally)
        self.suspect += found.suspect
        self.finder.join(found.late)
        self.negative.join(found.negative)
        self.shapes.join(found.shaped)
        if self.first_offset_ns is None:
            self.first_offset_ns = found.first_offset_ns


def _pieces(chunks: Iterable[Records | Columns]) -> Iterator[Columns]:
    for chunk in columns_of(chunks):
        yield from chunk.pieces()


def _facts(clocks: Clocks, path: ClockPath | None, bins: Bins, seen: _Seen) -> TimingFacts:
    offset, noise = seen.first_offset_ns or 0, round(path.noise_ns) if path else 0
    if not clocks.compared:
        return TimingFacts(clocks.method, words=(_not_compared(bins),))
    if clocks.method == SHARED:
        return TimingFacts(clocks.method, noise_ns=noise, suspect=seen.suspect)
    ran = f" and ran {path.rate_ppb / 1000:+.2f} ppm against it" if path else ""
    known = f"known to ±{us(clocks.usual_error_ns)} by {clocks.method}"
    words = [f"the reflector's clock was {_apart(offset)} the sender's{ran}; {known}"]
    against, checked = 0, f"not checked by the exchanges: {_not_compared(bins)}"
    if clocks.method != EXCHANGE:
        if path:
            against, checked = _checked(path, clocks)
        words.append(checked)
    rate = round(path.rate_ppb, 1) if path else 0.0
    return TimingFacts(clocks.method, offset, rate, clocks.usual_error_ns, noise, seen.suspect, against, tuple(words))


def _not_compared(bins: Bins) -> str:
    if not bins.both.any():
        return "clocks not compared: no packet came back with its stamps"
    return (
        f"clocks not compared: {MIN_BINS} stretches of {bins.packets} packets with exchanges in both ways are needed, "
        f"and this run has {int(bins.both.sum())}"
    )


def _apart(offset_ns: int) -> str:
    size = abs(offset_ns)
    told = f"{size / 1e9:.3f} s" if size >= 1e9 else f"{size / 1e6:.3f} ms" if size >= 1e6 else us(size)
    return f"{told} {'ahead of' if offset_ns >= 0 else 'behind'}"


def _checked(path: ClockPath, clocks: Clocks) -> tuple[int, str]:
    """For how many stretches the exchanges contradict the method's own offsets, and that in words."""
    probes = np.zeros(len(path.bins), rec.RECORD)
    probes["seq"], probes["w"] = path.bins.first_seq, path.bins.time_ns
    offset, error = clocks.of(probes)
    apart = np.abs(offset - path.offset_ns)
    against = int((apart > error + path.error_ns).sum())
    if against:
        return against, (
            f"the exchanges contradict {clocks.method} for {against} of {len(path.bins)} stretches of the run: by up "
            f"to {us(float((apart - error - path.error_ns).max()))} more than both bounds allow"
        )
    return 0, f"the exchanges agree with {clocks.method} to within both bounds, all the time"
