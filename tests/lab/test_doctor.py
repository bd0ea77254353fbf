# SPDX-License-Identifier: Apache-2.0
"""The doctor on this machine: it changes nothing, needs no root to look, and what it calls ready is ready.

What is expected of the machine is asked of the machine, by other means than the doctor's own.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latlab import attachment
from latlab.attachment import needs
from latlab.bench.opening import open_bench
from latlab.doctor.benches import emulated_facts, everything_wanted
from latlab.guest.kernel import find_kernel
from latlab.hosts.commands import CommandLog
from latlab.hosts.look import on_host, on_this_machine
from latlab.needs import missing, wanted
from latlab.needs.host import HostFacts, Wanted, look
from latlab.obstacles import site_facts
from latlab.scenario.bench_model import EmulatedBench
from tests.lab.latlab_command import Command, latlab, statuses
from tests.needs.facts import attachments_needs

Start = Callable[..., Command]
EVERY = attachments_needs()
ALL: Wanted = wanted(need for value in EVERY.values() for need in value)
DEAD = "0123456789abcdef.journal"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def kernel_has(module: str, option: str) -> bool:
    """As modprobe and the kernel's own configuration say it."""
    if subprocess.run(["modprobe", "-n", "-q", module], check=False).returncode == 0:
        return True
    config = Path("/proc/config.gz")
    return config.exists() and f"\n{option}=y" in gzip.decompress(config.read_bytes()).decode()


def here() -> HostFacts:
    machine = os.uname()
    return look(on_this_machine, ALL, bench="local", kernel=machine.release, machine=machine.machine, uid=0)


def examined(command: Command) -> dict[str, Any]:
    """The JSON of a doctor that ended as it should: nothing ready is exit code 4."""
    command.wait()
    assert command.defects() == []
    values: dict[str, Any] = command.json
    ready = [a["ready"] for bench in values["benches"] for a in bench["attachments"].values()]
    assert command.process.returncode == (0 if any(ready) else 4), command.stderr
    assert command.stderr == ""
    return values


@pytest.mark.timeout(120)
def test_what_it_calls_ready_is_ready(start: Start, tmp_path: Path) -> None:
    """On the local bench; `start` asserts that the machine is as it was. What it calls impossible is refused."""
    values = examined(start("doctor", "local", "--json"))
    (bench,) = values["benches"]
    states = bench["attachments"]
    assert set(states) == set(attachment.KINDS)
    ready = [kind for kind, state in states.items() if state["ready"]]
    assert "baseline" in ready
    assert ("tap-bridge" in ready) == (kernel_has("tun", "CONFIG_TUN") and kernel_has("bridge", "CONFIG_BRIDGE"))
    (tmp_path / "mine.yaml").write_text(f"attachment: [{', '.join(ready)}]\nflow: {{count: 50, period: 10ms}}\n")
    run = start("run", str(tmp_path / "mine.yaml"), "--bench", "local", "--runs", str(tmp_path / "runs"))
    run.wait(110)
    assert [status for status, _ in statuses(tmp_path / "runs", tmp_path)] == ["done"] * len(ready), run.stderr
    assert "left out" not in run.stderr
    without = {entry["option"]: entry for entry in states["tap-bridge"]["without"]}
    assert ("vhost: on" in without) != kernel_has("vhost_net", "CONFIG_VHOST_NET")
    if "vhost: on" in without:
        (tmp_path / "mine.yaml").write_text("attachment: {tap-bridge: {vhost: on}}\n")
        refused = start("run", str(tmp_path / "mine.yaml"), "--bench", "local", "--runs", str(tmp_path / "none"))
        assert refused.wait() == 4
        complaint = refused.complaint()
        assert without["vhost: on"]["why"] in complaint[0]
        assert complaint[1].strip() == without["vhost: on"]["command"]


def test_it_changes_nothing(start: Start) -> None:
    """The table, of all benches, as root: the fixture compares the machine before and after."""
    command = start("doctor")
    command.wait()
    lines = command.stdout.splitlines()
    assert lines[0].split() == ["attachment", "emulated", "local"]
    table = lines[1 : lines.index("")]
    # What is missing may need more than one line; those that go on begin with blanks.
    assert [line[3:].split()[0] for line in table if not line[3:].startswith(" ")] == list(attachment.KINDS)
    assert max(len(line) for line in lines if "Try:" not in line and "sudo" not in line) <= 100


