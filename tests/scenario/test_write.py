# SPDX-License-Identifier: Apache-2.0
"""A scenario that was written of a point is that point: nothing is left to a default."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latlab.errors import ScenarioError
from latlab.scenario.attachments import Existing, TapBridge
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.model import Flow, Guest, Load, Netperf, Ping, Point, Probe
from latlab.scenario.points import expand
from latlab.scenario.ptp import Ptp
from latlab.scenario.write import scenario_yaml

POINT = Point(
    attachment=TapBridge(vhost="on"),
    flow=Flow(direction="up", period_ns=1_006_000),
    load=Load(rate_bps=1_500_000),
    guest=Guest(image="/srv/a guest's image.qcow2"),
    instruments=(Probe(), Netperf(tests=("TCP_RR", "UDP_RR")), Ping()),
)


def read_again(point: Point, name: str = "again") -> Point:
    (found,) = expand(scenario_from_bytes(scenario_yaml(point, name).encode(), "again.yaml"))
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_point_is_read_again_as_itself(scenarios: st.SearchStrategy[dict[str, Any]], data: st.DataObject) -> None:
    try:
        points = expand(scenario_from_bytes(json.dumps(data.draw(scenarios)).encode(), "f.yaml"))
    except ScenarioError:
        return  # one with equal points
    for point in points[:3]:
        assert read_again(point).canonical() == point.canonical()


@pytest.mark.parametrize("timing", [Ptp(), Ptp(extra="priority1 10; delay_filter_length 20", step_threshold_ns=0)])
def test_timing_and_texts_that_need_quotes(timing: Ptp) -> None:
    point = POINT.model_copy(update={"timing": timing})
    assert read_again(point).canonical() == point.canonical()


def test_a_guest_of_its_owner() -> None:
    point = POINT.model_copy(update={"attachment": Existing(ssh="ssh://root@[fe80::1]:2222", nic="ens3")})
    assert read_again(point).canonical() == point.canonical()


@pytest.mark.parametrize("name", ["first look", "a: b # c", "true", "0x10", '"', "été", "- x", ""])
def test_any_name(name: str) -> None:
    found = scenario_from_bytes(scenario_yaml(POINT, name).encode(), "file.yaml")
    assert found.name == (name or "file")


def test_it_reads_like_a_scenario() -> None:
    text = scenario_yaml(POINT, "first look")
    assert text.startswith('name: "first look"\nattachment:\n  tap-bridge:\n    vhost: on\n')
    assert "  period: 1006us\n" in text
    assert "  rate: 1500kbit\n" in text
    assert "instruments:\n  - probe\n  - netperf:\n      tests: [TCP_RR, UDP_RR]\n" in text
