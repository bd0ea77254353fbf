# SPDX-License-Identifier: Apache-2.0
"""What holds for every file: it is a scenario or a ScenarioError, and a scenario's points are its lists' product."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from latlab.errors import Problem, ScenarioError
from latlab.scenario.bench_model import bench_from_bytes
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.model import Scenario
from latlab.scenario.points import expand

Scenarios = st.SearchStrategy[dict[str, Any]]
Texts = st.SearchStrategy[str]
MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check_bytes(data: bytes, *overrides: str) -> None:
    """Both readers either succeed, or say what is wrong in whole lines with places that exist."""
    for read in (scenario_from_bytes, bench_from_bytes):
        problems: list[Problem] = []
        try:
            read(data, "f.yaml", overrides)
        except ScenarioError as error:
            problems = error.problems
            assert problems
        assert all(p.line >= 1 and p.column >= 1 and p.message for p in problems)
        assert all("\n" not in str(p) for p in problems)


@MANY
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    check_bytes(data)


@MANY
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check_bytes(text.encode("utf-8", errors="surrogatepass"))


@MANY
@given(st.data())
def test_any_text_that_looks_like_a_scenario(nearly: Texts, data: st.DataObject) -> None:
    check_bytes(data.draw(nearly).encode())


@MANY
@given(st.data())
def test_any_override(nearly: Texts, data: st.DataObject) -> None:
    paths = st.sampled_from(
        ["", "flow.period=", "flow=", "attachment.macvtap.mode=", "load=", "nic=", "addresses.ipv4="]
    )
    text = st.tuples(paths, st.one_of(nearly, st.text(max_size=40))).map("".join)
    overrides = data.draw(st.lists(text, min_size=1, max_size=3))
    check_bytes(b"attachment: [macvtap, {user: {}}]\nflow: {size: 100}\n", *overrides)
    check_bytes(b"kind: local\naddresses: {ipv4: 10.0.0.0/24}\n", *overrides)


@MANY
@given(st.data())
def test_a_scenario_with_one_wrong_place(scenarios: Scenarios, nearly: Texts, data: st.DataObject) -> None:
    text = json.dumps(data.draw(scenarios))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, min(len(text), start + 10)))
    check_bytes((text[:start] + data.draw(nearly) + text[end:]).encode())


def read(written: dict[str, Any]) -> Scenario:
    """The scenario; a drawn one that has two equal points, or too many, is no example."""
    problems: list[Problem] = []
    scenario: Scenario | None = None
    try:
        scenario = scenario_from_bytes(json.dumps(written).encode(), "f.yaml")
    except ScenarioError as error:
        problems = error.problems
    unlucky = [p for p in problems if "the same value twice" in p.message or "multiplies into" in p.message]
    assert problems == unlucky
    assume(scenario is not None)
    assert scenario is not None
    return scenario


@MANY
@given(st.data())
def test_points_are_the_product_of_the_lists(scenarios: Scenarios, data: st.DataObject) -> None:
    scenario = read(data.draw(scenarios))
    points = expand(scenario)
    axes = (scenario.attachments, scenario.loads, scenario.flows, scenario.guests)
    expected = scenario.repeat
    for axis in axes:
        expected *= len(axis)
    assert len(points) == expected
    assert len({(p.identity, p.repeat) for p in points}) == expected
    assert len({p.identity for p in points}) == expected // scenario.repeat


@MANY
@given(st.data(), st.randoms(use_true_random=False))
def test_identities_do_not_depend_on_the_order_of_keys(
    scenarios: Scenarios, data: st.DataObject, random: random.Random
) -> None:
    written = data.draw(scenarios)

    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return value

    first = [p.identity for p in expand(read(written))]
    assert [p.identity for p in expand(read(shuffled(written)))] == first


@MANY
@given(st.data())
def test_a_scenario_survives_its_json(scenarios: Scenarios, data: st.DataObject) -> None:
    scenario = read(data.draw(scenarios))
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
