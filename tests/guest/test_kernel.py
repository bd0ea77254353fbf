# SPDX-License-Identifier: Apache-2.0
"""Kernels that do not run here: found, their modules in order, whatever they are packed with."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import BenchError
from latlab.guest.kernel import Kernel, find_kernel, module_name, read_module


def make_kernel(root: Path, release: str = "6.12.1-test", dep: str = "", builtin: str = "") -> Path:
    modules = root / "lib/modules" / release
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text(dep)
    (modules / "modules.builtin").write_text(builtin)
    image = root / "boot" / f"vmlinuz-{release}"
    image.parent.mkdir(exist_ok=True)
    image.write_bytes(b"an image")
    return image


@st.composite
def dependencies(draw: st.DrawFn) -> dict[str, list[str]]:
    """Modules m0, m1, ... each of which may need some before it, directly."""
    count = draw(st.integers(1, 12))
    return {
        f"m{n}": draw(st.lists(st.sampled_from([f"m{k}" for k in range(n)]), unique=True) if n else st.just([]))
        for n in range(count)
    }


def closure(direct: dict[str, list[str]], name: str) -> list[str]:
    """As depmod writes it: all that `name` needs, those needed first at the end."""
    order: list[str] = []

    def visit(n: str) -> None:
        for need in direct[n]:
            visit(need)
        if n not in order:
            order.append(n)

    visit(name)
    return order[-2::-1]


@given(direct=dependencies(), data=st.data())
def test_every_module_comes_once_and_after_all_that_it_needs(direct: dict[str, list[str]], data: st.DataObject) -> None:
    wanted = tuple(data.draw(st.lists(st.sampled_from(sorted(direct)), min_size=1, unique=True)))
    kernel = Kernel("r", Path("image"), Path("/root"))
    kernel.__dict__["_builtin"] = frozenset()
    kernel.__dict__["_dependencies"] = {
        name: (f"kernel/{name}.ko", [f"kernel/{need}.ko" for need in closure(direct, name)]) for name in direct
    }
    order = [module_name(str(p)) for p in kernel.load_order(wanted)]
    assert len(set(order)) == len(order)
    assert set(order) == {*wanted, *(need for name in wanted for need in closure(direct, name))}
    for name in order:
        assert all(order.index(need) < order.index(name) for need in direct[name])


def test_the_order_from_files_as_depmod_writes_them(tmp_path: Path) -> None:
    make_kernel(
        tmp_path,
        dep="kernel/net/llc/llc.ko.xz:\n"
        "kernel/net/802/stp.ko.xz: kernel/net/llc/llc.ko.xz\n"
        "kernel/net/bridge/bridge.ko.xz: kernel/net/802/stp.ko.xz kernel/net/llc/llc.ko.xz\n"
        "kernel/net/9p/9pnet-virtio.ko.xz:\n",
        builtin="kernel/drivers/virtio/virtio-pci.ko\n",
    )
    kernel = find_kernel(str(tmp_path))
    order = kernel.load_order(("virtio_pci", "bridge", "9pnet_virtio", "stp"))
    assert [p.relative_to(kernel.modules_folder).as_posix() for p in order] == [
        "kernel/net/llc/llc.ko.xz",
        "kernel/net/802/stp.ko.xz",
        "kernel/net/bridge/bridge.ko.xz",
        "kernel/net/9p/9pnet-virtio.ko.xz",
    ]
    assert kernel.has("virtio-pci")
    assert not kernel.has("vhost_net")


def test_missing_modules_are_all_named(tmp_path: Path) -> None:
    make_kernel(tmp_path, dep="kernel/tap.ko:\n")
    with pytest.raises(BenchError, match=r"kernel 6\.12\.1-test has no module virtio_net, vhost_net") as caught:
        find_kernel(str(tmp_path)).load_order(("virtio_net", "tap", "vhost_net"))
    assert "scripts/setup kernel" in caught.value.hint


CONTENT = b"\x7fELF a module" * 100


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_a_module_is_unpacked_whatever_it_is_packed_with(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.ko{suffix}"
    if suffix == ".zst":
        if not shutil.which("zstd"):
            pytest.skip("no zstd here")
        path.write_bytes(subprocess.run(["zstd", "-cq"], input=CONTENT, capture_output=True, check=True).stdout)
    else:
        packed = {"": CONTENT, ".gz": gzip.compress(CONTENT), ".xz": lzma.compress(CONTENT)}
        path.write_bytes(packed[suffix])
    assert read_module(path) == CONTENT


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_a_module_that_is_damaged_is_an_error_that_names_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.ko{suffix}"
    path.write_bytes(b"not packed at all")
    with pytest.raises(BenchError, match=f"a.ko{suffix}: cannot be unpacked"):
        read_module(path)


def test_zstd_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "a.ko.zst"
    path.write_bytes(b"x")
    with pytest.raises(BenchError) as caught:
        read_module(path)
    assert caught.value.hint == "Install zstd."


def test_by_an_image_or_by_its_folder(tmp_path: Path) -> None:
    image = make_kernel(tmp_path)
    for wanted in (str(image), str(tmp_path)):
        found = find_kernel(wanted)
        assert (found.release, found.image, found.root) == ("6.12.1-test", image, tmp_path)


def test_the_current_one_of_the_cache_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "latlab/kernels/6.12.1-test"
    make_kernel(folder)
    (folder.parent / "current").symlink_to("6.12.1-test")
    assert find_kernel().root == folder


def test_of_several_the_newest_by_its_numbers(tmp_path: Path) -> None:
    for release in ("6.9.1-amd64", "6.12.3-amd64", "6.12.20-amd64", "5.10.0-30-amd64"):
        make_kernel(tmp_path, release)
    assert find_kernel(str(tmp_path)).release == "6.12.20-amd64"
    (tmp_path / "lib/modules/6.12.20-amd64/modules.dep").unlink()
    assert find_kernel(str(tmp_path)).release == "6.12.3-amd64"


def test_no_kernel_no_modules_or_not_for_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match=f"no kernel for virtual machines in {tmp_path}") as caught:
        find_kernel(str(tmp_path))
    assert caught.value.hint == "Run: scripts/setup kernel"
    image = make_kernel(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BenchError, match=f"{image} is not readable to this user"):
        find_kernel(str(tmp_path))
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "lib")
    with pytest.raises(BenchError, match=f"the modules of {image} are not in {tmp_path}/lib/modules"):
        find_kernel(str(image))


def test_under_sudo_the_caller_s_kernels_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up ran as the user; root's own come first, when it has any."""
    home, own = tmp_path / "home", tmp_path / "root"
    for folder in (home / ".cache/latlab/kernels/6.12.1-test", own / "latlab/kernels/6.12.1-test"):
        make_kernel(folder)
        (folder.parent / "current").symlink_to("6.12.1-test")
    entry = SimpleNamespace(pw_dir=str(home))
    monkeypatch.setattr("latlab.guest.kernel.pwd.getpwnam", {"maria": entry}.__getitem__)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("SUDO_USER", "nobody-known")
    with pytest.raises(BenchError):
        find_kernel()
    monkeypatch.setenv("SUDO_USER", "maria")
    assert find_kernel().root == home / ".cache/latlab/kernels/6.12.1-test"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BenchError):
        find_kernel()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(own))
    assert find_kernel().root == own / "latlab/kernels/6.12.1-test"
