# SPDX-License-Identifier: Apache-2.0
"""Needs of the NIC and of what stands between it and the guest: PCI, IOMMU, SR-IOV, queues, XDP in its driver."""

from __future__ import annotations

import re
from dataclasses import dataclass

from latlab.needs import EMULATED, Missing, Need
from latlab.needs.host import GROUPS, HostFacts, Wanted
from latlab.needs.kernel import without

TABLES = "/sys/firmware/acpi/tables"
IOMMU_OPTIONS = {"x86_64": ("CONFIG_INTEL_IOMMU", "CONFIG_AMD_IOMMU"),
                 "aarch64": ("CONFIG_ARM_SMMU_V3", "CONFIG_ARM_SMMU")}  # fmt: skip
HARMLESS_MATES = ("", "vfio-pci", "pci-stub", "pcieport")
"""Drivers that a device of the group may have: none, VFIO's own, a bridge's (Documentation/driver-api/vfio.rst)."""
VF_DRIVERS = {"igb": "igbvf", "ixgbe": "ixgbevf", "i40e": "iavf", "ice": "iavf", "mlx5_core": "mlx5_core",
              "mlx4_en": "mlx4_en", "bnxt_en": "bnxt_en", "fsl_enetc": "fsl_enetc_vf",
              "qede": "qede", "cxgb4": "cxgb4vf", "ena": "ena"}  # fmt: skip
XDP_DRIVERS = frozenset(
    ("veth", "virtio_net", "tun", "igb", "igc", "ixgbe", "ixgbevf", "i40e", "ice", "mlx4_en", "mlx5_core", "bnxt_en",
     "nfp", "qede", "sfc", "ena", "gve", "mana", "hv_netvsc", "fec", "fsl_enetc", "fsl_dpaa2_eth", "mvneta",
     "mvpp2", "stmmac", "st_gmac", "cpsw", "am65-cpsw-nuss", "netsec", "nicvf", "tsnep", "lan966x-switch",
     "xen_netfront", "bonding")
)  # fmt: skip
"""Drivers, as `ethtool -i` names them, that take XDP programs in Linux 6.12 (XDP_SETUP_PROG in their ndo_bpf)."""


@dataclass(frozen=True)
class PciNic(Need):
    """The NIC is a device that can be given away, not one made of software."""

    def missing(self, facts: HostFacts) -> Missing | None:
        if facts.nic is None or facts.nic.pci:
            return None
        kind = f"is a {facts.nic.driver}" if facts.nic.driver else "is no PCI device"
        why = f"the bench's NIC {kind}; a bench file may name two cabled NICs (nic:, peer-nic:)"
        return Missing("a PCI NIC", why, EMULATED)


@dataclass(frozen=True)
class Iommu(Need):
    """Devices reach only the memory of their own guest: without, VFIO gives none away."""

    @property
    def wanted(self) -> Wanted:
        options = tuple(name for names in IOMMU_OPTIONS.values() for name in names)
        return Wanted(options=options, nodes=(TABLES, f"{TABLES}/DMAR", f"{TABLES}/IVRS"))

    def missing(self, facts: HostFacts) -> Missing | None:
        nic = facts.nic
        groups = any(path.startswith(f"{GROUPS}/") for path in facts.nodes)
        if nic and nic.pci and nic.group:
            return None
        if groups and nic and nic.pci:
            return Missing("IOMMU", f"it does not cover {nic.name} ({nic.pci})", EMULATED)
        return None if groups else Missing("IOMMU", *self._reason(facts))

    def _reason(self, facts: HostFacts) -> tuple[str, str]:
        """The nearest one: kernel, then firmware, then its switches."""
        names = IOMMU_OPTIONS.get(facts.machine, ())
        if facts.options is not None and not any(facts.options.get(name) == "y" for name in names):
            lacking = without(facts, "IOMMU", " or ".join(names) or "an IOMMU driver")
            return lacking.why, lacking.command
        words = facts.text("/proc/cmdline").split()
        for word in ("iommu=off", "intel_iommu=off", "amd_iommu=off"):
            if word in words:
                return f"switched off by the kernel argument {word}", _set_argument(word, "")
        if facts.machine == "x86_64" and TABLES in facts.nodes:
            intel, amd = (f"{TABLES}/{table}" in facts.nodes for table in ("DMAR", "IVRS"))
            if not intel and not amd:
                why = "the firmware reports none: VT-d or AMD-Vi is off there, or a virtual machine was given none"
                return why, EMULATED
            if intel and "intel_iommu=on" not in words:
                return "the kernel argument intel_iommu=on is not set", _set_argument("", "intel_iommu=on ")
        return "the platform has none that this kernel drives", EMULATED


