# SPDX-License-Identifier: Apache-2.0
"""Every attachment's whole script, as it is: what it changes, how QEMU is told, and how it is undone.

A new attachment needs one golden file here and nothing else: `LATLAB_GOLDEN=write` writes it, a person reads it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from latlab import attachment
from latlab.guest.kernel import Kernel
from latlab.hosts.local import forwarder_path
from latlab.rehearsal import rehearse_point, rehearsed_site
from latlab.scenario.attachments import Attachment
from latlab.scenario.bench_model import Addresses
from latlab.scenario.fields import kinds_of
from latlab.scenario.model import Flow, Guest, Point, Probe
from tests.golden import check_golden

GOLDEN = Path(__file__).parent / "golden"
ANY: TypeAdapter[Attachment] = TypeAdapter(Attachment)
REQUIRED = {"existing": {"ssh": "their-guest"}}
KERNEL = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))


def options(kind: str, **others: str) -> Attachment:
    return ANY.validate_python({"kind": kind, **REQUIRED.get(kind, {}), **others})


def script(chosen: Attachment) -> list[str]:
    site = rehearsed_site("local", Addresses(), KERNEL, nic="eth0", peer_nic="eth1")
    point = Point(attachment=chosen, flow=Flow(), load=None, guest=Guest(), instruments=(Probe(),))
    # The built object is wherever this tree is.
    return [line.replace(forwarder_path(), "forward.bpf.o") for line in rehearse_point(point, site)]


@pytest.mark.parametrize("kind", attachment.KINDS)
def test_the_script_is_the_golden_one(kind: str) -> None:
    check_golden(GOLDEN / f"{kind}.sh", "\n".join(script(options(kind))) + "\n")


def test_the_table_and_the_scenario_name_the_same_ones() -> None:
    assert list(attachment.KINDS) == list(kinds_of(Attachment))


def test_every_golden_file_is_somebody_s() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sh")} == set(attachment.KINDS)


@pytest.mark.parametrize("kind", attachment.KINDS)
def test_what_is_made_is_undone(kind: str) -> None:
    """Each thing that the script adds it deletes, in the opposite order."""
    lines = script(options(kind))
    made = [line for line in lines if line.startswith("ip ") and " add " in line and " route " not in line]
    gone = [line for line in lines if line.startswith("ip ") and " del " in line]
    assert len(made) == len(gone)
    for add, undo in zip(made, reversed(gone), strict=True):
        assert add.split(" add ")[0] == undo.split(" del ")[0]


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru"])
def test_macvtap_in_each_mode(mode: str) -> None:
    lines = script(options("macvtap", mode=mode))
    assert sum(f"type macvtap mode {mode}" in line for line in lines) == 1
    # This mode alone changes the NIC's own address, which is put back last.
    assert ("set dev eth0 address" in lines[-1]) == (mode == "passthru")


@pytest.mark.parametrize("kind", ["tap-bridge", "macvtap"])
@pytest.mark.parametrize(("vhost", "said"), [("on", "vhost=on"), ("off", "vhost=off"), ("auto", "vhost=on")])
def test_vhost_as_asked(kind: str, vhost: str, said: str) -> None:
    (qemu,) = (line for line in script(options(kind, vhost=vhost)) if line.startswith("qemu-system-"))
    assert said in qemu
