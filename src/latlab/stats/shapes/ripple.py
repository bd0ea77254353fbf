# SPDX-License-Identifier: Apache-2.0
"""Ripple: the level goes up and down evenly, by less than its packets differ.

The power of each frequency is that of the best sine with its own mean (the generalised periodogram of Zechmeister &
Kürster 2009), which needs no value where there are no samples: nothing is interpolated. On the regular grid of slots it
comes of FFTs. A frequency is judged against those around it, not against white noise, since levels wander slowly. What
is faster than two slots is looked for in stretches of packets in a row, whose powers are averaged (Welch 1967).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from latlab.stats.bins import Flags
from latlab.stats.shapes.series import BLOCK
from latlab.stats.tube import Floats
from latlab.stats.ways import Times

CHANCE = 1e-4
FEWEST_CYCLES = 4
FEWEST_SLOTS = 64
FAR = 6
"""Standard deviations beyond which a slot is no part of the level: a stall, a burst."""
MOST_SLOTS = 1 << 19
SHORTEST = 4
"""Slots, or packets: a shorter period is not told from others."""
STEEP, SAFE = -0.5, 2.0
"""A spectrum that falls by this power of the frequency and more is that of a level that wanders; at its low end it is
known to so many times only."""
LINE = 3
"""Times those beside it a fast ripple's power is, at the least."""
_AROUND = 48


@dataclass(frozen=True)
class Ripple:
    """`height_ns` from bottom to top. `top_s`: when it is highest for the first time, nan for the fast ones, which do
    not keep their phase from one stretch to the next."""

    period_s: float
    period_bound_s: float
    height_ns: float
    bound_ns: float
    top_s: float
    chance: float
    fitted_ns: Floats


