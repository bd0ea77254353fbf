# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch of our own: what it says is read as it is, what stands in its way is named, and it is told no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from latlab.attachment import openvswitch as ovs
from latlab.attachment import ovs_datapath, vhost_user
from latlab.errors import BenchError
from tests.canned import FACTS, CannedHost

# OVS 3.1.0 of Debian 12, with a vhost-user port whose guest is not there: the line's end is missing in the original.
USERSPACE = """netdev@ovs-netdev:
  lookups: hit:21 missed:7 lost:0
  flows: 7
  port 0: ovs-netdev (tap)
    RX packets:0 errors:0 dropped:0 overruns:0 frame:0
    TX packets:0 errors:0 dropped:0 aborted:0 carrier:0
    collisions:0
    RX bytes:0  TX bytes:0
  port 1: llvhost0 (dpdkvhostuserclient: configured_rx_queues=1, configured_tx_queues=1, mtu=0)
, could not retrieve stats (Protocol error)  port 2: eth0 (afxdp: n_rxq=1, xdp-mode=best-effort, xdp-mode-in-use=native)
    RX packets:11 errors:0 dropped:0 overruns:? frame:?
    TX packets:17 errors:0 dropped:0 aborted:? carrier:?
    collisions:?
    RX bytes:1040 (1.0 KiB)  TX bytes:1538 (1.5 KiB)
"""
KERNEL = """system@ovs-system:
  lookups: hit:4 missed:8 lost:0
  flows: 7
  masks: hit:28 total:4 hit/pkt:2.55
  caches:
    masks-cache: size:256
  port 0: ovs-system (internal)
    RX packets:0 errors:0 dropped:0 overruns:0 frame:0
    TX packets:0 errors:0 dropped:0 aborted:0 carrier:0
    collisions:0
    RX bytes:0  TX bytes:0
  port 1: lltap0
    RX packets:3 errors:0 dropped:0 overruns:0 frame:0
    TX packets:4 errors:0 dropped:0 aborted:0 carrier:0
"""
FDB = """ port  VLAN  MAC                Age
    2     0  52:54:00:a1:00:02    2
LOCAL     0  6e:4f:54:dc:94:4d    1
    1    77  52:54:00:a1:01:00    0
"""


def test_a_datapath_in_user_space() -> None:
    found = ovs_datapath.read_datapath(USERSPACE)
    assert (found.name, found.lookups) == ("netdev@ovs-netdev", 28)
    assert found.packets == {"ovs-netdev": (0, 0), "llvhost0": (0, 0), "eth0": (11, 17)}
    assert ovs_datapath.detail(found, "eth0", "xdp-mode-in-use") == "native"
    assert ovs_datapath.detail(found, "llvhost0", "xdp-mode-in-use") == ""
    assert found.counters("eth0") == {"datapath lookups": 28, "port eth0 rx packets": 11, "port eth0 tx packets": 17}
    # A port that is not there (any more) has counted nothing: evidence must say so, not fail.
    assert found.counters("gone")["port gone rx packets"] == 0


def test_a_datapath_in_the_kernel() -> None:
    found = ovs_datapath.read_datapath(KERNEL)
    assert (found.name, found.lookups) == ("system@ovs-system", 12)
    assert found.packets["lltap0"] == (3, 4)


def test_no_datapath() -> None:
    assert ovs_datapath.read_datapath("") == ovs_datapath.Datapath("", 0, {}, {})


@pytest.mark.parametrize(
    ("mac", "port"), [("52:54:00:a1:00:02", "2"), ("52:54:00:a1:01:00", "1"), ("52:54:00:a1:01:01", None)]
)
def test_what_a_bridge_has_learnt(mac: str, port: str | None) -> None:
    assert ovs_datapath.learnt(FDB, mac) == port


def answers(**programs: int) -> dict[str, Any]:
    return {f"sh -c 'command -v \"$0\"' {name.replace('_', '-')}": code for name, code in programs.items()}


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(BenchError, match="ovs-vswitchd is not installed") as caught:
        ovs.refuse_missing(CannedHost(answers(ovs_vswitchd=127)))
    assert "openvswitch-switch" in caught.value.hint


def test_no_build_with_dpdk() -> None:
    missing = {f"sh -c 'command -v \"$0\"' {vhost_user.PROGRAM}": 127}
    with pytest.raises(BenchError, match="no build of Open vSwitch with DPDK") as caught:
        vhost_user.program(CannedHost({**missing, "ovs-vswitchd --version": "ovs-vswitchd (Open vSwitch) 3.1.0\n"}))
    assert "openvswitch-switch-dpdk" in caught.value.hint
    with_dpdk = {**missing, "ovs-vswitchd --version": "ovs-vswitchd (Open vSwitch) 3.1.0\nDPDK 22.11.11\n"}
    assert vhost_user.program(CannedHost(with_dpdk)) == "ovs-vswitchd"
    assert vhost_user.program(CannedHost({})) == vhost_user.PROGRAM


