# SPDX-License-Identifier: Apache-2.0
"""Plans: every point in exactly one list, and an estimate that follows what is asked for."""

from __future__ import annotations

import pytest

from latlab.report.plan import plan_json, plan_text
from latlab.scenario.bench_model import EmulatedBench, LocalBench
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.plan import (
    ATTACH_SECONDS,
    BENCH_UP_SECONDS,
    GUEST_BOOT_SECONDS,
    INSTRUMENT_SECONDS,
    ROUND_TRIP_SECONDS,
    Plan,
    about,
    estimate_seconds,
    make_plan,
)
from latlab.scenario.points import expand
from latlab.stats.records import RECORD_BYTES


def plan_of(text: str, bench: EmulatedBench | LocalBench | None = None) -> Plan:
    return make_plan(scenario_from_bytes(text.encode(), "x.yaml"), bench or EmulatedBench())


def seconds_of(text: str, kind: str = "emulated") -> float:
    return estimate_seconds(expand(scenario_from_bytes(f"attachment: tap-bridge\n{text}".encode(), "x.yaml"))[0], kind)


def test_every_point_is_planned_or_left_out() -> None:
    plan = plan_of("attachment: [user, tap-bridge]\nflow: {transport: [udp4, l2]}\nrepeat: 2\n")
    assert [(p.number, p.label) for p in plan.points] == [
        (1, "user, no load, udp4"),
        (2, "user, no load, udp4, run 2"),
        (3, "tap-bridge, no load, udp4"),
        (4, "tap-bridge, no load, l2"),
        (5, "tap-bridge, no load, udp4, run 2"),
        (6, "tap-bridge, no load, l2, run 2"),
    ]
    assert [(p.label, p.reason) for p in plan.left_out] == [
        ("user, no load, l2", "user-mode networking passes no raw Ethernet frames"),
        ("user, no load, l2, run 2", "user-mode networking passes no raw Ethernet frames"),
    ]


def test_a_guest_that_is_reused_costs_no_time_to_boot() -> None:
    text = "attachment: tap-bridge\nload: [none, {}]\nreuse-guest: "
    once, anew = plan_of(text + "true\n"), plan_of(text + "false\n")
    assert anew.seconds - once.seconds == GUEST_BOOT_SECONDS["emulated"] + ATTACH_SECONDS["emulated"]


def test_the_total_is_the_bench_and_the_points() -> None:
    plan = plan_of("attachment: [user, tap-bridge]\n", LocalBench())
    assert plan.seconds == pytest.approx(BENCH_UP_SECONDS["local"] + sum(p.seconds for p in plan.points))


def test_nothing_to_do_takes_no_time() -> None:
    plan = plan_of("attachment: user\nflow: {transport: l2}\n")
    assert plan.points == ()
    assert plan.seconds == 0


def test_the_estimate_follows_what_is_asked_for() -> None:
    short = seconds_of("flow: {period: 1ms, count: 1000, timeout: 1s}")
    assert seconds_of("flow: {period: 1ms, count: 11000, timeout: 1s}") == pytest.approx(short + 10)
    assert seconds_of("flow: {period: 1ms, count: 1000, timeout: 3s}") == pytest.approx(short + 2)
    ten = seconds_of("instruments: [ping: {count: 10, interval: 1s}]")
    assert seconds_of("instruments: [ping: {count: 20, interval: 1s}]") == pytest.approx(ten + 10)
    few = seconds_of("instruments: [netperf: {transactions: 1000}]")
    assert few < seconds_of("instruments: [netperf: {transactions: 2000}]") < 3 * few
    both = seconds_of("instruments: [netperf: {transactions: 1000, tests: [TCP_RR, UDP_RR]}]")
    more = seconds_of("instruments: [netperf: {transactions: 2000, tests: [TCP_RR, UDP_RR]}]")
    assert both == pytest.approx(few + INSTRUMENT_SECONDS["emulated"] + 1000 * ROUND_TRIP_SECONDS["emulated"])
    assert more == pytest.approx(both + 2000 * ROUND_TRIP_SECONDS["emulated"])
    one = seconds_of("instruments: [ping: {count: 1, interval: 1s}]")
    assert one == pytest.approx(seconds_of("instruments: [ping: {count: 1, interval: 1min}]"))
    assert seconds_of("load: {}") > seconds_of("load: none")
    assert seconds_of("") > seconds_of("", "local")


def test_raw_samples_are_counted_and_said_when_they_are_many() -> None:
    small = plan_of("attachment: [user, tap-bridge]\nflow: {count: 1000}\ninstruments: [probe, ping]\n")
    assert small.bytes == plan_json(small)["bytes"] == 2 * 1000 * RECORD_BYTES
    assert "GB" not in plan_text(small, "x")
    assert plan_of("attachment: user\ninstruments: [ping]\n").bytes == 0
    large = plan_of("attachment: [user, tap-bridge]\nflow: {count: 10000000}\n")
    assert "2.7 GB of raw samples" in plan_text(large, "x").splitlines()[0]


def test_the_baseline_boots_no_guest() -> None:
    baseline, guest = plan_of("attachment: [baseline, tap-bridge]\n").points
    assert baseline.seconds < guest.seconds - 5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "about 1 s"), (45.4, "about 45 s"), (100, "about 2 min"), (9000, "about 2.5 h"), (400_000, "about 5 days")],
)
def test_about(seconds: float, text: str) -> None:
    assert about(seconds) == text
