# SPDX-License-Identifier: Apache-2.0
"""`--set`: what it changes, what it leaves alone, and where its problems point."""

from __future__ import annotations

import pytest

from latlab.errors import ScenarioError
from latlab.scenario.attachments import Macvtap, TapBridge
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.model import Flow, Load, Ping, Probe, Scenario

FILE = """\
attachment: [tap-bridge, {macvtap: {mode: vepa}}]
flow: {period: 1ms, size: 200}
instruments: [probe, ping]
load: none
"""


def load(*overrides: str, text: str = FILE) -> Scenario:
    return scenario_from_bytes(text.encode(), "x.yaml", overrides)


def problem(*overrides: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(*overrides)
    return str(caught.value)


def test_one_option_changes_and_the_rest_stays() -> None:
    assert load("flow.period=2ms").flows == (Flow(period_ns=2_000_000, size_bytes=200),)


def test_a_whole_value_is_replaced() -> None:
    assert load("attachment=[macvtap]").attachments == (Macvtap(),)
    assert load("load={streams: 2}").loads == (Load(streams=2),)


def test_a_key_that_was_not_there_is_added() -> None:
    assert load("guest.memory=256MiB").guests[0].memory_mib == 256
    assert load("repeat=4").repeat == 4


def test_a_word_selects_in_a_list() -> None:
    assert load("instruments.ping.count=3").instruments == (Probe(), Ping(count=3))
    assert load("attachment.tap-bridge.vhost=off", "attachment.macvtap.vhost=off").attachments == (
        TapBridge(vhost="off"),
        Macvtap(mode="vepa", vhost="off"),
    )


def test_the_last_one_wins() -> None:
    assert load("flow.period=2ms", "flow.period=3ms").flows[0].period_ns == 3_000_000


def test_an_alias_is_changed_in_one_place_only() -> None:
    text = "attachment: user\nflow: [&f {size: 100, period: 1ms}, {size: 300}]\nguest: {cpus: 1}\n"
    assert len(load("guest.cpus=2", text=text).flows) == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("flow.period=2m", '--set:1:13: flow.period: not a unit of a duration: "2m". Write 2ms or 2min.'),
        ("flow.perod=2ms", '--set:1:6: unknown key "perod" in flow. Did you mean "period"?'),
        ("atachment=user", '--set:1:1: unknown key "atachment" in the scenario. Did you mean "attachment"?'),
        ("attachment=[macvtap, usr]", '--set:1:22: unknown attachment "usr". Did you mean "user"?'),
        ("flow.period", '--set:1:1: "flow.period" is not of the form key=value. '
                        "Write such as: --set flow.period=2ms"),
        ("=3", '--set:1:1: "=3" is not of the form key=value. Write such as: --set flow.period=2ms'),
        ("flow.period=", "--set:1:13: flow.period has no value"),
        ("flow.period=# 1", "--set:1:13: flow.period has no value"),
        ("flow={a", "--set:1:8: while parsing a flow mapping: expected ',' or '}', but got '<stream end>'"),
        ("load.rate=5Mbit", "--set:1:1: load has no options in x.yaml, line 4. Set it whole: --set 'load={...}'"),
        ("instruments.netperf.transactions=5", '--set:1:1: instruments is a list, and no item of it is "netperf". '
                                               "Set it whole: --set 'instruments=...'"),
    ],
)  # fmt: skip
def test_problems_point_into_the_override(override: str, message: str) -> None:
    assert problem(override) == message


def test_the_line_is_the_number_of_the_override() -> None:
    assert problem("repeat=2", "flow.size=1").startswith("--set:2:11: ")


def test_a_problem_of_the_file_itself_still_points_into_the_file() -> None:
    with pytest.raises(ScenarioError) as caught:
        load("repeat=0", text="attachment: usr\n")
    assert [p.file for p in caught.value.problems] == ["--set", "x.yaml"]
