# SPDX-License-Identifier: Apache-2.0
"""What a NIC can stamp, what its stamping is set to, and how many transmit stamps it holds at a time.

Software stamps need no setting. For hardware stamps ptp4l sets the NIC's transmit and receive filter itself
(SIOCSHWTSTAMP, sk.c), so what it was set to is read before, and set again afterwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

UNITS_PER_PPB = 65.536
NEEDED = ("hardware-transmit", "hardware-receive", "hardware-raw-clock")
"""What ptp4l asks of a NIC for `time_stamping hardware` (sk_get_ts_info, sk.c)."""


@dataclass(frozen=True)
class Abilities:
    """Of `ethtool -T`."""

    words: frozenset[str]
    clock: int | None
    """N of /dev/ptpN."""

    @property
    def hardware(self) -> bool:
        return self.clock is not None and self.words.issuperset(NEEDED)

    @property
    def software(self) -> bool:
        """Of the transmit side; the kernel stamps what comes in for every NIC."""
        return "software-transmit" in self.words


def parse_abilities(text: str) -> Abilities:
    """Of what `ethtool -T NIC` prints. Pure."""
    words = frozenset(re.findall(r"^\s+([a-z]+-[a-z-]+)", text, re.MULTILINE))
    clock = re.search(r"^(?:PTP Hardware Clock|Hardware timestamp provider index): *([0-9]{1,6})\b", text, re.MULTILINE)
    return Abilities(words, int(clock[1]) if clock else None)


@dataclass(frozen=True)
class Filter:
    """What a NIC stamps: values of hwtstamp_tx_types and hwtstamp_rx_filters (linux/net_tstamp.h)."""

    tx_type: int
    rx_filter: int


def parse_filter(text: str) -> Filter | None:
    """Of what `hwstamp_ctl -i NIC` prints; None when the driver does not say. Pure."""
    match = re.search(r"current settings:\s+tx_type ([0-9]{1,3})\s+rx_filter ([0-9]{1,3})\b", text)
    return Filter(int(match[1]), int(match[2])) if match else None


def set_filter_argv(nic: str, setting: Filter) -> list[str]:
    return ["hwstamp_ctl", "-i", nic, "-t", str(setting.tx_type), "-r", str(setting.rx_filter)]


def parse_frequency(text: str) -> float | None:
    """Parts in 10^9, of what `phc_ctl CLOCK freq` prints; None when it does not say. Pure."""
    match = re.search(r"clock frequency offset is (-?[0-9]{1,12}(?:\.[0-9]{1,9})?)ppb", text)
    return float(match[1]) if match else None


def read_frequency_argv(clock: str) -> list[str]:
    """`clock`: a NIC, or CLOCK_REALTIME."""
    return ["phc_ctl", "-q", "--", clock, "freq"]


def set_frequency_argv(clock: str, frequency_ppb: float) -> list[str]:
    """So that the same is read again. phc_ctl cuts what it is given down to the kernel's unit, 2^-16 ppm (clockadj.c):
    a quarter of one more, away from zero, is cut off.
    """
    units = round(frequency_ppb * UNITS_PER_PPB)
    given = units + math.copysign(0.25, units) if units else 0.0
    # Without the hyphens a negative number would be an option.
    return ["phc_ctl", "-q", "--", clock, "freq", f"{given / UNITS_PER_PPB:.6f}"]


TX_SLOTS: Mapping[str, int] = {
    "e1000e": 1,  # tx_hwtstamp_skb, e1000e/netdev.c
    "igb": 1,  # __IGB_PTP_TX_IN_PROGRESS, igb/igb_main.c: one for all queues of a port
    "ixgbe": 1,  # __IXGBE_PTP_TX_IN_PROGRESS, ixgbe/ixgbe_main.c
    "i40e": 1,  # __I40E_PTP_TX_IN_PROGRESS, i40e/i40e_txrx.c
    "bnxt_en": 1,  # BNXT_MAX_TX_TS, bnxt/bnxt_ptp.h: 1 before Linux 6.11
    "igc": 4,  # IGC_MAX_TX_TSTAMP_REGS, igc/igc.h, in Linux 6.6 at the latest; 1 before
    "lan743x": 4,  # LAN743X_PTP_NUMBER_OF_TX_TIMESTAMPS, lan743x_ptp.h
    "ice": 16,  # INDEX_PER_PORT_E822, ice/ice_ptp.h; an E810 has 64
}
"""Transmit stamps that a port takes before they are read, by driver as `ethtool -i` names it, from the kernel's
sources. A driver that is not here is taken for one that has one."""
UNLIMITED = frozenset(("veth", "virtio_net", "tun", "mlx5_core", "stmmac", "st_gmac", "macb", "fec", "fsl_enetc"))
"""No NIC at all, or one that puts each stamp beside its packet: into its descriptor, or its completion."""
SINGLE_BEFORE: Mapping[str, tuple[int, int]] = {"igc": (6, 6)}
"""Drivers that had one slot before this version of the kernel."""

HELD_NS = 100_000
"""How long a stamp occupies its slot: wire, interrupt, and the worker that reads it. Tens of us when idle."""
RISK = 0.05
"""Fault resets of ptp4l that all our stamps of a run may cost, expected."""
LARGEST = 1_000_000
"""The probe's limit for --tx-stamps."""


def tx_slots(driver: str, kernel: tuple[int, int]) -> int | None:
    """Transmit stamps at a time; None: as many as packets."""
    if driver in UNLIMITED:
        return None
    if driver in SINGLE_BEFORE and kernel < SINGLE_BEFORE[driver]:
        return 1
    return TX_SLOTS.get(driver, 1)


def tx_stamps_every(slots: int | None, *, period_ns: int, count: int, ptp_per_s: float) -> int:
    """N of the probe's `--tx-stamps N` beside a ptp4l with hardware stamps: it asks the NIC for one in N; 0: for none.

    A packet whose stamp finds no slot free gets none. For a sample that is a gap; for ptp4l it is a fault, which stops
    its port for 2^fault_reset_interval seconds. With several slots, N is such that one always stays free for ptp4l.
    With one slot no N is safe: each of our stamps blocks it for `HELD_NS`, during which ptp4l sends ptp_per_s * HELD_NS
    packets on average; N makes that `RISK` in all the run, however long it is.
    """
    if slots is None or count <= 0:
        return 1
    if slots > 1:
        return min(LARGEST, max(1, math.ceil(HELD_NS / (period_ns * (slots - 1)))))
    affordable = RISK / (ptp_per_s * HELD_NS / 1e9) if ptp_per_s > 0 else count
    if affordable < 1:
        return 0
    every = max(1, math.ceil(count / affordable))
    return every if every <= LARGEST else 0
