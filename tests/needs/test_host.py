# SPDX-License-Identifier: Apache-2.0
"""Reading a host's facts: few commands, and whatever they print is no more than a fact that is missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from latlab.hosts.host import Result
from latlab.hosts.look import Node, find_nodes, find_paths, on_host, on_this_machine, read_files
from latlab.needs import limits, missing, wanted
from latlab.needs.host import GROUPS, HostFacts, Wanted, look
from latlab.needs.kernel import Module
from tests.needs.facts import KERNEL, Told, attachments_needs

ALL = tuple(need for value in attachments_needs().values() for need in value)
PCI = "../../../0000:03:00.0"


def looked(here: Told, wanted: Wanted, nic: str = "") -> HostFacts:
    return look(on_host(here), wanted, bench="local", kernel=KERNEL, machine="x86_64", uid=0, nic=nic)


def test_programs_modules_and_files() -> None:
    lists = f"/lib/modules/{KERNEL}/modules.dep /lib/modules/{KERNEL}/modules.builtin"
    here = Told(
        files={"/proc/cmdline": "quiet", "/etc/os-release": 'ID=ubuntu\nID_LIKE="debian"'},
        nodes={
            "/usr/sbin/ip": Node("f", "/bin/ip"),
            "/usr/bin/broken": Node("N", "/nowhere"),
            "/sys/module/bridge": Node("d"),
            f"/boot/config-{KERNEL}": Node("f"),
        },
        said={
            "which broken absent elsewhere": "/opt/bin/elsewhere\n",
            rf"grep -ohsE ^[^:]*/(bridge|vfio[-_]pci|tun)\.ko {lists}": "kernel/drivers/vfio/pci/vfio-pci.ko\n",
            f"grep -hsE ^(CONFIG_NET|CONFIG_MODULES|CONFIG_TUN)= /boot/config-{KERNEL}": "CONFIG_NET=y\nCONFIG_TUN=m\n",
        },
    )
    look_at = Wanted(programs=("ip", "broken", "absent", "elsewhere"), modules=("bridge", "vfio_pci", "tun"))
    facts = looked(here, look_at)
    assert facts.programs == {"ip", "elsewhere"}
    assert facts.modules == {"bridge", "vfio_pci"}
    assert facts.options == {"CONFIG_NET": "y", "CONFIG_TUN": "m"}
    assert facts.text("/proc/cmdline") == "quiet"
    assert facts.text("/absent") == ""
    assert facts.distribution == {"ubuntu", "debian"}


def test_a_nic_its_group_and_who_else_is_in_it() -> None:
    device = "/sys/class/net/eth1/device"
    here = Told(
        files={f"{device}/sriov_totalvfs": "7", f"{device}/sriov_numvfs": "2"},
        nodes={
            device: Node("d", PCI),
            f"{device}/subsystem": Node("d", "../../../bus/pci"),
            f"{device}/iommu_group": Node("d", "../../kernel/iommu_groups/7"),
            "/sys/class/net/eth1/queues/rx-0": Node("d"),
            "/sys/class/net/eth1/queues/rx-1": Node("d"),
            "/sys/class/net/eth1/queues/tx-0": Node("d"),
            f"{GROUPS}/7": Node("d"),
            f"{GROUPS}/7/devices/0000:03:00.0": Node("d", PCI),
            f"{GROUPS}/7/devices/0000:03:00.1": Node("d", "../0000:03:00.1"),
            f"{GROUPS}/8/devices/0000:04:00.0": Node("d", "../0000:04:00.0"),
            "/sys/bus/pci/drivers/ahci/0000:03:00.1": Node("d", "../../../0000:03:00.1"),
        },
        said={
            "ethtool -i eth1": "driver: igb\nversion: 6.12\n",
            "ethtool -l eth1": "Pre-set maximums:\nRX:\t\tn/a\nCombined:\t2\nCurrent settings:\nCombined:\t2\n",
        },
    )
    nic = looked(here, Wanted(), "eth1").nic
    assert nic is not None
    assert (nic.driver, nic.pci, nic.group) == ("igb", "0000:03:00.0", "7")
    assert nic.mates == {"0000:03:00.1": "ahci"}
    assert (nic.total_vfs, nic.vfs, nic.rx_queues, nic.queues_settable) == (7, 2, 2, True)


def test_a_virtual_nic_is_no_pci_device() -> None:
    device = "/sys/class/net/eth0/device"
    nodes = {device: Node("d", "../../../virtio2"), f"{device}/subsystem": Node("d", "../../../bus/virtio")}
    nic = looked(Told(nodes=nodes, said={"ethtool -i eth0": "driver: virtio_net\n"}), Wanted(), "eth0").nic
    assert nic is not None
    assert (nic.driver, nic.pci, nic.total_vfs, nic.queues_settable) == ("virtio_net", "", None, False)


def test_few_commands_whatever_is_wanted() -> None:
    """Each costs an emulated host some tens of milliseconds."""
    here = Told()
    looked(here, wanted(ALL), "eth0")
    assert len(here.asked) <= 10


def test_a_configuration_is_read_only_for_what_nothing_else_tells() -> None:
    nodes = {"/sys/module/tun": Node("d"), f"/boot/config-{KERNEL}": Node("f")}
    here = Told(nodes=nodes)
    assert looked(here, Module("tun").wanted).options is None
    assert not any(f"/boot/config-{KERNEL}" in argv and argv[0] == "grep" for argv in here.asked)


@given(st.data())
def test_whatever_programs_print_nothing_raises(data: st.DataObject) -> None:
    words = st.sampled_from(
        [
            "\0",
            "\n",
            "\t",
            ":",
            "/",
            "driver: ",
            "Combined:\t",
            "9" * 30,
            "-1",
            "CONFIG_NET=y",
            "ID=debian",
            "é",
            "r\tf\t",
        ]
    )
    text = st.lists(words | st.text(max_size=5), max_size=8).map("".join)

    def run(argv: Sequence[str]) -> Result:
        named = data.draw(st.sampled_from([*argv[1:], ""]), label="path")
        return Result(data.draw(st.integers(-9, 127)), f"{named}{data.draw(text)}", data.draw(text))

    facts = look(run, wanted(ALL), bench="local", kernel=KERNEL, machine="x86_64", uid=0, nic="eth0")
    for lacking in (*missing(ALL, facts), *(m for _, m in limits(ALL, facts))):
        assert lacking.command


def test_on_this_machine(tmp_path: Path) -> None:
    """The real programs, on real files: what is there, what links lead to, and what is closed."""
    (tmp_path / "text").write_text("first\nsecond\n")
    (tmp_path / "no-end").write_text("only")
    (tmp_path / "link").symlink_to("text")
    (tmp_path / "broken").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("text", "no-end", "link", "broken", "absent")]
    texts = read_files(on_this_machine, paths).texts
    assert texts == {paths[0]: "first\nsecond", paths[1]: "only", paths[2]: "first\nsecond"}
    nodes = find_nodes(on_this_machine, paths)
    assert nodes[paths[0]] == Node("f")
    assert nodes[paths[2]] == Node("f", "text")
    assert nodes[paths[3]] == Node("N", "nowhere", readable=False)
    assert paths[4] not in nodes
    assert set(find_nodes(on_this_machine, [f"{tmp_path}/"], depth=1)) > {paths[0]}
    assert find_paths(on_this_machine, str(tmp_path), [f"{tmp_path}/*-end", f"{tmp_path}/t*"], depth=1) == [
        paths[1],
        paths[0],
    ]


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = str(tmp_path / "secret")

    def run(argv: Sequence[str]) -> Result:
        return Result(2, "", f"grep: {argv[-1]}: Permission denied\ngrep: /other: Permission denied\n")

    assert read_files(run, [path]).closed == {path}


def test_a_program_that_is_not_there_is_no_error() -> None:
    assert on_this_machine(["latlab-no-such-program"]).exit_code == 127
    assert on_this_machine(["true"]).exit_code == 0
    assert f"{os.getuid()}" in on_this_machine(["id", "-u"]).stdout
