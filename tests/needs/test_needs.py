# SPDX-License-Identifier: Apache-2.0
"""Every need is judged by what was seen: ready, or what is missing, why, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latlab import attachment
from latlab.attachment import needs
from latlab.attachment.needs import BENCH, VHOST
from latlab.needs import EMULATED, Missing, Need, limits, missing, wanted
from latlab.needs.host import GROUPS, HostFacts, Nic
from latlab.needs.kernel import Device, KernelOption, Module
from latlab.needs.machine import Hugepages, Linked, Memlock, Privilege, Program
from latlab.needs.nic import TABLES, GuestDriver, Iommu, NativeXdp, OwnGroup, PciNic, Queues, SrIov
from latlab.scenario.attachments import Macvtap, TapBridge
from tests.needs.facts import ABLE, IGB, KERNEL, attachments_needs, without_files, without_nodes

EVERY = attachments_needs()
VETH = Nic("llnic0", "veth")
GRUB = "sudo update-grub && sudo reboot"


@pytest.mark.parametrize("name", EVERY)
def test_a_machine_that_has_everything_is_ready(name: str) -> None:
    assert missing(EVERY[name], ABLE) == []
    assert list(limits(EVERY[name], ABLE)) == []


@pytest.mark.parametrize("name", EVERY)
def test_a_machine_that_has_nothing_says_why_and_what_mends_it(name: str) -> None:
    """Each once, in one clause, and none of it raises."""
    nothing = HostFacts("local", KERNEL, uid=1000, options={"CONFIG_NET": "y"}, nic=VETH)
    found = missing(EVERY[name], nothing)
    assert len(set(found)) == len(found)
    for lacking in found:
        assert lacking.what
        assert lacking.why
        assert "\n" not in f"{lacking}{lacking.command}"
        assert lacking.command


def test_every_attachment_says_what_it_needs() -> None:
    for kind, module in attachment.KINDS.items():
        assert all(isinstance(need, Need) for need in module.NEEDS), kind


def judged(need: Need, facts: HostFacts) -> tuple[str, str, str]:
    found = need.missing(facts)
    assert found is not None
    return found.what, found.why, found.command


def test_a_module() -> None:
    built_in = replace(ABLE, modules=frozenset(), options={"CONFIG_TUN": "y"})
    absent = replace(ABLE, modules=frozenset(), options={"CONFIG_NET": "y"})
    uninstalled = replace(ABLE, modules=frozenset(), options={"CONFIG_TUN": "m"})
    assert Module("tun").missing(built_in) is None
    why = f"kernel {KERNEL} was built without CONFIG_TUN"
    assert judged(Module("tun"), absent) == ("module tun", why, EMULATED)
    assert "as a module, which is not installed" in judged(Module("tun"), uninstalled)[1]
    nowhere = without_nodes(uninstalled, f"/lib/modules/{KERNEL}")
    assert f"/lib/modules/{KERNEL} is not there" in judged(Module("tun"), nowhere)[1]
    unknown = replace(absent, options=None)
    assert judged(Module("tun"), unknown)[1] == f"kernel {KERNEL} does not have it"
    assert "CONFIG_VLAN_8021Q" in judged(Module("8021q"), absent)[1]


def test_where_another_kernel_is_to_be_had() -> None:
    absent = replace(ABLE, modules=frozenset(), options={"CONFIG_NET": "y"})
    ubuntu = without_files(replace(absent, kernel="6.8.0-31-generic"), os_release="ID=ubuntu\nID_LIKE=debian\n")
    cloud = replace(absent, kernel="6.1.0-21-cloud-amd64")
    assert judged(Module("tun"), replace(absent, bench="emulated"))[2] == "scripts/setup kernel"
    assert judged(Module("tun"), ubuntu)[2] == "sudo apt install linux-modules-extra-6.8.0-31-generic"
    assert judged(Module("tun"), cloud)[2] == "sudo apt install linux-image-amd64 && sudo reboot"


def test_a_device() -> None:
    need = Device("/dev/vhost-net", "vhost_net")
    to_be_loaded = without_nodes(ABLE, "/dev/vhost-net")
    assert need.missing(to_be_loaded) is None
    absent = replace(to_be_loaded, modules=frozenset())
    assert judged(need, absent)[:2] == ("/dev/vhost-net", f"kernel {KERNEL} was built without CONFIG_VHOST_NET")
    container = replace(absent, options={"CONFIG_VHOST_NET": "y"})
    assert "a container?" in judged(need, container)[1]


def test_a_kernel_option() -> None:
    need = KernelOption("CONFIG_XDP_SOCKETS", "AF_XDP", protocol="XDP")
    not_set = replace(ABLE, options={"CONFIG_NET": "y"})
    assert need.missing(not_set) is None, "/proc/net/protocols shows it"
    absent = without_files(not_set, protocols="protocol  size\nUDP  1472  3\n")
    assert judged(need, absent) == ("AF_XDP", f"kernel {KERNEL} was built without CONFIG_XDP_SOCKETS", EMULATED)
    assert judged(need, replace(absent, options=None))[0] == "AF_XDP"
    unseen = replace(ABLE, options=None, files={})
    assert need.missing(unseen) is None, "what cannot be seen is left to the attempt"


def test_a_program() -> None:
    need = Program("ovs-vswitchd", "openvswitch-switch", "openvswitch-switch")
    absent = replace(ABLE, programs=frozenset())
    what, why, command = judged(need, absent)
    assert (what, why) == ("program ovs-vswitchd", "not installed")
    assert command == (
        "sudo apt install --no-install-recommends openvswitch-switch && sudo systemctl disable --now openvswitch-switch"
    )
    fedora = without_files(absent, os_release="ID=fedora\n")
    assert judged(need, fedora)[2] == "install what this distribution calls openvswitch-switch"


def test_a_program_built_without_a_library() -> None:
    need = Linked("ovs-vswitchd", "libxdp.so", "AF_XDP in OVS", "openvswitch-switch")
    assert need.missing(replace(ABLE, linked={})) is None, "a static one, or one that is not there"
    other = replace(ABLE, linked={"ovs-vswitchd": frozenset(("libc.so.6",))})
    assert judged(need, other)[1] == "ovs-vswitchd here was built without libxdp.so"


def test_root() -> None:
    user = replace(ABLE, uid=1000)
    assert judged(Privilege(), user)[2] == "sudo latlab run SCENARIO --bench local"
    assert Privilege().missing(replace(user, bench="emulated")) is None


def test_locked_memory() -> None:
    """A limit binds root only where a container took its capability."""
    contained = without_files(ABLE, status="CapEff:\t00000000a80425fb\n")
    assert judged(Memlock(320), contained)[2] == "ulimit -l unlimited"
    assert Memlock(320).missing(replace(contained, uid=1000)) is None
    plenty = without_files(contained, limits="Max locked memory         unlimited            unlimited   bytes\n")
    assert Memlock(320).missing(plenty) is None


def test_huge_pages() -> None:
    scarce = "MemFree:  100000 kB\nHugePages_Free:  {}\nHugepagesize:  2048 kB\n"
    what, why, command = judged(Hugepages(512), without_files(ABLE, meminfo=scarce.format(3)))
    assert (what, why) == ("huge pages", "6 MiB of them are free, and 512 MiB are needed")
    assert command == "sudo sysctl vm.nr_hugepages=256"
    assert Hugepages(512).missing(without_files(ABLE, meminfo=scarce.format(256))) is None
    without = without_files(ABLE, filesystems="nodev\tproc\n")
    assert "CONFIG_HUGETLBFS" in judged(Hugepages(512), without)[1]


def test_a_nic_that_is_no_device() -> None:
    what, why, command = judged(PciNic(), replace(ABLE, nic=VETH))
    assert (what, command) == ("a PCI NIC", EMULATED)
    assert "is a veth" in why


def no_iommu(**texts: str) -> HostFacts:
    facts = without_nodes(ABLE, f"{GROUPS}/7")
    return without_files(replace(facts, nic=replace(IGB, group="")), **texts)


def test_no_iommu_and_whose_doing_it_is() -> None:
    """The kernel's, its arguments', the firmware's, or the platform's."""
    kernel = replace(no_iommu(), options={"CONFIG_NET": "y"})
    assert "built without CONFIG_INTEL_IOMMU or CONFIG_AMD_IOMMU" in judged(Iommu(), kernel)[1]
    argument = judged(Iommu(), no_iommu(cmdline="quiet"))
    assert argument[1] == "the kernel argument intel_iommu=on is not set"
    assert "intel_iommu=on" in argument[2]
    assert argument[2].endswith(GRUB)
    switched_off = judged(Iommu(), no_iommu(cmdline="intel_iommu=off"))
    assert "switched off by the kernel argument intel_iommu=off" in switched_off[1]
    assert "VT-d or AMD-Vi is off" in judged(Iommu(), without_nodes(no_iommu(), f"{TABLES}/DMAR"))[1]
    arm = replace(no_iommu(), machine="aarch64", options={"CONFIG_NET": "y", "CONFIG_ARM_SMMU_V3": "y"})
    assert "the platform has none" in judged(Iommu(), arm)[1]
    uncovered = replace(ABLE, nic=replace(IGB, group=""))
    assert judged(Iommu(), uncovered)[1] == "it does not cover eth1 (0000:03:00.0)"


def test_a_group_that_others_use() -> None:
    harmless = replace(IGB, mates={"0000:00:01.0": "pcieport", "0000:03:00.1": "vfio-pci", "0000:03:00.2": ""})
    assert OwnGroup().missing(replace(ABLE, nic=harmless)) is None
    used = replace(IGB, mates={"0000:00:1f.3": "snd_hda_intel"})
    _, why, command = judged(OwnGroup(), replace(ABLE, nic=used))
    assert why == "eth1's group 7 also holds 0000:00:1f.3 (snd_hda_intel)"
    assert command == "echo 0000:00:1f.3 | sudo tee /sys/bus/pci/drivers/snd_hda_intel/unbind"


@pytest.mark.parametrize(
    ("total", "option", "why"),
    [
        (None, "y", "it has no SR-IOV"),
        (0, "y", "its firmware allows no virtual functions"),
        (None, "n", "CONFIG_PCI_IOV"),
    ],
)
def test_no_virtual_functions(total: int | None, option: str, why: str) -> None:
    facts = replace(ABLE, nic=replace(IGB, total_vfs=total), options={"CONFIG_NET": "y", "CONFIG_PCI_IOV": option})
    assert why in judged(SrIov(), facts)[1]


def test_the_guest_s_driver() -> None:
    bare = replace(ABLE, guest_modules=frozenset())
    assert judged(GuestDriver(), bare)[0] == "the guest's driver igb"
    assert judged(GuestDriver(vf=True), bare)[0] == "the guest's driver igbvf"
    unknown = replace(bare, nic=replace(IGB, driver="of-somebody"))
    assert GuestDriver(vf=True).missing(unknown) is None, "what is not known of is left to the attempt"


def test_queues() -> None:
    fixed = replace(ABLE, nic=replace(IGB, queues_settable=False))
    assert "eth1 has 4, igb does not let them be set" in judged(Queues(1), fixed)[1]
    assert Queues(1).missing(replace(ABLE, nic=replace(IGB, rx_queues=1, queues_settable=False))) is None


def test_xdp_in_the_driver() -> None:
    assert "only the generic mode works" in judged(NativeXdp(), replace(ABLE, nic=replace(IGB, driver="e1000e")))[1]


def test_what_one_option_needs_is_asked_for_with_it_alone() -> None:
    facts = replace(without_nodes(ABLE, "/dev/vhost-net"), modules=ABLE.modules - {"vhost_net"})
    all_of_it = (*BENCH, *needs.TAP_BRIDGE)
    assert missing(all_of_it, facts) == []
    assert missing(all_of_it, facts, TapBridge()) == []
    assert missing(all_of_it, facts, TapBridge(vhost="off")) == []
    (lacking,) = missing(all_of_it, facts, TapBridge(vhost="on"))
    assert lacking.what == "/dev/vhost-net"
    assert missing(needs.MACVTAP, facts, Macvtap(vhost="on")) == [lacking]
    assert list(limits(all_of_it, facts)) == [("vhost: on", lacking)]
    assert list(limits(all_of_it, facts, TapBridge())) == [("vhost: on", lacking)]
    assert list(limits(all_of_it, facts, TapBridge(vhost="on"))) == [], "that one is missing"


def test_the_same_thing_is_missed_once() -> None:
    facts = replace(ABLE, programs=frozenset())
    twice = (Program("ip", "iproute2"), Program("ip", "iproute2"))
    assert missing(twice, facts) == [Missing("program ip", "not installed", judged(twice[0], facts)[2])]


def test_what_must_be_looked_at_is_put_together() -> None:
    look_at = wanted([VHOST, Program("ip", "iproute2"), Module("tun"), Module("tun")])
    assert look_at.modules == ("vhost_net", "tun")
    assert look_at.programs == ("ip",)
    assert look_at.nodes == ("/dev/vhost-net",)
