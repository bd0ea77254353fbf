# SPDX-License-Identifier: Apache-2.0
"""What differs between the environments of runs is told; what is the same, or only counts, is not."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.store.document import RunDocument
from latlab.store.environment_diff import ABSENT, EnvironmentDifference, environment_diff
from tests.runs_maker import POINT, run

MACHINE: dict[str, Any] = {
    "kernel": "6.12.94",
    "cpus": 4,
    "command_line": "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 quiet isolcpus=2",
    "sysctls": {"net.core.busy_poll": "0"},
    "namespaces": ["peer"],
    "load_average": "0.10 0.20 0.30 1/99 1234",
    "interfaces": [
        {"ifindex": 2, "ifname": "eth0", "mtu": 1500, "address": "52:54:00:00:00:01", "num_tx_queues": 4},
        {"ifindex": 9, "ifname": "veth1a2b", "mtu": 1500, "linkinfo": {"info_kind": "veth"}},
    ],
    "qdiscs": [{"kind": "mq", "handle": "8001:", "dev": "eth0", "root": True, "refcnt": 5, "options": {}},
               {"kind": "fq_codel", "handle": "0:", "dev": "eth0", "parent": "8001:1", "options": {"limit": 10240}}],
}  # fmt: skip


def made(tmp_path: Path, name: str, machine: dict[str, Any] | None = None, **values: Any) -> tuple[Path, RunDocument]:
    folder = tmp_path / name
    folder.mkdir()
    if machine is not None:
        (folder / "env-before.json").write_text(json.dumps({"hypervisor": machine, "peer": {}}))
    return folder, run(0, {}, **values)


def changed(**values: Any) -> dict[str, Any]:
    return deepcopy(MACHINE) | values


def test_the_same_machine_on_another_day_differs_in_nothing(tmp_path: Path) -> None:
    later = changed(load_average="9 9 9 1/99 77", namespaces=["peer", "x"])
    later["interfaces"] = [
        {"ifindex": 5, "ifname": "eth0", "mtu": 1500, "address": "52:54:00:00:00:99", "num_tx_queues": 4},
        {"ifindex": 3, "ifname": "veth9f9f", "mtu": 1500, "linkinfo": {"info_kind": "veth"}},
    ]
    later["qdiscs"][0] |= {"handle": "8005:", "refcnt": 9}
    later["qdiscs"][1] |= {"parent": "8005:1"}
    assert environment_diff([made(tmp_path, "a", MACHINE)], [made(tmp_path, "b", later)]) == []


def test_only_what_differs_is_told(tmp_path: Path) -> None:
    other = changed(command_line="BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 isolcpus=2,3", firmware="1.2")
    other["sysctls"] = {"net.core.busy_poll": "50"}
    other["interfaces"][0]["mtu"] = 9000
    other["qdiscs"] = [{"kind": "taprio", "handle": "100:", "dev": "eth0", "root": True, "options": {"base-time": 0}}]
    a = made(tmp_path, "a", MACHINE, versions={"latlab": "0.1", "kernel of the hypervisor": "6.12.94"},
             env={"sender": {"sent": 5, "cpu": 2, "scheduler": "SCHED_FIFO 80"},
                  "guest": {"modules": ["tun", "vhost"]}})  # fmt: skip
    b = made(tmp_path, "b", other, versions={"latlab": "0.1", "kernel of the hypervisor": "6.12.95"},
             env={"sender": {"sent": 9, "cpu": 3, "scheduler": "SCHED_FIFO 80"}, "guest": {"modules": ["tun"]}},
             attachment="macvtap", point=POINT | {"attachment": {"kind": "macvtap"}})  # fmt: skip
    found = environment_diff([a], [b])
    assert [(each.section, each.name, *each.a, *each.b) for each in found] == [
        ("point", "attachment.kind", "tap-bridge", "macvtap"),
        ("firmware", "hypervisor firmware", ABSENT, "1.2"),
        ("kernel", "kernel of the hypervisor", "6.12.94", "6.12.95"),
        ("arguments", "hypervisor isolcpus", "2", "2,3"),
        ("arguments", "hypervisor quiet", "set", ABSENT),
        ("sysctls", "hypervisor net.core.busy_poll", "0", "50"),
        ("interfaces", "hypervisor eth0 mtu", "1500", "9000"),
        ("qdiscs", "hypervisor eth0 parent :1", "fq_codel limit 10240", ABSENT),
        ("qdiscs", "hypervisor eth0 root", "mq", "taprio base-time 0"),
        ("affinity", "sender cpu", "2", "3"),
        ("guest", "modules vhost", "yes", ABSENT),
    ]


def test_runs_of_one_side_that_differ_among_themselves_show_all_values(tmp_path: Path) -> None:
    a = [made(tmp_path, f"a{n}", versions={"qemu": f"10.{n}"}) for n in (0, 1)]
    b = [made(tmp_path, "b", versions={"qemu": "10.1"})]
    assert environment_diff(a, b) == [EnvironmentDifference("versions", "qemu", ("10.0", "10.1"), ("10.1",))]
    assert environment_diff(a, [*a]) == []


def test_a_run_that_shared_a_set_up_has_the_environment_of_the_first(tmp_path: Path) -> None:
    first = made(tmp_path, "first", MACHINE)
    second = made(tmp_path, "second", env={"reused": "attachment and guests of first"})
    other = made(tmp_path, "other", changed(cpus=8))
    (told,) = environment_diff([first, second], [other])
    assert (told.name, told.a, told.b) == ("hypervisor cpus", ("4",), ("8",))


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"hypervisor": 3}', b"\xff\xfe"])
def test_a_file_that_tells_nothing_makes_no_difference(tmp_path: Path, content: bytes | None) -> None:
    a, b = made(tmp_path, "a", MACHINE), made(tmp_path, "b")
    if content is not None:
        (b[0] / "env-before.json").write_bytes(content)
    assert environment_diff([a], [b]) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("ifname", "linkinfo", "mtu", "dev", "kind", "root", "parent", "options")
TABLES = st.lists(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8), max_size=3) | JSON
FACTS = st.fixed_dictionaries(
    {}, optional={"interfaces": TABLES, "qdiscs": TABLES, "sysctls": JSON, "command_line": JSON, "x": JSON}
)


@given(FACTS, FACTS, st.dictionaries(st.sampled_from(["sender", "guest", "attachment", "y"]), JSON))
def test_whatever_the_files_hold_each_run_is_like_itself(
    tmp_path_factory: pytest.TempPathFactory, one: Any, other: Any, env: dict[str, Any]
) -> None:
    tmp_path = tmp_path_factory.mktemp("env")
    a, b = made(tmp_path, "a", one, env=env), made(tmp_path, "b", other)
    assert environment_diff([a], [a]) == []
    there, back = environment_diff([a], [b]), environment_diff([b], [a])
    assert [(each.section, each.name, each.a, each.b) for each in there] == [
        (each.section, each.name, each.b, each.a) for each in back
    ]
