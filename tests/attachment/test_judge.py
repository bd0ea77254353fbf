# SPDX-License-Identifier: Apache-2.0
"""Evidence: counters must have grown by the packets that went the way, facts must hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.attachment.common import load_module, modules_needed, vhost_wanted
from latlab.attachment.wiring import Evidence, judge, judge_facts
from latlab.errors import BenchError
from tests.canned import CannedHost

names = st.text("abc", min_size=1, max_size=3)
counts = st.integers(0, 2**64 - 1)


@given(
    counters=st.dictionaries(names, st.tuples(counts, counts)),
    facts=st.dictionaries(names, st.booleans()),
    packets=st.integers(0, 10**12),
)
def test_each_counter_and_fact_is_judged_by_itself(
    counters: dict[str, tuple[int, int]], facts: dict[str, bool], packets: int
) -> None:
    before = Evidence({name: a for name, (a, _) in counters.items()})
    after = Evidence({name: b for name, (_, b) in counters.items()}, facts)
    findings = judge(before, after, packets=packets, when="flow") + judge_facts(after)
    assert [f.ok for f in findings] == [b - a >= packets for a, b in counters.values()] + list(facts.values())
    assert [f.what for f in findings] == [*(f"flow: {name}" for name in counters), *facts]


def test_a_counter_that_stood_still_disproves_the_way() -> None:
    (finding,) = judge(Evidence({"tap": 5}), Evidence({"tap": 5}), packets=1, when="flow")
    assert not finding.ok
    assert (finding.before, finding.after, finding.rule) == (5, 5, "grows by 1 or more")


@given(packets=st.integers(0, 10**9), stray=st.integers(0, 10**9))
def test_a_way_not_to_be_taken_counts_strays_at_most(packets: int, stray: int) -> None:
    (finding,) = judge(
        Evidence({}, still={"bridge": 7}), Evidence({}, still={"bridge": 7 + stray}), packets=packets, when="flow"
    )
    assert finding.ok is (stray <= packets // 10 + 2)
    assert finding.what == "flow: bridge"


def test_packets_on_the_wrong_way_disprove_the_run() -> None:
    (finding,) = judge(Evidence({}, still={"bridge": 0}), Evidence({}, still={"bridge": 100}), packets=100, when="flow")
    assert (finding.ok, finding.rule) == (False, "grows by 12 at most")


class Forgetful(CannedHost):
    """One whose undo journal can be told that a change was not made."""

    @property
    def undo(self) -> Any:
        return SimpleNamespace(forget=self.afterwards.pop)

    @undo.setter
    def undo(self, _: object) -> None:
        pass


@pytest.mark.parametrize(
    ("wanted", "there", "got"), [("auto", True, True), ("auto", False, False), ("off", True, False), ("on", True, True)]
)
def test_vhost_is_used_where_it_is(wanted: str, there: bool, got: bool) -> None:
    host = CannedHost({} if there else {"test -c /dev/vhost-net": 1})
    assert vhost_wanted(host, wanted) is got  # type: ignore[arg-type]


def test_vhost_that_must_be_and_is_not() -> None:
    with pytest.raises(BenchError, match="there is no /dev/vhost-net") as caught:
        vhost_wanted(CannedHost({"test -c /dev/vhost-net": 1}), "on")
    assert "modprobe vhost_net" in caught.value.hint


SHOW_DEPENDS = """insmod /lib/modules/6.12.1/kernel/lib/libcrc32c.ko
builtin nf_defrag
insmod /lib/modules/6.12.1/kernel/net/netfilter/nf_conntrack.ko.xz
insmod /lib/modules/6.12.1/kernel/net/netfilter/nf-nat.ko.xz
insmod /lib/modules/6.12.1/kernel/net/openvswitch/openvswitch.ko.xz
"""


def test_modules_are_named_in_the_order_of_their_loading() -> None:
    assert modules_needed(SHOW_DEPENDS) == ["libcrc32c", "nf_conntrack", "nf_nat", "openvswitch"]
    assert modules_needed("") == []


def test_a_module_goes_again_with_those_that_came_with_it_and_no_others() -> None:
    host = CannedHost({
        "test -d /sys/module/openvswitch": 1, "modprobe --show-depends openvswitch": SHOW_DEPENDS,
        "cat /proc/modules": "libcrc32c 12288 1 xfs, Live 0x0000000000000000\nxfs 1 0 - Live 0x0\n",
    })  # fmt: skip
    load_module(host, "openvswitch")
    assert host.asked[-1] == "modprobe openvswitch"
    (undo,) = host.afterwards
    assert undo.endswith("sh openvswitch nf_nat nf_conntrack")


def test_a_module_that_is_there_stays() -> None:
    host = CannedHost({})
    load_module(host, "openvswitch")
    assert host.asked == ["test -d /sys/module/openvswitch"]
    assert host.afterwards == []


def test_a_module_that_the_kernel_lacks() -> None:
    answers = {"test -d /sys/module/ip_fish": 1, "modprobe ip_fish": 1}
    with pytest.raises(BenchError, match="has no module ip_fish"):
        load_module(Forgetful(answers), "ip_fish")
    host = Forgetful(answers)
    load_module(host, "ip_fish", optional=True)
    assert host.afterwards == []
