# SPDX-License-Identifier: Apache-2.0
"""The emulated bench of two machines: their command lines, and how ssh finds them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from latlab.bench import emulated, pair
from latlab.guest.kernel import Kernel
from latlab.guest.machine import MachineSpec, command_line
from latlab.scenario.bench_model import EmulatedBench

KERNEL = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))
PAIR = EmulatedBench(machines=2, cpus=2)


@pytest.fixture(autouse=True)
def no_initramfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulated, "host_initramfs", lambda *_: Path("/host.cpio"))
    monkeypatch.setattr(emulated, "probe_path", lambda _: "/probe")


def made() -> list[MachineSpec]:
    return pair.specs(PAIR, KERNEL, "tcg", "/tmp/pair")


@pytest.mark.parametrize(("real", "hypervisor"), [(1, 1), (2, 1), (3, 2), (8, 2)])
def test_both_together_have_no_more_cpus_than_are_real(
    real: int, hypervisor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulated, "real_cpus", lambda: real)
    assert [spec.cpus for spec in made()] == [hypervisor, 1]


def test_what_one_sends_the_other_hears() -> None:
    """Each sends to the socket on which the other listens, and no two have one MAC address."""
    sockets, macs = [], []
    for spec in made():
        (cable,) = (word for word in spec.devices if word.startswith("dgram,"))
        sockets.append(dict(option.split("=", 1) for option in cable.split(",")[1:]))
        macs += [word.rpartition("mac=")[2] for word in spec.devices if word.startswith("igb,")]
    assert sockets[0]["local.path"] == sockets[1]["remote.path"]
    assert sockets[1]["local.path"] == sockets[0]["remote.path"]
    assert len(set(macs)) == 2


def test_ssh_comes_in_by_loopback_only_and_nothing_goes_out() -> None:
    for spec in made():
        line = command_line(spec, "/tmp/x")
        (user,) = (word for word in line if word.startswith("user,"))
        assert "restrict=on" in user
        assert "hostfwd=tcp:127.0.0.1:0-:22" in user


def test_ssh_takes_the_pinned_keys_only(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(pair.ssh_config(str(tmp_path), {"hypervisor": 4000, "peer": 4001}))
    said = subprocess.run(["ssh", "-F", config, "-G", "peer"], capture_output=True, text=True, check=True).stdout
    found = dict(line.split(" ", 1) for line in said.splitlines())
    assert (found["hostname"], found["port"], found["user"]) == ("127.0.0.1", "4001", "root")
    assert found["hostkeyalias"] == "peer"
    assert found["stricthostkeychecking"] in ("true", "yes")
    assert found["userknownhostsfile"] == f"{tmp_path}/known_hosts"
    assert found["identityfile"] == f"{tmp_path}/login"
