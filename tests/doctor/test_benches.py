# SPDX-License-Identifier: Apache-2.0
"""Attachments on each bench, without a bench: what the machine has decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from latlab import attachment
from latlab.attachment import needs
from latlab.bench import lock
from latlab.doctor import left_behind
from latlab.doctor.benches import BenchState, emulated_facts, emulated_state, local_state
from latlab.doctor.kvm import Trial, findings, trial
from latlab.guest.initramfs import HOST_MODULES
from latlab.guest.kernel import Kernel
from latlab.needs import missing
from latlab.scenario.bench_model import EmulatedBench, LocalBench
from tests.needs.facts import ABLE, EVERYTHING, Told

RELEASE = "6.12.1-test"
QEMU = {"qemu-system-x86_64 --version": "QEMU emulator version 10.0.2 (Debian)"}
FREE = {
    "ip -j link show": '[{"ifname": "lo"}]',
    "ip -j netns list": "[]",
    "ip -j addr show": '[{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]}]',
}
MODULES = [*HOST_MODULES, "igb", "kvm_amd", "kvm_intel", "igbvf", *EVERYTHING.modules]


@pytest.fixture(autouse=True)
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATLAB_PROBE", str(tmp_path / "probe"))
    monkeypatch.setattr(lock, "state_path", lambda: tmp_path / "state")
    monkeypatch.setattr("shutil.which", lambda _: "/bin/busybox")


def kernel(folder: Path, without: str = "") -> Kernel:
    """An unpacked one."""
    modules = folder / f"lib/modules/{RELEASE}"
    modules.mkdir(parents=True)
    (folder / "boot").mkdir()
    image = folder / f"boot/vmlinuz-{RELEASE}"
    image.touch()
    (folder / f"boot/config-{RELEASE}").write_text(
        "CONFIG_NET=y\nCONFIG_XDP_SOCKETS=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_INTEL_IOMMU=y\nCONFIG_PCI_IOV=y\n"
        "# CONFIG_TUN is not set\n"
    )
    (modules / "modules.dep").write_text("".join(f"kernel/{m}.ko.xz:\n" for m in MODULES if m != without))
    (modules / "modules.builtin").touch()
    return Kernel(RELEASE, image, folder)


def missed(state: BenchState) -> dict[str, list[str]]:
    return {a.kind: [m.what for m in a.missing] for a in state.attachments}


def emulated(folder: Path, said: Mapping[str, str] = QEMU, cpus: int = 2) -> BenchState:
    bench = EmulatedBench(kernel=str(folder), cpus=cpus)
    return emulated_state("emulated", bench, Told(said=said), replace(ABLE, uid=1000), "no KVM")


def local(folder: Path, said: Mapping[str, str] | None = None, **others: str) -> BenchState:
    bench = LocalBench(kernel=str(folder), **others)  # type: ignore[arg-type]
    return local_state("local", bench, Told(said={**QEMU, **FREE, **(said or {})}), ABLE, None)


def test_an_emulated_bench_does_what_its_kernel_and_this_machine_s_programs_can(tmp_path: Path) -> None:
    kernel(tmp_path)
    state = emulated(tmp_path)
    # A guest that runs already runs elsewhere.
    assert missed(state) == {kind: ["another bench"] if kind == "existing" else [] for kind in attachment.KINDS}
    assert "tcg" in state.about
    assert RELEASE in state.about


def test_two_emulated_machines_need_an_ssh_server(tmp_path: Path) -> None:
    kernel(tmp_path)
    bench = EmulatedBench(kernel=str(tmp_path), machines=2)
    there = {f'sh -c command -v "$0" {tool}': "" for tool in ("ssh", "ssh-keygen", "dropbearkey")}
    state = emulated_state("pair", bench, Told(said={**QEMU, **there}), ABLE, "no KVM")
    assert missed(state)["baseline"] == ["program dropbear"]
    assert state.attachments[0].missing[0].command.endswith("install --no-install-recommends dropbear-bin")
    assert state.about.startswith("2 machines")


def test_an_emulated_host_can_do_all_ten(tmp_path: Path) -> None:
    facts = emulated_facts(EmulatedBench(), kernel(tmp_path), ABLE, EVERYTHING)
    for name in ("BASELINE", "USER", "TAP_BRIDGE", "MACVTAP", "VFIO", "SRIOV", "OVS", "OVS_AFXDP", "OVS_DPDK", "XDP"):
        assert missing((*needs.BENCH, *getattr(needs, name)), facts) == [], name


def test_a_module_that_the_unpacked_kernel_lacks(tmp_path: Path) -> None:
    kernel(tmp_path, without="tun")
    state = emulated(tmp_path)
    assert missed(state)["tap-bridge"] == ["/dev/net/tun"]
    assert missed(state)["baseline"] == []
    (lacking,) = state.attachments[list(attachment.KINDS).index("tap-bridge")].missing
    assert lacking.why == f"kernel {RELEASE} was built without CONFIG_TUN"
    assert lacking.command == "scripts/setup kernel"


def test_a_module_that_the_emulated_host_itself_needs(tmp_path: Path) -> None:
    kernel(tmp_path, without="igb")
    assert all("module igb" in lacking for lacking in missed(emulated(tmp_path)).values())


def test_a_nic_that_its_owner_uses_is_for_existing_guests_alone(tmp_path: Path) -> None:
    """And that it is in a bridge, with an address of the bench's network, is in nobody's way."""
    kernel(tmp_path)
    used = {
        "ip -j -d -s link show dev eth1": '[{"ifname": "eth1", "master": "br0", "flags": ["UP"]}]',
        "ip -j addr show": '[{"ifname": "br0", "addr_info": [{"local": "198.18.77.1", "prefixlen": 24}]}]',
    }
    bench = LocalBench(kernel=str(tmp_path), nic="eth1", peer_nic="eth2", nic_in_use=True)
    found = missed(local_state("mine", bench, Told(said={**QEMU, **FREE, **used}), ABLE, None))
    assert "another bench" not in found["existing"]
    assert not [what for what in found["existing"] if "eth1" in what or "addresses" in what]
    assert all("another bench" in lacking for kind, lacking in found.items() if kind != "existing")


@pytest.mark.parametrize(
    ("said", "what"),
    [({}, "qemu-system-x86_64"), ({"qemu-system-x86_64 --version": "QEMU emulator version 7.2.1"}, "a newer QEMU")],
)
def test_qemu(tmp_path: Path, said: Mapping[str, str], what: str) -> None:
    kernel(tmp_path)
    assert missed(emulated(tmp_path, said))["baseline"] == [what]


def test_no_kernel_to_boot(tmp_path: Path) -> None:
    state = emulated(tmp_path)
    assert missed(state)["tap-bridge"] == ["a kernel"]
    assert state.about == "cannot be started"
    assert state.attachments[0].missing[0].command == "scripts/setup kernel"


def test_a_local_bench_with_a_veth_pair(tmp_path: Path) -> None:
    kernel(tmp_path)
    state = local(tmp_path)
    assert missed(state)["tap-bridge"] == []
    assert "veth pair" in state.about
    assert "guests under kvm" in state.about


def test_a_veth_pair_that_the_kernel_cannot_make(tmp_path: Path) -> None:
    kernel(tmp_path)
    without = replace(ABLE, modules=ABLE.modules - {"veth"})
    bench = LocalBench(kernel=str(tmp_path))
    state = local_state("local", bench, Told(said={**QEMU, **FREE}), without, None)
    assert missed(state)["baseline"] == ["module veth"]


def test_names_that_are_taken_are_told_before_all_else(tmp_path: Path) -> None:
    """They are latlab's own: a clean-up removes what a dead run left, and harms no living one."""
    kernel(tmp_path)
    state = local(tmp_path, {"ip -j link show": '[{"ifname": "llnic0"}]'})
    (lacking,) = state.attachments[0].missing
    assert (lacking.what, lacking.command) == ("free names", "sudo latlab cleanup")


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    kernel(tmp_path)
    used = '[{"ifname": "eth0", "addr_info": [{"local": "198.18.77.9", "prefixlen": 24}]}]'
    (lacking,) = local(tmp_path, {"ip -j addr show": used}).attachments[0].missing
    assert "198.18.77.9 is already in use, on eth0" in lacking.why


