# SPDX-License-Identifier: Apache-2.0
"""What a run says of one number, for `difference`: a quantile, the mean, the extremes, or the share of lost packets."""

from __future__ import annotations

import math

from scipy.special import ndtri

from latlab.stats.comparing.comparable import metric_of
from latlab.stats.comparing.difference import INTERVAL_CHANCE, Observed
from latlab.stats.summary import QUANTILES, MetricResult, Summary
from latlab.store.document import RunDocument

QUANTITIES = ("min", "mean", *QUANTILES, "max")
"""What is compared of a metric, in the order of tables."""
EXTREMES = ("min", "max")
"""They depend on the number of packets."""
LOST = "lost"
"""In place of a metric: the packets without a reply. Its only quantity has the same name, in packets of a million."""
LOST_UNIT = "per million"
_MILLION = 1_000_000
_NORMAL_95 = float(ndtri(1 - INTERVAL_CHANCE / 2))


def observe(document: RunDocument, metric: str, quantity: str) -> Observed | None:
    """One of `QUANTITIES` of a metric, in its unit, or `LOST` packets of a million; None where the run has no number.

    A metric between two clocks is taken without the packets that were measured while a clock was not to be trusted.
    """
    if metric == LOST:
        return _lost(document)
    summary = trusted(document, metric)
    if not isinstance(summary, Summary):
        return None
    bound = summary.bound_ns
    if quantity == "mean":
        half = _NORMAL_95 * summary.stddev_ns / math.sqrt(summary.n) if summary.stddev_ns is not None else None
        low, high = (None, None) if half is None else (summary.mean_ns - half, summary.mean_ns + half)
        return Observed(summary.mean_ns, low, high, bound)
    if quantity in EXTREMES:
        return Observed(summary.min_ns if quantity == "min" else summary.max_ns, bound=bound)
    value = summary.quantiles_ns.get(quantity)
    if value is None:
        return None
    bound += math.ceil(abs(value) * summary.quantile_relative_error)
    interval = summary.intervals_ns.get(quantity)
    low, high = (None, None) if interval is None else interval
    return Observed(value, low, high, bound)


def trusted(document: RunDocument, metric: str) -> MetricResult | None:
    """The metric's summary, without the packets whose clocks are suspect if it is between two clocks."""
    known = metric_of(metric, document)
    if known is not None and known.two_clocks and isinstance(document.metrics_trusted.get(metric), Summary):
        return document.metrics_trusted[metric]
    return document.metrics.get(metric)


def _lost(document: RunDocument) -> Observed | None:
    """With Wilson's interval (1927), which knows that none lost of a few is not none."""
    sent, lost = document.counts.sent, document.counts.lost
    if not sent:
        return None
    share, square = lost / sent, _NORMAL_95**2
    middle = (share + square / (2 * sent)) / (1 + square / sent)
    half = _NORMAL_95 / (1 + square / sent) * math.sqrt(share * (1 - share) / sent + square / (4 * sent**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Observed(share * _MILLION, min(low, share) * _MILLION, max(high, share) * _MILLION)
