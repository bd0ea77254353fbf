# SPDX-License-Identifier: Apache-2.0
"""A PTP daemon on the NIC, and a program that steers the clock, are found, wherever they are named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.hosts.host import Result
from latlab.timing.ptp.others import (
    Daemon,
    already_on,
    config_files,
    find_daemons,
    interfaces,
    parse_comms,
    steered_by,
    taken_port,
)

SECTIONS = "[global]\nBMCA noop\n\n  [eth1]\n# [eth7]\n[unicast_master_table]\ntable_id 1\n"


@pytest.mark.parametrize(
    ("argv", "texts", "found"),
    [
        (["ptp4l", "-i", "eth0", "-m"], [], {"eth0"}),
        (["ptp4l", "-ieth0", "-i", "eth1"], [], {"eth0", "eth1"}),
        (["ptp4l", "-f", "/etc/ptp4l.conf"], [SECTIONS], {"eth1"}),
        (["ptp4l", "-f", "/etc/ptp4l.conf", "-i", "eth2"], [SECTIONS], {"eth1", "eth2"}),
        (["ptp4l", "-f", "conf"], [None], None),
    ],
)
def test_interfaces_of_a_ptp4l(argv: list[str], texts: list[str | None], found: set[str] | None) -> None:
    assert interfaces(argv, texts) == found


def test_configuration_files() -> None:
    assert config_files(["ptp4l", "-f", "/a", "-f/b", "-i", "eth0"]) == ["/a", "/b"]


def daemon(program: str = "ptp4l", *, here: bool = True, nics: frozenset[str] | None = frozenset({"eth0"}),
           argv: tuple[str, ...] = ()) -> Daemon:  # fmt: skip
    return Daemon(7, program, argv, here, nics)


def test_a_ptp4l_on_the_nic_is_named_with_its_process() -> None:
    words = already_on([daemon()], "eth0", "peer")
    assert words
    assert "ptp4l already runs on eth0 of peer (process 7)" in words
    assert already_on([daemon()], "eth1", "peer") is None
    assert already_on([daemon(here=False)], "eth0", "peer") is None
    assert "perhaps" in (already_on([daemon(nics=None)], "eth1", "peer") or "")
    assert already_on([daemon("chronyd", nics=None)], "eth0", "peer") is None


def test_who_steers_the_clock_is_named_in_whatever_namespace_it_is() -> None:
    assert "chronyd (process 7) steers the clock of peer" in (steered_by([daemon("chronyd", here=False)], "peer") or "")
    assert steered_by([daemon("chronyd", argv=("chronyd", "-x"))], "peer") is None
    assert steered_by([daemon("ptp4l")], "peer") is None


UDP = """   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer
 2718: 00000000:{:04X} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 24510 2 0000000000000000
"""


def test_the_event_port() -> None:
    assert taken_port({"udp": UDP.format(319)})
    assert not taken_port({"udp": UDP.format(320)})
    assert not taken_port({"udp": ""})


class Machine:
    """Processes of a host, as find, grep and cat show them."""

    def __init__(self, answers: dict[str, Result]) -> None:
        self.answers = answers

    def __call__(self, argv: Sequence[str]) -> Result:
        return next((a for words, a in self.answers.items() if words in " ".join(argv)), Result(1, "", ""))


def test_daemons_are_found_with_their_namespaces_and_interfaces() -> None:
    links = [("/proc/self/ns/net", "net:[1]"), ("/proc/12/ns/net", "net:[1]"), ("/proc/13/ns/net", "net:[2]")]
    machine = Machine(
        {
            "-exec grep": Result(0, "/proc/12/comm:ptp4l\n/proc/13/comm:chronyd\n", ""),
            "ns/net": Result(0, "".join(f"r\tf\t{path}\t{link}\n" for path, link in links), ""),
            "/cmdline": Result(0, "/proc/12/cmdline\0ptp4l\0-f\0/c\0\n/proc/13/cmdline\0chronyd\0\n", ""),
            "/proc/12/root/c": Result(0, "/proc/12/root/c\0[global]\n/proc/12/root/c\0[eth5]\n", ""),
        }
    )
    assert find_daemons(machine) == [
        Daemon(12, "ptp4l", ("ptp4l", "-f", "/c"), True, frozenset({"eth5"})),
        Daemon(13, "chronyd", ("chronyd",), False, None),
    ]


@given(st.text(max_size=300))
def test_whatever_the_machine_says_is_read_or_left(text: str) -> None:
    parse_comms(text)
    taken_port({"udp": text})
    interfaces(["ptp4l"], [text])