def test_a_nic_that_carries_the_default_route(tmp_path: Path) -> None:
    kernel(tmp_path)
    said = {
        f"ip -j -d -s link show dev {nic}": f'[{{"ifname": "{nic}", "flags": []}}]' for nic in ("eth0", "eth1")
    } | {
        f"ip -j {family} route show default": '[{"dev": "eth0"}]' for family in ("-4", "-6")
    } | {f"tc -j qdisc show dev {nic}": "[]" for nic in ("eth0", "eth1")} | {
        f"ip -j addr show dev {nic}": "[]" for nic in ("eth0", "eth1")
    }  # fmt: skip
    state = local(tmp_path, said, nic="eth0", peer_nic="eth1")
    assert missed(state)["baseline"] == ["NIC eth0"]
    assert "carries the default route" in state.attachments[0].missing[0].why
    assert "eth0 <-> eth1" in state.about


def test_why_kvm_was_not_tried(tmp_path: Path) -> None:
    """Each with a reason; and never while an agent's start would undo what a dead one has left."""
    assert trial(Told(), None) == Trial("there is no /dev/kvm", tried=False)
    there = {"test -e /dev/kvm": ""}
    assert "not open to this user" in (trial(Told(said=there), None).obstacle or "")
    there["test -r /dev/kvm -a -w /dev/kvm"] = ""
    assert trial(Told(said=there), None).obstacle == "not tried: QEMU is not installed"
    there['sh -c command -v "$0" qemu-system-x86_64'] = ""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/0123456789abcdef.journal").touch()
    found = trial(Told(said=there), None)
    assert (found.tried, found.remedy) == (False, "latlab cleanup")
    (told,) = findings(found)
    assert told.state.startswith("not tried")


def test_kvm() -> None:
    assert findings(Trial(None))[0].state == "works: a trial guest ran"
    (broken,) = findings(Trial("a trial guest ended at once"))
    assert (broken.state, bool(broken.cost)) == ("does not work: a trial guest ended at once", True)


def test_what_a_dead_latlab_left(tmp_path: Path) -> None:
    assert left_behind() == ()
    (tmp_path / "state").mkdir()
    (tmp_path / "state/0123456789abcdef.journal").touch()
    (finding,) = left_behind()
    assert (finding.state, finding.remedy) == ("1 that died left changes behind", "latlab cleanup")