def _set_argument(old: str, new: str) -> str:
    edit = rf"s/\b{re.escape(old)} *//" if old else f's/^GRUB_CMDLINE_LINUX="/&{new}/'
    return f"sudo sed -i '{edit}' /etc/default/grub && sudo update-grub && sudo reboot"


@dataclass(frozen=True)
class OwnGroup(Need):
    """What shares the NIC's IOMMU group goes to the guest with it, so nobody else may be using that."""

    def missing(self, facts: HostFacts) -> Missing | None:
        nic = facts.nic
        used = {} if nic is None else {a: d for a, d in nic.mates.items() if d not in HARMLESS_MATES}
        if nic is None or not used:
            return None
        listed = ", ".join(f"{address} ({driver})" for address, driver in used.items())
        address, driver = next(iter(used.items()))
        free = f"echo {address} | sudo tee /sys/bus/pci/drivers/{driver}/unbind"
        return Missing("an IOMMU group of its own", f"{nic.name}'s group {nic.group} also holds {listed}", free)


@dataclass(frozen=True)
class SrIov(Need):
    """The NIC can be divided into virtual functions."""

    @property
    def wanted(self) -> Wanted:
        return Wanted(options=("CONFIG_PCI_IOV",))

    def missing(self, facts: HostFacts) -> Missing | None:
        nic = facts.nic
        if nic is None or not nic.pci or nic.total_vfs:
            return None  # what is no PCI device misses more than this
        if facts.options is not None and facts.options.get("CONFIG_PCI_IOV") != "y":
            return without(facts, "SR-IOV", "CONFIG_PCI_IOV")
        why = "its firmware allows no virtual functions" if nic.total_vfs == 0 else "it has no SR-IOV"
        return Missing("SR-IOV", f"{nic.name} ({nic.driver or nic.pci}): {why}", EMULATED)


@dataclass(frozen=True)
class GuestDriver(Need):
    """The guest's kernel drives what it is given: the NIC itself, or a virtual function of it."""

    vf: bool = False

    @property
    def wanted(self) -> Wanted:
        return Wanted(guest_modules=tuple(sorted(set(VF_DRIVERS.values() if self.vf else VF_DRIVERS))))

    def missing(self, facts: HostFacts) -> Missing | None:
        driver = facts.nic.driver if facts.nic and facts.nic.pci else ""
        wanted = VF_DRIVERS.get(driver, "") if self.vf else driver
        if not wanted or wanted not in self.wanted.guest_modules or wanted in facts.guest_modules:
            return None
        return Missing(f"the guest's driver {wanted}", "the guest's kernel does not have it", "scripts/setup kernel")


@dataclass(frozen=True)
class Queues(Need):
    """All packets arrive on the queues that somebody reads: the NIC has no more than `most`, or can be told so."""

    most: int = 1

    def missing(self, facts: HostFacts) -> Missing | None:
        nic = facts.nic
        if nic is None or nic.rx_queues <= self.most or nic.queues_settable:
            return None
        return Missing(
            f"{self.most} receive queue",
            f"{nic.name} has {nic.rx_queues}, {nic.driver} does not let them be set, and only {self.most} is read",
            EMULATED,
        )


@dataclass(frozen=True)
class NativeXdp(Need):
    """The NIC's driver runs XDP programs itself; in generic mode the kernel does, after it has made a packet of it."""

    def missing(self, facts: HostFacts) -> Missing | None:
        if facts.nic is None or not facts.nic.driver or facts.nic.driver in XDP_DRIVERS:
            return None
        return Missing("XDP in the driver", f"{facts.nic.driver} has none, so only the generic mode works", EMULATED)
