# SPDX-License-Identifier: Apache-2.0
"""The archive is one that the kernel, and cpio, can unpack: what went in comes out."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import BenchError
from latlab.guest import initramfs
from latlab.guest.initramfs import GUEST_INIT, HOST_INIT, LATER_FOLDER, Archive, build, libraries
from tests.guest.cpio import entries

names = st.text("abc.-_", min_size=1, max_size=8).filter(lambda n: n not in (".", ".."))
# A path's folders and its file have different letters, so that no file is another's folder.
paths = st.builds(lambda folders, name: "/".join([*folders, f"F{name}"]), st.lists(names, max_size=4), names)
trees = st.dictionaries(paths, st.tuples(st.binary(max_size=200), st.sampled_from([0o644, 0o755, 0o600])), max_size=12)


def archive_of(tree: dict[str, tuple[bytes, int]]) -> bytes:
    archive = Archive()
    for name, (content, mode) in tree.items():
        archive.file(name, content, mode)
    return archive.finish()


@given(trees)
def test_files_come_out_as_they_went_in_with_their_folders_first(tree: dict[str, tuple[bytes, int]]) -> None:
    found = entries(archive_of(tree))
    files = {e.name: (e.content, stat.S_IMODE(e.mode)) for e in found if stat.S_ISREG(e.mode)}
    assert files == tree
    seen: set[str] = set()
    for entry in found:
        folder = entry.name.rpartition("/")[0]
        assert not folder or folder in seen
        assert entry.name not in seen
        assert entry.uid == 0
        seen.add(entry.name)
    assert len({e.ino for e in found}) == len(found), "two of the same number would be one file"


def test_the_first_of_a_name_stays() -> None:
    archive = Archive()
    archive.file("bin/ip", b"the real one")
    archive.link("bin/ip", "busybox")
    archive.link("bin/ls", "busybox")
    assert [(e.name, stat.S_IFMT(e.mode), e.content) for e in entries(archive.finish())] == [
        ("bin", stat.S_IFDIR, b""),
        ("bin/ip", stat.S_IFREG, b"the real one"),
        ("bin/ls", stat.S_IFLNK, b"busybox"),
    ]


@pytest.mark.skipif(not shutil.which("cpio"), reason="no cpio here")
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 511, 512, 100_000])
def test_cpio_unpacks_it(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    archive = Archive()
    archive.file("a/b/c", content, 0o640)
    archive.link("a/link", "b/c")
    archive.folder("empty")
    data = archive.finish()
    assert len(data) % 512 == 0
    listed = subprocess.run(["cpio", "-t", "--quiet"], input=data, capture_output=True, check=True)
    assert listed.stderr == b""
    assert listed.stdout.split() == [b"a", b"a/b", b"a/b/c", b"a/link", b"empty"]
    subprocess.run(["cpio", "-i", "--quiet"], input=data, capture_output=True, check=True, cwd=tmp_path)
    assert (tmp_path / "a/link").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "a/b/c").stat().st_mode) == 0o640
    assert (tmp_path / "empty").is_dir()


def test_a_dynamic_program_brings_its_loader_and_its_libraries() -> None:
    found = libraries(Path("/bin/ls"))
    assert any(p.name.startswith("ld-") for p in found)
    assert any(p.name.startswith("libc.") for p in found)
    assert all(p.is_absolute() and p.exists() for p in found)


def test_a_script_brings_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert libraries(script) == []


def some_probe(tmp_path: Path) -> Path:
    path = tmp_path / "probe"
    path.write_bytes(b"the probe")
    return path


@pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox here")
def test_what_is_built_has_all_that_its_init_asks_for(tmp_path: Path) -> None:
    module = tmp_path / "virtio-net.ko"
    module.write_bytes(b"a module")
    data = build(
        init=GUEST_INIT, probe=some_probe(tmp_path), modules=[module], programs=["ls", "latlab-no-such-program"],
        later={"ptp_kvm": [module, module]},
    )  # fmt: skip
    found = {e.name: e for e in entries(data)}
    assert found["init"].content.startswith(b"#!/bin/busybox sh\n")
    assert found["bin/latlab-probe"].content == b"the probe"
    assert found["modules/00-virtio-net.ko"].content == b"a module"
    later = [name for name in found if name.startswith(f"{LATER_FOLDER[1:]}/ptp_kvm/")]
    assert [name.rpartition("/")[2] for name in later] == ["00-virtio-net.ko", "01-virtio-net.ko"]
    assert stat.S_ISREG(found["bin/ls"].mode), "the real program, not busybox's"
    assert found["bin/mount"].content == b"busybox"
    assert not any("latlab-no-such-program" in name for name in found)
    for folder in ("proc", "sys", "dev", "run", "tmp"):
        assert stat.S_ISDIR(found[folder].mode)
    assert all(e.mode & 0o100 for name, e in found.items() if name.startswith("bin/") or name == "init")


def test_the_same_content_is_the_same_archive(tmp_path: Path) -> None:
    tree = {"a/Fb": (b"x", 0o644)}
    assert archive_of(tree) == archive_of(tree)


def test_without_busybox_there_is_no_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="busybox is not installed") as caught:
        build(init="", probe=some_probe(tmp_path), modules=[])
    assert "scripts/setup" in caught.value.hint


def test_an_archive_is_kept_once_under_its_content_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, again, other = (initramfs._kept(data) for data in (b"one", b"one", b"two"))
    assert first == again
    assert first != other
    assert first.read_bytes() == b"one"
    assert sorted(first.parent.iterdir()) == sorted([first, other])


def test_a_cache_that_cannot_be_written_to_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latlab").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(BenchError, match="latlab/initramfs: the guest's files cannot be kept there") as caught:
        initramfs._kept(b"one")
    assert "XDG_CACHE_HOME" in caught.value.hint


@pytest.mark.parametrize("init", [GUEST_INIT, HOST_INIT])
def test_an_init_is_a_shell_script_without_mistakes_of_grammar(init: str, tmp_path: Path) -> None:
    script = tmp_path / "init"
    script.write_text(init)
    assert subprocess.run(["sh", "-n", str(script)], capture_output=True, check=False).stderr == b""