def find_ripple(slot: Times, step_s: float, level_ns: Floats, least_ns: float) -> Ripple | None:
    """The strongest ripple of slots' levels (slot i at (i + 1/2) * `step_s`), of at least `least_ns` from bottom to
    top; None if there is none."""
    grid = (slot - slot[0]) if len(slot) else slot
    if len(slot) < FEWEST_SLOTS or int(grid[-1]) >= MOST_SLOTS:
        return None
    inside = _inside(level_ns)
    count = int(grid[-1]) + 1
    weight, value = np.zeros(count), np.zeros(count)
    weight[grid[inside]] = 1.0
    middle = float(level_ns[inside].mean())
    value[grid[inside]] = level_ns[inside] - middle
    padded = 1 << int(np.ceil(np.log2(2 * count)))
    power = _power(weight, value, padded)
    lowest, highest = int(np.ceil(FEWEST_CYCLES * padded / count)), padded // SHORTEST
    place, chance = _highest(power, lowest, highest, padded // count)
    if place is None or chance > CHANCE:
        return None
    time = (slot[inside] - slot[0]).astype(np.float64)
    rate, cosine, sine, mean = _refined(time, level_ns[inside] - middle, place / padded, 1 / (4 * count))
    height = 2 * float(np.hypot(cosine, sine))
    if height < least_ns:
        return None
    angle = 2 * np.pi * rate * (slot - slot[0]) - float(np.arctan2(sine, cosine))
    fitted = height / 2 * np.cos(angle)
    noise = float(np.std(level_ns[inside] - middle - mean - fitted[inside]))
    number = int(inside.sum())
    period = step_s / rate
    # Of a sine in white noise (Montgomery & O'Donoghue 1999).
    rate_error = np.sqrt(6 / number) * noise / (np.pi * count * (height / 2))
    top = (float(np.arctan2(sine, cosine)) / (2 * np.pi) % 1) / rate
    return Ripple(
        period, 1.96 * float(rate_error) / rate * period, height, 1.96 * 2 * noise * float(np.sqrt(2 / number)),
        (float(slot[0]) + 0.5 + top) * step_s, chance, fitted,
    )  # fmt: skip


def find_fast(blocks: list[tuple[Times, Floats]], period_s: float, longest_s: float, least_ns: float) -> Ripple | None:
    """The strongest ripple that is faster than `longest_s`, in stretches of consecutive packets."""
    size = BLOCK
    usable = [(seq - seq[0], value) for seq, value in blocks if len(seq) >= size // 2 and seq[-1] - seq[0] < size]
    if not usable:
        return None
    total = np.zeros(size + 1)
    variance, number = 0.0, 0
    for seq, value in usable:
        inside = _inside(value)
        level = np.zeros(size)
        level[seq[inside]] = value[inside] - value[inside].mean()
        total += np.abs(np.fft.rfft(level, 2 * size)) ** 2 / inside.sum()
        variance, number = variance + float(np.square(level).sum()), number + int(inside.sum())
    total /= len(usable)
    lowest, highest = max(2 * _AROUND, int(2 * size * period_s / longest_s)), 2 * size // SHORTEST
    if lowest >= highest:
        return None
    usual = _local_median(total[:highest], _AROUND)
    # A spectrum that falls is no line: what is beside it, on either side, is what it has to stand out of.
    beside = np.maximum(usual, np.maximum(np.roll(usual, _AROUND), np.roll(usual, -_AROUND)))
    ratio = total[lowest:highest] / np.maximum(beside[lowest:highest], 1e-300)
    place = lowest + int(np.argmax(ratio))
    from scipy.special import gammaincc  # takes most of a second to load

    # The average of n exponential variables; its median is about 1 - 1 / 3n of its mean.
    mean = 1 - 1 / (3 * len(usable)) if len(usable) > 1 else np.log(2)
    stands_out = float(ratio.max()) * mean
    chance = min(1.0, float(gammaincc(len(usable), len(usable) * stands_out)) * len(ratio))
    height = 4 * float(np.sqrt(max(0.0, total[place] - beside[place]) / (number / len(usable))))
    if chance > CHANCE or stands_out < LINE or height < least_ns:
        return None
    period = 2 * size / place * period_s
    noise = float(np.sqrt(variance / number))
    return Ripple(period, period * 0.5 / place, height, 1.96 * 2 * noise * float(np.sqrt(2 / number)), np.nan, chance,
                  np.empty(0))  # fmt: skip


def _inside(level: Floats) -> Flags:
    low, middle, high = (float(q) for q in np.quantile(level, (0.1, 0.5, 0.9)))
    found: Flags = np.abs(level - middle) <= FAR * max((high - low) / 2.563, 1e-9)
    return found


def _power(weight: Floats, value: Floats, padded: int) -> Floats:
    """Share of the squares that the best sine of each frequency k / `padded` takes away."""
    total = weight.sum()
    spectrum, window = np.fft.rfft(value * weight, padded) / total, np.fft.rfft(weight, padded) / total
    twice = np.fft.fft(weight, padded)[2 * np.arange(len(window)) % padded] / total
    yy = float(np.square(value * weight).sum()) / total
    yc, ys, c, s = spectrum.real, -spectrum.imag, window.real, -window.imag
    cc = (1 + twice.real) / 2 - c * c
    ss = (1 - twice.real) / 2 - s * s
    cs = -twice.imag / 2 - c * s
    determinant = np.maximum(cc * ss - cs * cs, 1e-12)
    found: Floats = (ss * yc * yc + cc * ys * ys - 2 * cs * yc * ys) / (max(yy, 1e-300) * determinant)
    found[0] = 0
    return np.clip(found, 0, 1)


def _highest(power: Floats, lowest: int, highest: int, oversampled: int) -> tuple[int | None, float]:
    """Where the power is highest above those around it, and the chance that it is so by noise."""
    if highest - lowest < 2 * _AROUND:
        return None, 1.0
    chosen = power[lowest:highest]
    # The median of an exponential variable is ln 2 of its mean.
    usual = _local_median(chosen, _AROUND * oversampled) / np.log(2)
    ratio = chosen / np.maximum(np.maximum(usual, _falling(power, lowest, len(chosen), oversampled)), 1e-300)
    place = int(np.argmax(ratio))
    return lowest + place, min(1.0, float(np.exp(-ratio[place])) * (highest - lowest))


def _falling(power: Floats, lowest: int, count: int, oversampled: int) -> Floats:
    """What slow wandering alone has at `count` frequencies from `lowest` on: a power of the frequency, fitted to the
    lowest ones (Theil & Sen, of logarithms, whose median is 0.367 below that of the mean). Zero
    beyond them, and where the spectrum does not fall."""
    places = np.arange(1, 2 * _AROUND) * oversampled
    places = places[places < min(len(power), lowest + count)]
    first, second = np.triu_indices(len(places), 4)
    x, y = np.log(places), np.log(np.maximum(power[places], 1e-300))
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    found = np.zeros(count)
    if slope < STEEP:
        here = np.arange(lowest, min(lowest + count, int(places[-1])))
        found[: len(here)] = SAFE * np.exp(float(np.median(y - slope * x)) + 0.367 + slope * np.log(here))
    return found


def _local_median(power: Floats, reach: int) -> Floats:
    """Median of those around each, by pieces of `reach`, put between their middles."""
    pieces = max(1, len(power) // reach)
    edges = np.linspace(0, len(power), pieces + 1).astype(int)
    medians = [float(np.median(power[a:b])) for a, b in pairwise(edges.tolist())]
    return np.interp(np.arange(len(power)), (edges[:-1] + edges[1:]) / 2, medians)


def _refined(time: Floats, level: Floats, rate: float, reach: float) -> tuple[float, float, float, float]:
    """Rate near this one whose sine fits best; its cosine, sine and mean."""
    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    for step in (reach / 2, reach / 16):
        centre = best[1] if best else rate
        for tried in centre + step * np.arange(-8, 9):
            angle = 2 * np.pi * tried * time
            design = np.stack([np.cos(angle), np.sin(angle), np.ones(len(time))], axis=1)
            normal = design.T @ design
            fitted = np.linalg.solve(normal, design.T @ level)
            taken = float(fitted @ (design.T @ level))
            if best is None or taken > best[0]:
                best = (taken, float(tried), fitted)
    assert best is not None
    _, rate, fitted = best
    return rate, float(fitted[0]), float(fitted[1]), float(fitted[2])
