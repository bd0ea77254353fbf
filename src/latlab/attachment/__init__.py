# SPDX-License-Identifier: Apache-2.0
"""The ways to attach a guest to the network, one module each. A new one is one file and one line here."""

from __future__ import annotations

from types import ModuleType

from latlab.attachment import baseline, existing, macvtap, ovs, ovs_afxdp, ovs_dpdk, sriov, tap_bridge, user, vfio, xdp

KINDS: dict[str, ModuleType] = {
    "baseline": baseline,
    "user": user,
    "tap-bridge": tap_bridge,
    "macvtap": macvtap,
    "vfio": vfio,
    "sriov": sriov,
    "ovs": ovs,
    "ovs-afxdp": ovs_afxdp,
    "ovs-dpdk": ovs_dpdk,
    "xdp": xdp,
    "existing": existing,
}
