# SPDX-License-Identifier: Apache-2.0
"""What ethtool says of a NIC: how it stamps, and what it does that makes latency."""

from __future__ import annotations

from latlab.doctor.finding import Finding
from latlab.doctor.machine import Machine, SeenNic
from latlab.doctor.nics import nic_findings, read_stamping
from latlab.hosts.look import Node
from latlab.needs.host import HostFacts
from tests.needs.facts import KERNEL

IGB = """Time stamping parameters for eth0:
Capabilities:
\thardware-transmit
\tsoftware-transmit
\thardware-receive
\tsoftware-receive
\tsoftware-system-clock
\thardware-raw-clock
PTP Hardware Clock: 0
Hardware Transmit Timestamp Modes:
\toff
\ton
Hardware Receive Filter Modes:
\tnone
\tall
"""
VIRTIO = """Time stamping parameters for eth0:
Capabilities:
\tsoftware-transmit
\tsoftware-receive
\tsoftware-system-clock
PTP Hardware Clock: none
Hardware Transmit Timestamp Modes: none
Hardware Receive Filter Modes: none
"""
OLD = "Capabilities:\n\tsoftware-receive      (SOF_TIMESTAMPING_RX_SOFTWARE)\nPTP Hardware Clock: none\n"
COALESCING = "Coalesce parameters for eth0:\nAdaptive RX: {}  TX: n/a\nrx-usecs:\t{}\nrx-frames:\tn/a\ntx-usecs:\t0\n"


def findings(*nics: SeenNic, clocks: dict[str, tuple[str, Node | None]] | None = None) -> dict[str, Finding]:
    seen = Machine(HostFacts("local", KERNEL), nics, clocks or {})
    return {finding.what: finding for finding in nic_findings(seen)}


def test_stamps_of_each_kind() -> None:
    stamping = read_stamping(IGB)
    assert (stamping.clock, stamping.filters, len(stamping.ways)) == (0, ("all",), 4)
    told = findings(SeenNic("eth0", stamping=IGB))["eth0 stamps"].state
    assert told == ("software transmit and receive; hardware transmit and receive; receive filters all; PHC /dev/ptp0")
    told = findings(SeenNic("eth0", stamping=VIRTIO))["eth0 stamps"].state
    assert told == "software transmit and receive; no hardware; no PHC"
    assert read_stamping(OLD).ways == {"software-receive"}
    assert read_stamping(IGB.replace("PTP Hardware Clock", "Hardware timestamp provider index")).clock == 0
    assert findings(SeenNic("eth0"))["eth0 stamps"].state == "no software; no hardware; no PHC"


def test_interrupts_that_are_held_back() -> None:
    held = findings(SeenNic("eth0", coalescing=COALESCING.format("off", "3")))["eth0 interrupts"]
    assert (held.state, held.remedy) == ("rx 3 us, tx 0 us", "sudo ethtool -C eth0 rx-usecs 0 tx-usecs 0")
    adaptive = findings(SeenNic("eth0", coalescing=COALESCING.format("on", "0")))["eth0 interrupts"]
    assert "adaptive-rx off" in adaptive.remedy
    assert "eth0 interrupts" not in findings(SeenNic("eth0", coalescing=COALESCING.format("off", "0")))
    assert "eth0 interrupts" not in findings(SeenNic("eth0", coalescing=COALESCING.format("n/a", "n/a")))


def test_a_link_that_sleeps() -> None:
    awake = findings(SeenNic("eth0", eee="EEE settings for eth0:\n\tEEE status: disabled\n"))
    assert "eth0 link" not in awake
    asleep = findings(SeenNic("eth0", eee="EEE settings for eth0:\n\tEEE status: enabled - active\n"))["eth0 link"]
    assert asleep.remedy == "sudo ethtool --set-eee eth0 eee off"


def test_where_its_memory_is() -> None:
    assert "NUMA node 1" in findings(SeenNic("eth0", numa_node="1"))["eth0 memory"].state
    assert "eth0 memory" not in findings(SeenNic("eth0", numa_node="-1"))


def test_clocks() -> None:
    clocks = {
        "ptp0": ("igb", Node("c")),
        "ptp1": ("igb", Node("c", readable=False)),
        "ptp2": ("", None),
    }
    told = {what: finding.state for what, finding in findings(clocks=clocks).items()}
    assert told == {
        "PHC /dev/ptp0": "igb, readable",
        "PHC /dev/ptp1": "igb, not readable without root",
        "PHC /dev/ptp2": "no name, not there",
    }
    assert findings()["PHC"].state == "none"