def test_what_a_dead_latlab_left_is_told_and_stays(start: Start, tmp_path: Path) -> None:
    """Its state folder is one of its own here, or another latlab would undo it meanwhile."""
    Path("/run/latlab").mkdir(mode=0o700, exist_ok=True)
    lines = f'mount -t tmpfs -o mode=700 none /run/latlab; touch /run/latlab/{DEAD}; "$@"; ls /run/latlab >"$LEFT"'
    command = start(
        "doctor", "local", "--json", prefix=["unshare", "--mount", "sh", "-c", lines, "sh"],
        env={"LEFT": str(tmp_path / "left")},
    )  # fmt: skip
    command.wait()
    found = {finding["what"]: finding for finding in command.json["machine"]}
    assert found["latlab"]["remedy"] == "latlab cleanup"
    assert (tmp_path / "left").read_text().split() == [DEAD]


def test_without_root_it_looks_as_well(root: None, start: Start) -> None:
    """And says of the local bench that it needs root, of what it could not see that it could not."""
    with tempfile.TemporaryDirectory(prefix="latlab-test-") as folder:
        Path(folder).chmod(0o777)
        plain = latlab("doctor", "--json", folder=Path(folder), env={"XDG_RUNTIME_DIR": folder, "HOME": folder},
                       prefix=NOBODY)  # fmt: skip
        values = examined(plain)
        assert not (Path(folder) / "latlab").exists() or list(Path(folder, "latlab").iterdir()) == []
    local = next(bench for bench in values["benches"] if bench["name"] == "local")
    for kind, state in local["attachments"].items():
        roots = [m for m in state["missing"] if m["what"] == "root"]
        assert [m["command"] for m in roots] == ["sudo latlab run SCENARIO --bench local"], kind
    root_s = {f["what"]: f["state"] for f in examined(start("doctor", "--json"))["machine"]}
    users = {f["what"]: f["state"] for f in values["machine"]}
    for what in ("eBPF", "AF_XDP", "CPU isolation", "SMT", "sleep states", "mitigations"):
        assert users[what] == root_s[what]


def test_ovs_needs_the_kernel_s_module(root: None) -> None:
    facts = here()
    lacking = [m for m in missing(needs.OVS, facts) if m.what == "module openvswitch"]
    assert bool(lacking) != kernel_has("openvswitch", "CONFIG_OPENVSWITCH")
    if lacking and Path("/proc/config.gz").exists():
        assert lacking[0].why == f"kernel {os.uname().release} was built without CONFIG_OPENVSWITCH"


def test_an_iommu_and_af_xdp_as_the_kernel_shows_them(root: None) -> None:
    facts = here()
    groups = list(Path("/sys/kernel/iommu_groups").glob("*"))
    assert any(m.what == "IOMMU" for m in missing(needs.VFIO, facts)) == (not groups)
    af_xdp = any(line.startswith("XDP ") for line in Path("/proc/net/protocols").read_text().splitlines())
    assert any(m.what == "AF_XDP" for m in missing(needs.OVS_AFXDP, facts)) == (not af_xdp)


@pytest.mark.timeout(240)
def test_an_emulated_host_has_what_was_said_of_it_before_it_was_started() -> None:
    """For all attachments, also those that are not in this version yet."""
    bench = EmulatedBench()
    kernel = find_kernel(bench.kernel)
    said = emulated_facts(bench, kernel, replace(here(), uid=1000), ALL | everything_wanted())
    with open_bench("lab-doctor", bench, CommandLog()) as site:
        found = look(
            on_host(site.hypervisor), ALL, bench="emulated", kernel=kernel.release, machine="x86_64", uid=0,
            nic=site.nic, config=[str(kernel.root / f"boot/config-{kernel.release}")], guest_modules=said.guest_modules,
        )  # fmt: skip
        assert missing(needs.TAP_BRIDGE, site_facts(site, ["tap-bridge"])) == []
    for name, value in EVERY.items():
        assert missing(value, found) == missing(value, said), name
    assert found.nic is not None
    assert said.nic is not None
    for fact in ("name", "driver", "total_vfs", "rx_queues", "queues_settable"):
        assert getattr(found.nic, fact) == getattr(said.nic, fact), fact
    assert bool(found.nic.pci) == bool(found.nic.group) == bool(said.nic.group)
    assert not found.nic.mates
