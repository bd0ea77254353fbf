# SPDX-License-Identifier: Apache-2.0
"""The doctor's words: one number for each missing thing, commands that can be copied, widths that hold."""

from __future__ import annotations

import json
from dataclasses import replace

from latlab.doctor import Diagnosis
from latlab.doctor.benches import AttachmentState, BenchState
from latlab.doctor.finding import Finding
from latlab.needs import Missing
from latlab.report.doctor import doctor_json, doctor_text
from tests.report.cases import diagnosis


def lines(found: Diagnosis) -> list[str]:
    return doctor_text(found).plain.splitlines()


def test_one_number_for_one_thing() -> None:
    text = doctor_text(diagnosis()).plain
    assert text.count("bpftool (") == 2
    assert text.count("bpftool: not installed") == 1


def test_a_long_command_is_one_line() -> None:
    """It is there to be copied."""
    command = "sudo sed -i 's/a/b/' /etc/default/grub && " * 4 + "sudo reboot"
    found = diagnosis()
    state = AttachmentState("vfio", (Missing("IOMMU", "off", command),), ())
    bench = replace(found.benches[0], attachments=(state,))
    told = lines(Diagnosis((bench,), (Finding("a", "b", "c", command),), ""))
    assert [line.strip() for line in told if command in line] == [command, f"Try: {command}"]


def test_many_benches_still_fit() -> None:
    found = diagnosis()
    benches = tuple(replace(found.benches[1], name=f"bench-of-a-long-name-{n}-and-more-of-it") for n in range(7))
    told = lines(replace(found, benches=benches))
    assert max(map(len, told)) <= 100
    assert sum(line.startswith(" attachment") for line in told) == 3
    assert all(f"bench-of-a-long-name-{n}" in "".join(told) for n in range(7))


def test_control_characters_do_not_reach_the_terminal() -> None:
    found = diagnosis()
    evil = Missing("a\x1b[31m", "b\x07", "c\x1b")
    bench = BenchState("x\x1b", "local", "y\x1b", (AttachmentState("vfio", (evil,), (("o\x1b", evil),)),))
    told = doctor_text(replace(found, benches=(bench,), machine=(Finding("\x1b", "\x1b", "\x1b", "\x1b"),)))
    assert "\x1b" not in told.plain
    assert "\x07" not in told.plain


def test_for_programs() -> None:
    found = diagnosis()
    values = json.loads(json.dumps(doctor_json(found)))
    emulated, local = values["benches"]
    assert emulated["attachments"]["vfio"] == {"ready": True, "missing": [], "without": []}
    assert [m["what"] for m in local["attachments"]["vfio"]["missing"]] == ["a PCI NIC", "IOMMU", "module vfio_pci"]
    (without,) = local["attachments"]["tap-bridge"]["without"]
    assert (without["option"], without["what"]) == ("vhost: on", "/dev/vhost-net")
    assert values["machine"][0] == {"what": "AF_XDP", "state": "yes", "cost": "", "remedy": ""}


def test_the_exit_code_is_that_of_a_bench_not_able_only_when_nothing_is_ready() -> None:
    found = diagnosis()
    assert found.exit_code == 0
    nothing = replace(found.benches[1], attachments=found.benches[1].attachments[2:])
    assert replace(found, benches=(nothing,)).exit_code == 4
    assert replace(found, benches=(nothing, found.benches[0])).exit_code == 0
