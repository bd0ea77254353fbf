# SPDX-License-Identifier: Apache-2.0
"""Counted outcomes that are odd: more losses, duplicates or overtaken packets than the rest of a run lets expect."""

from __future__ import annotations

import numpy as np

from latlab.stats.anomalies import JOIN_BINS, Anomaly, Kind, edges
from latlab.stats.bins import Bins, Flags, stretches
from latlab.stats.ways import Times

CHANCE = 0.01
"""That a run in which packets are lost all the same all the time has an anomaly; shared by all its bins."""
TOGETHER = (1, 8, 64)
"""So many bins are counted together: what is rare but lasts does not show in one."""


def counted(bins: Bins) -> list[Anomaly]:
    """Stretches in which more was lost, duplicated or reordered than the rest of the run lets expect."""
    kinds: tuple[tuple[Kind, Times, str], ...] = (
        ("loss", bins.lost, "lost"),
        ("duplication", bins.duplicated, "answered twice"),
        ("reordering", bins.reordered, "overtaken"),
    )
    found = []
    for kind, counts, word in kinds:
        if not counts.any():
            continue
        odd, usual = _too_many(counts, bins.sent)
        for first, last in stretches(odd, JOIN_BINS):
            number, sent = int(counts[first : last + 1].sum()), int(bins.sent[first : last + 1].sum())
            told = f"{number} of {sent} packets were {word}; of the others, {usual:.2g} of all"
            begin, end = edges(bins, first, last)
            found.append(Anomaly("network", kind, "", begin, end, number, number, None, (told,)))
    return found


def _too_many(counts: Times, sent: Times) -> tuple[Flags, float]:
    """Which bins, alone or `TOGETHER`, count more than chance allows at the rate of those that do not; and that rate.

    The rate is at first that of all; what is too much for it is left out, until nothing is.
    """
    from scipy.special import gammainc  # takes most of a second to load, and most runs lose nothing

    odd = np.zeros(len(counts), bool)
    chance = CHANCE / (len(counts) * sum(1 / size for size in TOGETHER))
    while True:
        usual = float(counts[~odd].sum()) / max(1, int(sent[~odd].sum()))
        before = int(odd.sum())
        for size in TOGETHER:
            starts = np.arange(0, len(counts), size)
            number = np.add.reduceat(np.where(odd, 0, counts), starts)
            # Poisson: so many or more, with this mean.
            mean = usual * np.add.reduceat(np.where(odd, 0, sent), starts)
            much = (number > 0) & (gammainc(np.maximum(number, 1), mean) < chance)
            odd |= np.repeat(much, size)[: len(counts)]
        if int(odd.sum()) == before:
            break
    for first, last in stretches(odd, JOIN_BINS):
        begin, end = _densest(counts[first : last + 1], sent[first : last + 1], usual)
        odd[first : last + 1] = False
        odd[first + begin : first + end + 1] = True
    return odd, usual


def _densest(counts: Times, sent: Times, usual: float) -> tuple[int, int]:
    """First and last bin of the part of these that stands out most from the usual rate: where the likelihood ratio of
    its own rate to that one is largest (a scan statistic, Kulldorff 1997), found by the largest sum of a part.
    """
    first, last = 0, len(counts) - 1
    while True:
        rate = float(counts[first : last + 1].sum()) / max(1, int(sent[first : last + 1].sum()))
        least = max(usual, rate / 1000)
        if rate <= least:
            return first, last
        gain = np.cumsum(counts - sent * (rate - least) / np.log(rate / least))
        floor = np.minimum.accumulate(np.concatenate([[0.0], gain[:-1]]))
        end = int(np.argmax(gain - floor))
        begin = int(np.argmin(np.concatenate([[0.0], gain[:end]])))
        if (begin, end) == (first, last) or end - begin >= last - first:
            return begin, end
        first, last = begin, end
