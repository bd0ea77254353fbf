# SPDX-License-Identifier: Apache-2.0
"""Scenario files: what they mean, and what is said about the wrong ones."""

from __future__ import annotations

import pytest

from latlab.errors import ScenarioError
from latlab.scenario.attachments import Attachment, Baseline, Macvtap, TapBridge, User
from latlab.scenario.fields import kinds_of
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.model import Flow, Guest, Load, Netperf, Ping, Probe, Scenario

KNOWN = ", ".join(kinds_of(Attachment))


def load(text: str, *overrides: str) -> Scenario:
    return scenario_from_bytes(text.encode(), "x.yaml", overrides)


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(text, *overrides)
    return str(caught.value).splitlines()


def test_one_line_is_a_scenario() -> None:
    assert load("attachment: tap-bridge") == Scenario(name="x", attachments=(TapBridge(),))


def test_lists_multiply_and_the_first_key_varies_slowest() -> None:
    scenario = load(
        "attachment: [baseline, user, {tap-bridge: {vhost: [on, off]}}, {macvtap: {mode: vepa}}]\n"
        "load: [none, {streams: [1, 3], rate: 5Mbit}]\n"
        "flow: {period: [1ms, 10ms], direction: [up, down]}\n"
        "guest: {cpus: [1, 2], memory: 256MiB}\n"
    )
    assert scenario.attachments == (
        Baseline(),
        User(),
        TapBridge(vhost="on"),
        TapBridge(vhost="off"),
        Macvtap(mode="vepa"),
    )
    assert scenario.loads == (None, Load(streams=1, rate_bps=5_000_000), Load(streams=3, rate_bps=5_000_000))
    assert [(f.direction, f.period_ns) for f in scenario.flows] == [
        ("up", 1_000_000), ("up", 10_000_000), ("down", 1_000_000), ("down", 10_000_000)
    ]  # fmt: skip
    assert scenario.guests == (Guest(memory_mib=256), Guest(cpus=2, memory_mib=256))


def test_a_list_of_flows_is_as_good_as_a_list_inside_one() -> None:
    assert load("attachment: user\nflow: [{period: 1ms}, {period: 2ms}]") == load(
        "attachment: user\nflow: {period: [1ms, 2ms]}"
    )


def test_every_option_reaches_the_model() -> None:
    scenario = load(
        "name: all\ndescription: of them\nrepeat: 3\nattachment: {macvtap: {mode: private, vhost: off}}\n"
        "flow: {direction: up, transport: l2, period: 1006us, count: 7, size: 1KiB, vlan: 5, pcp: 6, priority: 7,\n"
        "  clock: monotonic, fifo: none, cpu: 1, timeout: 2s}\n"
        "load: {streams: 2, protocol: tcp, direction: opposite, source: hypervisor, program: netperf, rate: 1Gbit}\n"
        "guest: {cpus: 2, memory: 1GiB}\n"
        "instruments: [probe, {netperf: {tests: [UDP_RR, TCP_RR], transactions: 9}}, {ping: {count: 3, interval: 5ms}}]"
    )
    assert scenario == Scenario(
        name="all",
        description="of them",
        repeat=3,
        attachments=(Macvtap(mode="private", vhost="off"),),
        flows=(
            Flow(
                direction="up", transport="l2", period_ns=1_006_000, count=7, size_bytes=1024, vlan=5, pcp=6,
                priority=7, clock="monotonic", fifo=None, cpu=1, timeout_ns=2_000_000_000,
            ),
        ),
        loads=(
            Load(
                streams=2, protocol="tcp", direction="opposite", source="hypervisor", program="netperf",
                rate_bps=1_000_000_000,
            ),
        ),
        guests=(Guest(cpus=2, memory_mib=1024),),
        instruments=(
            Probe(), Netperf(tests=("UDP_RR", "TCP_RR"), transactions=9), Ping(count=3, interval_ns=5_000_000)
        ),
    )  # fmt: skip


def test_duration_becomes_the_count_that_begins_within_it() -> None:
    flows = load("attachment: user\nflow: {period: [1ms, 10ms, 3ms], duration: 1s}").flows
    assert [flow.count for flow in flows] == [1000, 100, 334]


