# SPDX-License-Identifier: Apache-2.0
"""What a bench cannot do is left out of the plan with its reason; when nothing is left, that is an error that helps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latlab import attachment, obstacles
from latlab.bench.site import Site
from latlab.errors import BenchError
from latlab.needs.host import HostFacts
from latlab.obstacles import able_plan
from latlab.rehearsal import rehearsed_site
from latlab.scenario.bench_model import Addresses, LocalBench
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.plan import Plan, make_plan
from tests.attachment.test_golden import KERNEL
from tests.needs.facts import ABLE, without_nodes

NO_VHOST = replace(without_nodes(ABLE, "/dev/vhost-net"), modules=ABLE.modules - {"vhost_net", "8021q"})
SITE = rehearsed_site("local", Addresses(), KERNEL, nic="eth0", peer_nic="eth1")


def able(text: str, facts: HostFacts, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, Plan]:
    """The whole plan, and what is left of it on such a machine."""
    whole = make_plan(scenario_from_bytes(text.encode(), "x.yaml"), LocalBench())

    def facts_of(site: Site, kinds: object) -> HostFacts:
        assert site is SITE
        return facts

    monkeypatch.setattr(obstacles, "site_facts", facts_of)
    return whole, able_plan(whole, SITE)


def test_on_a_bench_that_has_everything_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # A guest that runs already needs a NIC that is there already.
    text = f"attachment: [{', '.join(kind for kind in attachment.KINDS if kind != 'existing')}]"
    whole, left = able(text, ABLE, monkeypatch)
    assert left == whole


def test_one_attachment_that_cannot_be_had_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "attachment: [tap-bridge: {vhost: [on, off]}, baseline]\nrepeat: 2"
    whole, left = able(text, NO_VHOST, monkeypatch)
    assert [p.label for p in whole.points if p.point.attachment.kind == "baseline"] == [
        p.label for p in left.points if p.point.attachment.kind == "baseline"
    ]
    assert [p.number for p in left.points] == [1, 2, 3, 4]
    assert {p.label for p in left.left_out} == {
        "tap-bridge vhost=on, no load",
        "tap-bridge vhost=on, no load, run 2",
    }
    assert left.left_out[0].reason == "/dev/vhost-net: kernel 6.12.1-test was built without CONFIG_VHOST_NET"
    assert left.seconds == pytest.approx(whole.seconds - sum(p.seconds for p in whole.points[:2]))
    assert left.bytes == whole.bytes * 4 // 6


def test_nothing_left_is_an_error_with_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match=r"/dev/vhost-net: kernel .* was built without") as caught:
        able("attachment: [tap-bridge: {vhost: on}, macvtap: {vhost: on}]", NO_VHOST, monkeypatch)
    assert caught.value.message.count("/dev/vhost-net") == 1
    assert caught.value.hint == "latlab run SCENARIO --bench emulated"


def test_a_vlan_needs_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    _, left = able("attachment: baseline\nnic: {vlan: [none, 5]}", NO_VHOST, monkeypatch)
    assert len(left.points) == 1
    assert [p.reason for p in left.left_out] == ["module 8021q: kernel 6.12.1-test was built without CONFIG_VLAN_8021Q"]