@pytest.mark.parametrize(
    ("datapath", "found"),
    [
        (ovs.KERNEL, {"ovs-dpctl dump-dps": "system@ovs-system\n"}),
        (ovs.USERSPACE, {"ip -j link show": [{"ifname": "lo"}, {"ifname": "ovs-netdev"}]}),
    ],
)
def test_another_switch_s_datapath_is_left_alone(datapath: str, found: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match="in use by another Open vSwitch") as caught:
        ovs.refuse_second_datapath(CannedHost(found), datapath)
    assert "systemctl stop openvswitch-switch" in caught.value.hint


@pytest.mark.parametrize("datapath", [ovs.KERNEL, ovs.USERSPACE])
def test_a_switch_with_a_datapath_of_the_other_type_is_no_hindrance(datapath: str) -> None:
    other = {"ovs-dpctl dump-dps": "system@another\n", "ip -j link show": [{"ifname": "ovs-system"}]}
    ovs.refuse_second_datapath(CannedHost(other), datapath)


@pytest.mark.parametrize(
    ("cpus", "cpu", "sleep_ns", "chosen"),
    [
        (2, None, None, ovs.Polling(1, 100)),
        (2, None, 0, ovs.Polling(1, 0)),
        (2, 0, 50_000, ovs.Polling(0, 50)),
        (4, None, None, ovs.Polling(3, 0)),
        (4, 2, None, ovs.Polling(2, 0)),
    ],
)
def test_the_polling_thread_leaves_something_to_the_others(
    cpus: int, cpu: int | None, sleep_ns: int | None, chosen: ovs.Polling
) -> None:
    assert ovs.polling(CannedHost({}, facts=replace(FACTS, cpus=cpus)), cpu, sleep_ns) == chosen


def test_what_the_polling_thread_is_told() -> None:
    assert ovs.Polling(63, 0).settings == ["other_config:pmd-cpu-mask=0x8000000000000000"]
    # Named otherwise in OVS 3.1.
    assert ovs.Polling(0, 50).settings[1:] == ["other_config:pmd-sleep-max=50", "other_config:pmd-maxsleep=50"]


def test_a_polling_thread_on_no_cpu() -> None:
    with pytest.raises(BenchError, match="has no CPU 2 to poll on: its CPUs are 0 to 1"):
        ovs.polling(CannedHost({}), 2, None)


MEMINFO = "MemTotal: 2019060 kB\nHugePages_Total: {total}\nHugePages_Free: 0\nHugepagesize: {size} kB\n"


@pytest.mark.parametrize(("there", "size_kib", "then"), [(0, 2048, 128), (7, 2048, 135), (0, 262144, 1)])
def test_huge_pages_are_added_to_those_found(there: int, size_kib: int, then: int) -> None:
    host = CannedHost({
        "cat /proc/meminfo": MEMINFO.format(total=there, size=size_kib), "sysctl -n vm.nr_hugepages": f"{then}\n",
    })  # fmt: skip
    settings = vhost_user.dpdk(host, 256)
    assert f"sysctl -q -w vm.nr_hugepages={then}" in host.asked
    assert host.afterwards == [f"sysctl -q -w vm.nr_hugepages={there}"]
    assert "other_config:dpdk-socket-mem=256" in settings


def test_too_few_huge_pages() -> None:
    host = CannedHost({
        "cat /proc/meminfo": MEMINFO.format(total=0, size=2048), "sysctl -n vm.nr_hugepages": "90\n",
    })  # fmt: skip
    with pytest.raises(BenchError, match="only 90 of 128 huge pages of 2048 KiB could be reserved") as caught:
        vhost_user.dpdk(host, 256)
    assert "compact_memory" in caught.value.hint
    assert host.afterwards == ["sysctl -q -w vm.nr_hugepages=0"]


def test_memory_that_is_no_multiple_of_a_huge_page() -> None:
    host = CannedHost({"cat /proc/meminfo": MEMINFO.format(total=0, size=1048576)})
    with pytest.raises(BenchError, match="192 MiB are not a multiple of its huge pages of 1048576 KiB"):
        vhost_user.reserve(host, 192)
    assert host.afterwards == []


LOG = """2026-01-01T00:00:00.000Z|00001|vlog|INFO|opened log file /x/vswitchd.log
2026-01-01T00:00:01.000Z|00002|dpdk|ERR|EAL: no memory
2026-01-01T00:00:01.500Z|00003|timeval|WARN|Unreasonably long 1018ms poll interval
2026-01-01T00:00:02.000Z|00004|coverage|INFO|Event coverage
"""


def test_the_last_words_are_the_daemon_s_own() -> None:
    switch = ovs.Switch(CannedHost({"cat /tmp/latlab-0123456789abcdef-ovs/vswitchd.log": LOG}))
    assert len(switch.last_words().splitlines()) == 3
    assert switch.complaint("the port is missing") == "the port is missing: EAL: no memory"
    assert switch.complaint("no port", "Unreasonably") == "no port: EAL: no memory"
    assert ovs.Switch(CannedHost({})).complaint("the port is missing") == "the port is missing"


def test_a_switch_that_does_not_answer_runs_not() -> None:
    host = CannedHost({})
    ask = "ovs-appctl --timeout=10 --target=/tmp/latlab-0123456789abcdef-ovs/vswitchd.ctl version"
    assert ovs.Switch(host).running
    assert not ovs.Switch(CannedHost({ask: 1})).running
    assert host.asked == [ask]