def test_all_problems_are_reported_at_once() -> None:
    assert problems(
        """\
attachment: [basline, ovss, {tap-bridge: {vhots: true}}, {macvtap: {vhost: 1}}, 3, [user], {user: }]
flow:
  period: 0
  count: 1000000000000
  size: 12
  perod: 1ms
  timeout: 500
  clock: realtime
  cpu: ~
load: [lots, {rate: 5M}, {streams: 2.5}]
guest: {memory: 1.5KiB}
instruments: [probe, probe, {ping: {count: [1, 2]}}, {netperf: {transactions: 1_000}}, sockperf]
repeat: -1
nme: x
"""
    ) == [
        'x.yaml:1:14: unknown attachment "basline". Did you mean "baseline"?',
        'x.yaml:1:23: unknown attachment "ovss". Did you mean "ovs"?',
        'x.yaml:1:43: unknown key "vhots" in tap-bridge. Did you mean "vhost"?',
        'x.yaml:1:76: macvtap.vhost cannot be "1". Known: auto, on, off.',
        f'x.yaml:1:81: attachment is a word, or a word with options, not the number "3". Known: {KNOWN}.',
        "x.yaml:1:84: a list inside the list of attachment. Write all values in one list.",
        "x.yaml:1:93: user has no options here. Write `user` without the colon.",
        'x.yaml:3:11: flow.period is at least 1us, not "0"',
        'x.yaml:4:10: flow.count is at most 10000000000, not "1000000000000"',
        'x.yaml:5:9: flow.size is at least 96B, not "12"',
        'x.yaml:6:3: unknown key "perod" in flow. Did you mean "period"?',
        'x.yaml:7:12: flow.timeout: a duration needs a unit: "500". Write 500us or 500ms or 500s.',
        'x.yaml:8:10: flow.clock cannot be "realtime". Known: tai, monotonic.',
        "x.yaml:9:8: flow.cpu has no value. Write `none`, or leave the key out.",
        'x.yaml:10:8: load is none or a mapping of options, not "lots". '
        "Write `none`, or options such as {streams: 3, protocol: udp}.",
        'x.yaml:10:21: load.rate: not a unit of a rate: "5M". Write 5Mbit.',
        'x.yaml:10:36: load.streams is a whole number, not "2.5"',
        'x.yaml:11:17: guest.memory: "1.5KiB" is not a whole number of MiB. Write such as 192MiB.',
        "x.yaml:12:22: probe stands in instruments twice. Name each instrument once.",
        "x.yaml:12:44: ping.count is one value, not a list. "
        "Only attachment, load, flow, nic, guest and timing take lists.",
        'x.yaml:12:79: netperf.transactions is a whole number, not "1_000". Write 1000.',
        'x.yaml:12:88: unknown instrument "sockperf". Known: probe, netperf, ping.',
        'x.yaml:13:9: repeat is at least 1, not "-1"',
        'x.yaml:14:1: unknown key "nme" in the scenario. Did you mean "name"?',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- user", "x.yaml:1:1: a scenario is a mapping of keys, not a list. Its keys: name, description, attachment, "
                   "load, flow, nic, guest, timing, instruments, repeat, reuse-guest."),
        ("attachment: existing", "x.yaml:1:13: existing.ssh is missing"),
        ("attachment: {existing: {ssh: -oProxyCommand=x}}",
         "x.yaml:1:24: existing: ssh is not whom ssh could reach: write NAME, USER@HOST, or ssh://USER@HOST:PORT"),
        ("attachment: {existing: {ssh: a, address: fe80::1}}", "x.yaml:1:24: existing: address is not an IPv4 address"),
        ("attachment: {existing: {ssh: a, nic: a/b}}", "x.yaml:1:24: existing: nic is not the name of an interface"),
        ("attachment: user\nguest: {ssh-user: -l}", "x.yaml:2:8: guest: ssh-user is not the name of a user"),
        ("attachment: user\nguest: {image: \"a\\tb\"}", "x.yaml:2:8: guest: image is not the path of a file"),
        ("{}", f"x.yaml:1:1: attachment is missing. Known: {KNOWN}."),
        ("attachment: []", "x.yaml:1:13: attachment is an empty list. Give at least one value."),
        ("attachment:", "x.yaml:1:12: attachment is a word, or a word with options, not nothing. "
                        f"Known: {KNOWN}."),
        ("attachment: {user: {}, macvtap: {}}", "x.yaml:1:13: a mapping in attachment has exactly one key, not 2. "
                                                "Write a list: [{user: ...}, {macvtap: ...}]."),
        ("attachment: [user, user]", "x.yaml:1:20: attachment has the same value twice. "
                                     "To measure it more often, use `repeat`."),
        ("attachment: user\nflow: {period: [1ms, 1000us]}", "x.yaml:2:22: flow.period has the same value twice. "
                                                            "To measure it more often, use `repeat`."),
        ("attachment: user\nflow: {count: 5, duration: 1s}", "x.yaml:2:18: flow has both count and duration. "
                                                             "Leave one of them out."),
        ("attachment: user\nflow: {period: 60s, count: 1000000}", "x.yaml:2:7: flow: 1000000 packets every 1min last "
                                                                  "694 days; the most is 31"),
        ("attachment: user\nload:", "x.yaml:2:6: load has no value. Give it options, or leave it out."),
        ("attachment: user\nname: 2022", 'x.yaml:2:7: name is text, not the number "2022". '
                                         'Write it in quotes: "2022".'),
        ('attachment: user\nname: "a\\nb"', "x.yaml:1:1: name is one line of printable text"),
        ("attachment: user\nrepeat: [1, 2]", "x.yaml:2:9: repeat is one value, not a list. "
                                             "Only attachment, load, flow, nic, guest and timing take lists."),
        ("attachment: user\nflow: {count: " + "9" * 5000 + "}", "x.yaml:2:15: flow.count: a number of 5000 digits"),
    ],
)  # fmt: skip
def test_one_problem(text: str, message: str) -> None:
    assert problems(text) == [message]


def test_too_many_points_are_refused_before_they_are_made() -> None:
    many = ",".join(str(n) for n in range(100, 300))
    assert problems(f"attachment: user\nflow: {{count: [{many}], size: [{many}]}}") == [
        "x.yaml:2:7: flow multiplies into 40000 combinations; the most is 10000. Shorten its lists."
    ]
    assert problems(f"attachment: user\nrepeat: 51\nflow: {{count: [{many}]}}") == [
        "x.yaml:1:1: the scenario multiplies into 10200 points; the most is 10000. Shorten its lists."
    ]
    assert len(load(f"attachment: user\nrepeat: 50\nflow: {{count: [{many}]}}").flows) == 200


def test_a_file_of_mistakes_does_not_flood_the_screen() -> None:
    lines = [f"key{n}: 1" for n in range(1000)]
    assert len(problems("\n".join(lines))) == 100


def test_one_cause_in_many_combinations_is_one_problem() -> None:
    assert problems("attachment: user\nflow: {period: 60s, count: 1000000, size: [100, 200], vlan: [none, 2]}") == [
        "x.yaml:2:7: flow: 1000000 packets every 1min last 694 days; the most is 31"
    ]
