# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line, as it is, for every kind of machine. `LATLAB_GOLDEN=write` writes the files anew."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from latlab.guest.machine import MachineSpec, command_line
from tests.golden import check_golden

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_the_command_line_is_the_golden_one(arch: str, accelerator: str) -> None:
    spec = MachineSpec(
        "guest", Path("/boot/vmlinuz"), Path("/cache/guest.cpio"), accelerator, cpus=2, memory_mib=256, arch=arch,
        kernel_arguments="isolcpus=1", devices=("-netdev", "user,id=net0"),
    )  # fmt: skip
    words = command_line(spec, "/tmp/folder")
    lines = [shlex.quote(word) if word.startswith("-") else f"  {shlex.quote(word)}" for word in words]
    check_golden(GOLDEN / f"{arch}-{accelerator}.txt", "\n".join(lines) + "\n")


def test_options_are_appended_to_machine_and_processor() -> None:
    spec = MachineSpec("h", Path("k"), Path("i"), "tcg", machine_options=",a=b", cpu_options=",+svm")
    words = command_line(spec, "/f")
    assert words[words.index("-machine") + 1] == "q35,a=b"
    assert words[words.index("-cpu") + 1] == "max,+svm"
    assert words[words.index("-append") + 1] == "console=ttyS0 quiet panic=-1"
