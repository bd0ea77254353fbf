# SPDX-License-Identifier: Apache-2.0
"""A user's own image: which are taken, how QEMU is told, where its ssh is. Every refusal names what to do."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latlab.errors import BenchError, GuestError
from latlab.guest.disk import Disk, disk_arguments, find_firmware, forwarded_port, read_image
from latlab.guest.machine import MachineSpec, command_line
from tests.canned import FACTS, CannedHost
from tests.golden import check_golden

FILE = "/images/board.img"
INFO = f"qemu-img info --output=json {FILE}"
AS_QCOW2 = f"qemu-img info -f qcow2 {FILE}"
FIRST_SECTOR = f"od -An -tx1 -j510 -N2 {FILE}"
LOCK = "qemu-img: Could not open '/x': Failed to get shared \"write\" lock\nIs another process using the image [/x]?"


class ImageHost(CannedHost):
    """A host with one image file. `said`: what a command prints on standard error, and then it fails."""

    def __init__(self, answers: dict[str, Any], said: dict[str, str] | None = None) -> None:
        super().__init__({f"test -d {FILE}": 1, **answers})
        self.said = said or {}

    def run_plain(self, argv: Any, **others: Any) -> Any:
        result = super().run_plain(argv, **others)
        words = self.said.get(shlex.join(argv))
        return result if words is None else replace(result, exit_code=1, stderr=words)


@pytest.mark.parametrize("form", ["qcow2", "raw"])
def test_an_image_that_is_taken(form: str) -> None:
    host = ImageHost({INFO: {"format": form, "virtual-size": 1 << 30}, FIRST_SECTOR: " 55 aa\n"})
    assert read_image(host, FILE)["format"] == form


@pytest.mark.parametrize(
    ("answers", "said", "message", "hint"),
    [
        ({f"test -e {FILE}": 1}, {}, "there is no image /images/board.img", "relative path"),
        ({f"test -r {FILE}": 1}, {}, "/images/board.img is no file that can be read", "ls -l"),
        ({f"test -d {FILE}": 0}, {}, "/images/board.img is no file that can be read", "ls -l"),
        ({"sh -c 'command -v \"$0\"' qemu-img": 1}, {}, "qemu-img is not installed on hypervisor", "qemu-utils"),
        ({}, {INFO: LOCK}, "the image /images/board.img is in use by another QEMU", "fuser -v"),
        ({INFO: {"format": "raw"}}, {AS_QCOW2: LOCK}, "the image /images/board.img is in use", "fuser -v"),
        ({}, {INFO: "qemu-img: Could not open '/x': Image is corrupt"}, "is not an image: .*corrupt", "qcow2 and raw"),
        ({INFO: {"format": "vmdk"}}, {}, "is an image of format vmdk", "qemu-img convert -O qcow2 /images/board.img"),
        (
            {INFO: {"format": "raw"}, FIRST_SECTOR: " 00 00\n"},
            {},
            "no raw disk that begins with a boot",
            "file /images",
        ),
    ],
)
def test_an_image_that_is_not(answers: dict[str, Any], said: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(BenchError, match=message) as caught:
        read_image(ImageHost(answers, said), FILE)
    assert hint in caught.value.hint


def test_a_path_with_the_word_lock_in_it_is_no_lock() -> None:
    said = "qemu-img: Could not open '/block/lock': Image is not in qcow2 format"
    host = ImageHost({INFO: {"format": "raw"}, FIRST_SECTOR: " 55 aa\n"}, {AS_QCOW2: said})
    assert read_image(host, FILE)["format"] == "raw"


def test_a_comma_in_a_path_is_no_option() -> None:
    words = disk_arguments(Disk("/a,b.raw", "raw", firmware=("/c,1.fd", "/v,2.fd")))
    assert "if=none,id=disk0,format=raw,snapshot=on,file=/a,,b.raw" in words
    assert "if=pflash,unit=0,format=raw,readonly=on,file=/c,,1.fd" in words
    assert "if=pflash,unit=1,format=raw,snapshot=on,file=/v,,2.fd" in words


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_the_command_line_is_the_golden_one(firmware: str) -> None:
    files = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd") if firmware == "uefi" else None
    spec = MachineSpec(
        "guest", None, None, "kvm", memory_mib=1024, devices=("-netdev", "tap,id=net0"),
        disk=Disk("/images/board.qcow2", "qcow2", firmware=files),
    )  # fmt: skip
    words = command_line(spec, "/tmp/folder")
    lines = [shlex.quote(word) if word.startswith("-") else f"  {shlex.quote(word)}" for word in words]
    check_golden(Path(__file__).parent / "golden" / f"disk-{firmware}.txt", "\n".join(lines) + "\n")


def test_whatever_is_written_is_never_the_image_s() -> None:
    drives = [word for word in disk_arguments(Disk("/d.qcow2", "qcow2", firmware=("/c", "/v"))) if ",file=" in word]
    assert len(drives) == 3
    assert all("snapshot=on" in word or "readonly=on" in word for word in drives)


USERNET = """Hub -1 (mgmt0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   20       127.0.0.1 40001   198.19.255.15    22     0     0
  TCP[HOST_FORWARD]  10       127.0.0.1 40283   198.19.255.15    22     0     0
Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  12     198.18.77.1 12865       10.0.2.15 12865     0     0
  UDP[HOST_FORWARD]  13     198.18.77.1  7701       10.0.2.15  7701     0     0
"""


def test_the_port_that_qemu_chose() -> None:
    assert forwarded_port(USERNET) == 40283


def test_no_port_is_an_error() -> None:
    with pytest.raises(GuestError, match="forwards no port"):
        forwarded_port(USERNET.replace("TCP[HOST_FORWARD]", "UDP[HOST_FORWARD]"))


def test_the_login_is_behind_that_port() -> None:
    target = Disk("/d", "raw", user="debian", key="/k").login(40283)
    assert (target.destination, target.port, target.key, target.ours) == ("debian@127.0.0.1", 40283, "/k", True)


def test_the_first_firmware_that_is_there() -> None:
    assert find_firmware(CannedHost({}), "bios") is None
    code, variables = "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"
    debian = "test -r /usr/share/OVMF/OVMF_CODE_4M.fd -a -r /usr/share/OVMF/OVMF_VARS_4M.fd"
    assert find_firmware(CannedHost({debian: 1}), "uefi") == (code, variables)


class NoFirmware(CannedHost):
    def run_plain(self, argv: Any, **others: Any) -> Any:
        return replace(super().run_plain(argv, **others), exit_code=1)


@pytest.mark.parametrize(
    ("machine", "wanted", "message", "hint"),
    [
        ("x86_64", "uefi", "hypervisor has no UEFI firmware for guests", "apt install ovmf"),
        ("aarch64", "uefi", "hypervisor has no UEFI firmware for guests", "apt install qemu-efi-aarch64"),
        ("aarch64", "bios", "an aarch64 machine has no BIOS", "firmware: uefi"),
    ],
)
def test_no_firmware(machine: str, wanted: str, message: str, hint: str) -> None:
    with pytest.raises(BenchError, match=message) as caught:
        find_firmware(NoFirmware({}, facts=replace(FACTS, machine=machine)), wanted)
    assert hint in caught.value.hint
