# SPDX-License-Identifier: Apache-2.0
"""Which of many runs: by attachment, load, bench, kernel, label, scenario, verdict and time; and in which order.

Patterns are those of a shell (`ovs*`), in upper or lower case. A kernel's beginning is enough: `6.12` is 6.12.95 and
not 6.120. Within one filter any of its patterns will do; all filters must hold, and of labels all must be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from latlab.errors import UsageError
from latlab.store.entry import Entry

_AGE = re.compile(r"(\d+)\s*(min|m|h|d|w)")
_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Wanted:
    """Filters; an empty one holds for every run. `since` and `until` are of the run's start, both included."""

    attachment: Sequence[str] = ()
    load: Sequence[str] = ()
    bench: Sequence[str] = ()
    kernel: Sequence[str] = ()
    label: Sequence[str] = ()
    scenario: Sequence[str] = ()
    verdict: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def all(self) -> bool:
        """Whether every run is wanted, those that cannot be read included."""
        return not any(getattr(self, field.name) for field in fields(self))


def select(entries: Iterable[Entry], wanted: Wanted) -> list[Entry]:
    """The entries for which all filters hold, in their order."""
    return [entry for entry in entries if matches(entry, wanted)]


def matches(entry: Entry, wanted: Wanted) -> bool:
    """Whether all filters hold. A run that cannot be read has no attachment, load, ... and no time."""
    for name in ("attachment", "load", "bench", "scenario", "verdict"):
        patterns = getattr(wanted, name)
        if patterns and not _any(_values(entry, name), patterns):
            return False
    if wanted.kernel and not any(_kernel(version, wanted.kernel) for version in entry.kernels.values()):
        return False
    if not all(_any(entry.labels, [pattern]) for pattern in wanted.label):
        return False
    if wanted.since is None and wanted.until is None:
        return True
    if entry.created is None:
        return False
    created = datetime.fromisoformat(entry.created)
    return not (wanted.since and created < wanted.since) and not (wanted.until and created > wanted.until)


def nothing_found(entries: Sequence[Entry], wanted: Wanted) -> str:
    """Why `wanted` found none of `entries`: the filter that no run passes and what there is instead, in one line."""
    if not entries:
        return "there are no runs"
    for name in ("attachment", "load", "bench", "kernel", "label", "scenario", "verdict"):
        patterns = getattr(wanted, name)
        if patterns and not select(entries, Wanted(**{name: patterns})):
            there = sorted({value for entry in entries for value in _values(entry, name) if value})
            has = f"there is {', '.join(there[:12])}{', ...' if len(there) > 12 else ''}" if there else "no run has one"
            return f"no run has the {name} {' or '.join(patterns)}: {has}"
    return "no run passes all these filters together"


def _values(entry: Entry, name: str) -> list[str | None]:
    if name == "kernel":
        return list(entry.kernels.values())
    if name == "label":
        return list(entry.labels)
    if name == "attachment":  # by its kind, and by all of its words: "xdp", "xdp mode=generic"
        return [entry.attachment, (entry.attachment or "").partition(" ")[0]]
    if name == "load":
        return [entry.load, "no load"] if entry.load == "none" else [entry.load]
    if name == "bench":
        return [entry.bench.get("kind"), entry.bench.get("name")] if entry.bench else []
    found: str | None = getattr(entry, name)
    return [found]


def _any(values: Iterable[str | None], patterns: Iterable[str]) -> bool:
    lowered = [value.lower() for value in values if value]
    return any(fnmatchcase(value, pattern.lower()) for pattern in patterns for value in lowered)


def _kernel(version: str, patterns: Iterable[str]) -> bool:
    for pattern in patterns:
        rest = version.removeprefix(pattern)
        if fnmatchcase(version, pattern) or (rest != version and not (rest[0].isdigit() and pattern[-1:].isdigit())):
            return True
    return False


def parse_time(text: str, now: datetime, *, end: bool = False) -> datetime:
    """`2026-11-20`, `2026-11-20T14:03`, `20261120T140311Z` (as in a run's name), or an age: `30min`, `2h`, `3d`, `4w`.

    A time without a zone is UTC, as the names of the runs are. A day alone is its start, or its end if `end`.
    UsageError for anything else.
    """
    if age := _AGE.fullmatch(text.strip()):
        try:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        except OverflowError:
            pass
    try:
        found = datetime.fromisoformat(text.strip())
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found + timedelta(days=1, microseconds=-1) if end and re.fullmatch(r"[\d-]+", text.strip()) else found
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no time", hint="such as 2026-11-20, 2026-11-20T14:03 (UTC), or 2h, 3d, 4w ago"
        ) from error


def _text(name: str) -> Callable[[Entry], Any]:
    return lambda entry: getattr(entry, name)


def _quantile(name: str) -> Callable[[Entry], Any]:
    return lambda entry: (entry.round_trip or {}).get("quantiles_ns", {}).get(name)


def _of_round_trip(name: str) -> Callable[[Entry], Any]:
    return lambda entry: (entry.round_trip or {}).get(name)


SORT_KEYS: dict[str, Callable[[Entry], Any]] = {
    **{name: _text(name) for name in ("created", "id", "attachment", "load", "scenario", "verdict", "status")},
    "bench": lambda entry: (entry.bench or {}).get("name"),
    "kernel": lambda entry: sorted(entry.kernels.values()) or None,
    "label": lambda entry: entry.labels or None,
    "lost": lambda entry: (entry.counts or {}).get("lost"),
    "n": _of_round_trip("n"),
    "min": _of_round_trip("min_ns"),
    "mean": _of_round_trip("mean_ns"),
    "max": _of_round_trip("max_ns"),
    **{name: _quantile(name) for name in ("p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999")},
}


def ordered(entries: Sequence[Entry], key: str) -> list[Entry]:
    """Sorted by `key` (of `SORT_KEYS`; with a hyphen before it: the largest first); who has no such value comes last,
    and equals keep their order. UsageError for another key."""
    name = key.removeprefix("-")
    if name not in SORT_KEYS:
        raise UsageError(f"runs cannot be sorted by {name!r}", hint=f"by {', '.join(SORT_KEYS)}; -{key}: largest first")
    value_of = SORT_KEYS[name]
    having = [(value, entry) for entry in entries if (value := value_of(entry)) is not None]
    having.sort(key=lambda pair: pair[0], reverse=key.startswith("-"))
    return [entry for _, entry in having] + [entry for entry in entries if value_of(entry) is None]
