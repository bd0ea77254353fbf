# SPDX-License-Identifier: Apache-2.0
"""ptp4l.conf and the command lines: golden, for each role and version, and what must hold for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.scenario.ptp import Ptp
from latlab.timing.ptp.config import (
    Place,
    Role,
    Stamps,
    Version,
    parse_version,
    phc2sys_argv,
    pmc_argv,
    ptp4l_argv,
    render,
    seconds,
    settings,
)
from tests.golden import check_golden

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place("eth0", "/run/latlab-ptp-12345678")
STUDY = Ptp(
    profile="automotive", socket_priority=7, tx_timestamp_timeout_ns=5_000_000, fifo=90, cpu=1, log_sync_interval=-3,
)  # fmt: skip
CASES: dict[str, tuple[Ptp, Role, Version, Stamps, bool]] = {
    "default-master-3.1": (Ptp(), "master", (3, 1), "software", False),
    "default-slave-3.1": (Ptp(), "slave", (3, 1), "software", False),
    "default-slave-3.1-free": (Ptp(), "slave", (3, 1), "software", True),
    "default-slave-4.2-free": (Ptp(), "slave", (4, 2), "software", True),
    "automotive-master-3.1": (Ptp(profile="automotive"), "master", (3, 1), "hardware", False),
    "automotive-slave-3.1": (Ptp(profile="automotive"), "slave", (3, 1), "hardware", False),
    "automotive-master-4.2": (Ptp(profile="automotive"), "master", (4, 2), "hardware", False),
    "automotive-slave-4.2": (Ptp(profile="automotive"), "slave", (4, 2), "hardware", False),
    "study-slave-4.2": (STUDY, "slave", (4, 2), "hardware", False),
}


@pytest.mark.parametrize("name", CASES)
def test_configurations(name: str) -> None:
    options, role, version, stamps, free = CASES[name]
    values = settings(options, role, version, stamps, PLACE, free_running=free)
    commands = [ptp4l_argv(options, PLACE), pmc_argv(values, PLACE), phc2sys_argv(options, role, values, PLACE)]
    text = render(values) + "".join(f"# {' '.join(argv)}\n" for argv in commands)
    check_golden(GOLDEN / f"{name}.conf", text)


SWITCHES = st.sampled_from(["profile", "on", "off"])
ANY_OPTIONS = st.fixed_dictionaries(
    {
        "profile": st.sampled_from(["default", "automotive"]),
        "transport": st.sampled_from(["profile", "L2", "UDPv4", "UDPv6"]),
        "delay_mechanism": st.sampled_from(["profile", "E2E", "P2P"]),
        "log_sync_interval": st.none() | st.integers(-7, 6),
        "log_announce_interval": st.none() | st.integers(-7, 6),
        "log_delay_interval": st.none() | st.integers(-7, 6),
        "step_threshold_ns": st.none() | st.integers(0, 10**12),
        "bmca": st.sampled_from(["profile", "ptp", "noop"]),
        "client_only": SWITCHES,
        "inhibit_announce": SWITCHES,
        "ignore_source_id": SWITCHES,
        "follow_up_info": SWITCHES,
        "extra": st.sampled_from([None, "priority1 1", "freq_est_interval 3", "transportSpecific 0x1"]),
    }
)


@given(ANY_OPTIONS, st.sampled_from(["master", "slave"]), st.sampled_from([(3, 1), (4, 0), (4, 4)]), st.booleans())
def test_every_configuration_keeps_to_itself(drawn: dict[str, Any], role: Role, version: Version, free: bool) -> None:
    try:
        options = Ptp.model_validate(drawn)
    except ValueError:
        return
    values = settings(options, role, version, "software", PLACE, free_running=free)
    lines = render(values).splitlines()
    assert lines[0] == "[global]"
    assert [line.split() for line in lines[1:]] == [[name, value] for name, value in values.items()]
    # A ptp4l of the machine's is never met: its sockets are elsewhere, its log is not ours.
    paths = [value for value in values.values() if value.startswith("/")]
    assert paths == [PLACE.socket] + [PLACE.read_only_socket] * (version >= (4, 0))
    assert values["use_syslog"] == "0"
    # No version is told a name that it does not know.
    old, new = {"slaveOnly", "masterOnly"}, {"clientOnly", "serverOnly", "uds_ro_address"}
    assert not (set(values) & (old if version >= (4, 0) else new))
    # A port of a fixed role has one (port.c: "Please enable at least one of ...").
    if values.get("BMCA") == "noop":
        assert values.get({"master": "serverOnly", "slave": "clientOnly"}[role] if version >= (4, 0) else
                          {"master": "masterOnly", "slave": "slaveOnly"}[role]) == "1"  # fmt: skip
    if free:
        assert values["free_running"] == "1"
        assert version >= (4, 0) or int(values["freq_est_interval"]) >= 0


def test_the_slave_may_be_let_take_over_as_in_the_study() -> None:
    values = settings(Ptp(client_only="off"), "slave", (3, 1), "software", PLACE)
    assert values["slaveOnly"] == "0"


def test_software_stamps_do_not_lose_their_neighbour_for_the_wires_threshold() -> None:
    options = Ptp(profile="automotive")
    assert "neighborPropDelayThresh" in settings(options, "slave", (4, 2), "hardware", PLACE)
    assert "neighborPropDelayThresh" not in settings(options, "slave", (4, 2), "software", PLACE)


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.1.1\n", (3, 1)), ("4.2", (4, 2)), ("v4.4-3-gabcdef\n", (4, 4)), ("", None), ("usage: ptp4l", None)],
)
def test_versions(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


@given(st.integers(0, 10**15))
def test_seconds_are_exact(duration_ns: int) -> None:
    whole, _, fraction = seconds(duration_ns).partition(".")
    assert int(whole) * 10**9 + int(fraction.ljust(9, "0") or "0") == duration_ns
