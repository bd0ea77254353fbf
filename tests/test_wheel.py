# SPDX-License-Identifier: Apache-2.0
"""The wheel carries everything: it is built as a user would, and looked into."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("ziglang")

ROOT = Path(__file__).parents[1]
ELF_MACHINE = {"x86_64": 62, "aarch64": 183}  # EM_X86_64, EM_AARCH64
EM_BPF = 247
PT_INTERP = 3


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)
    (path,) = folder.glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(path)


@pytest.mark.parametrize("architecture", sorted(ELF_MACHINE))
def test_it_carries_a_static_probe(wheel: zipfile.ZipFile, architecture: str) -> None:
    binary = wheel.read(f"latlab/_bin/latlab-probe-{architecture}")
    assert binary[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", binary, 18) == (ELF_MACHINE[architecture],)
    table, size, count = *struct.unpack_from("<Q", binary, 32), *struct.unpack_from("<HH", binary, 54)
    kinds = [struct.unpack_from("<I", binary, table + i * size)[0] for i in range(count)]
    assert PT_INTERP not in kinds, "it asks for a dynamic loader"


def test_it_carries_the_forwarder(wheel: zipfile.ZipFile) -> None:
    """For BPF machines, with the types that describe its maps, and no path of the machine that built it."""
    content = wheel.read("latlab/_bin/forward.bpf.o")
    assert struct.unpack_from("<H", content, 18) == (EM_BPF,)
    assert b".BTF\0" in content
    assert str(ROOT).encode() not in content


def test_it_carries_the_presets(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for folder in ("scenarios", "benches"):
        for path in (ROOT / folder).glob("*.yaml"):
            assert f"latlab/presets/{folder}/{path.name}" in names


def test_it_carries_what_the_page_is_made_of(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for path in (ROOT / "src/latlab/report/page").rglob("*.*"):
        if path.suffix not in (".pyc",):
            assert str(path.relative_to(ROOT / "src")) in names
    assert "latlab/report/page/vendor/LICENSE.uPlot" in names


def test_it_carries_no_rubbish(wheel: zipfile.ZipFile) -> None:
    assert not [name for name in wheel.namelist() if "__pycache__" in name or "/tests/" in name]
