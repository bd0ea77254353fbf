# SPDX-License-Identifier: Apache-2.0
"""Filters choose the runs that they say, and no others; times and orders are what they look like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from latlab.errors import UsageError
from latlab.store.entry import Entry
from latlab.store.select import Wanted, nothing_found, ordered, parse_time, select

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def entry(name: str, **values: Any) -> Entry:
    given: dict[str, Any] = {
        "status": "done", "verdict": "valid", "reasons": [], "created": "2026-11-20T14:03:11Z",
        "scenario": "first-look",
        "bench": {"kind": "emulated", "name": "pair"}, "attachment": "ovs", "load": "none",
        "kernels": {"hypervisor": "6.12.95+deb13-amd64"}, "counts": {"lost": 0},
    }  # fmt: skip
    return Entry(Path("runs", name), **(given | values))


A = entry("a", labels=["good", "v1"], metrics={"round_trip": {"n": 9, "max_ns": 5, "quantiles_ns": {"p99": 300}}})
B = entry("b", attachment="ovs-afxdp queues=2", load="3 udp same", verdict="suspect", labels=["good"],
          metrics={"round_trip": {"n": 9, "max_ns": 7, "quantiles_ns": {"p99": 200}}})  # fmt: skip
C = entry("c", attachment="xdp mode=generic", bench={"kind": "local", "name": "desk"}, created="2026-11-21T09:00:00Z",
          kernels={"": "6.1.20"}, scenario="night")  # fmt: skip
BROKEN = Entry(Path("runs/d"), "broken", "invalid", ["run.json is damaged"])
ALL = [A, B, C, BROKEN]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), "abcd"),
        (Wanted(attachment=["ovs"]), "a"),
        (Wanted(attachment=["ovs*"]), "ab"),
        (Wanted(attachment=["ovs-afxdp"]), "b"),
        (Wanted(attachment=["xdp", "OVS"]), "ac"),
        (Wanted(attachment=["xdp mode=generic"]), "c"),
        (Wanted(load=["none"]), "ac"),
        (Wanted(load=["no load"]), "ac"),
        (Wanted(load=["3 udp*"]), "b"),
        (Wanted(bench=["emulated"]), "ab"),
        (Wanted(bench=["desk"]), "c"),
        (Wanted(kernel=["6.1"]), "c"),
        (Wanted(kernel=["6.12"]), "ab"),
        (Wanted(kernel=["6.12.95+deb13-amd64"]), "ab"),
        (Wanted(kernel=["*deb13*"]), "ab"),
        (Wanted(kernel=["6"]), "abc"),
        (Wanted(label=["good"]), "ab"),
        (Wanted(label=["good", "v*"]), "a"),
        (Wanted(scenario=["night"]), "c"),
        (Wanted(verdict=["suspect", "invalid"]), "bd"),
        (Wanted(since=datetime(2026, 11, 21, tzinfo=UTC)), "c"),
        (Wanted(until=datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC)), "ab"),
        (Wanted(attachment=["ovs"], bench=["local"]), ""),
    ],
)
def test_filters_choose_what_they_say(wanted: Wanted, found: str) -> None:
    assert "".join(entry.id for entry in select(ALL, wanted)) == found


def test_nothing_found_says_what_there_is() -> None:
    there = "ovs, xdp, xdp mode=generic"
    assert nothing_found([A, C], Wanted(attachment=["vfio"])) == f"no run has the attachment vfio: there is {there}"
    assert nothing_found([A, C], Wanted(label=["x"], bench=["local"])) == "no run has the label x: there is good, v1"
    assert nothing_found([C], Wanted(label=["x"])) == "no run has the label x: no run has one"
    assert "together" in nothing_found([A, C], Wanted(attachment=["ovs"], bench=["local"]))
    assert nothing_found([], Wanted(label=["x"])) == "there are no runs"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T14:03", datetime(2026, 11, 20, 14, 3, tzinfo=UTC)),
        ("2026-11-20T14:03+01:00", datetime(2026, 11, 20, 13, 3, tzinfo=UTC)),
        ("20261120T140311Z", datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC)),
        ("2h", NOW - timedelta(hours=2)),
        ("30min", NOW - timedelta(minutes=30)),
        ("4w", NOW - timedelta(weeks=4)),
    ],
)
def test_a_time_is_what_it_looks_like(text: str, time: datetime) -> None:
    assert parse_time(text, NOW) == time


def test_a_day_ends_when_it_ends() -> None:
    assert parse_time("2026-11-20", NOW, end=True) == datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC)
    assert parse_time("2026-11-20T14:03", NOW, end=True) == datetime(2026, 11, 20, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "99999999999999999d", "-2h", "2 fortnights"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no time") as caught:
        parse_time(text, NOW)
    assert "2h, 3d" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "order"),
    [("p99", "bacd"), ("-p99", "abcd"), ("max", "abcd"), ("created", "abcd"), ("-created", "cabd"),
     ("attachment", "abcd"), ("-attachment", "cbad"), ("kernel", "cabd"), ("label", "bacd")],
)  # fmt: skip
def test_runs_are_ordered_and_those_without_a_value_come_last(key: str, order: str) -> None:
    assert "".join(entry.id for entry in ordered(ALL, key)) == order


def test_an_order_that_there_is_not_is_an_error() -> None:
    with pytest.raises(UsageError, match="cannot be sorted by 'p98'") as caught:
        ordered(ALL, "-p98")
    assert "p99.9" in caught.value.hint
