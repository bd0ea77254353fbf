# SPDX-License-Identifier: Apache-2.0
"""What a run records of a machine."""

from __future__ import annotations

from latlab.bench import snapshot
from tests.canned import CannedHost


def test_a_machine_s_facts() -> None:
    host = CannedHost(
        {
            "sysctl -e " + " ".join(snapshot.SYSCTLS): "net.ipv4.ip_forward = 0\nkernel.sched_rt_runtime_us = 950000\n",
            "cat /proc/cmdline": "quiet isolcpus=1\n",
            "ip -j netns list": [{"name": "b", "id": 1}, {"name": "a"}],
            "cat /proc/loadavg": "0.1 0.2 0.3 1/2 3\n",
        }
    )
    assert snapshot.machine(host) == {
        "kernel": "6.12.1",
        "cpus": 2,
        "command_line": "quiet isolcpus=1",
        "sysctls": {"net.ipv4.ip_forward": "0", "kernel.sched_rt_runtime_us": "950000"},
        "namespaces": ["a", "b"],
        "load_average": "0.1 0.2 0.3 1/2 3",
    }


def test_no_namespace_is_no_text_at_all() -> None:
    assert snapshot.machine(CannedHost({"ip -j netns list": ""}))["namespaces"] == []


def test_a_network_s_interfaces_and_qdiscs() -> None:
    host = CannedHost({"ip -j -d addr show": [{"ifname": "lo"}], "tc -j qdisc show": [{"kind": "noqueue"}]})
    assert snapshot.network(host) == {"interfaces": [{"ifname": "lo"}], "qdiscs": [{"kind": "noqueue"}]}


def test_what_cannot_be_read_is_recorded_as_that() -> None:
    host = CannedHost({"tc -j qdisc show": 'Object "qdisc" is unknown'})
    assert "unknown" in snapshot.network(host)["qdiscs"]["not readable"]
