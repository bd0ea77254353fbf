# SPDX-License-Identifier: Apache-2.0
"""A Linux kernel that is not running here: its image, its modules, their order.

Kernels come from the distribution's own packages, unpacked by `scripts/setup kernel` into
`$XDG_CACHE_HOME/latlab/kernels/<release>/{boot,lib/modules}`; any other tree of the same form does as well.
"""

from __future__ import annotations

import gzip
import lzma
import os
import pwd
import re
import subprocess
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from latlab.errors import BenchError


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latlab"


def kernels_folder() -> Path:
    """Where unpacked kernels are: in our cache, else, under sudo, in that of the user who called us.

    Set-up runs as a user, the local bench as root.
    """
    own = cache_folder() / "kernels"
    user = os.environ.get("SUDO_USER", "")
    # os.access: with a HOME that is another user's, asking whether it exists is an error.
    if os.access(own / "current", os.F_OK) or os.geteuid() != 0 or not user:
        return own
    try:
        theirs = Path(pwd.getpwnam(user).pw_dir) / ".cache/latlab/kernels"
    except KeyError:
        return own  # a user of another machine or name service
    return theirs if (theirs / "current").exists() else own


@dataclass(frozen=True)
class Kernel:
    """`root` holds `boot/vmlinuz-<release>` and `lib/modules/<release>`."""

    release: str
    image: Path
    root: Path

    @property
    def modules_folder(self) -> Path:
        return self.root / "lib/modules" / self.release

    @cached_property
    def _dependencies(self) -> dict[str, tuple[str, list[str]]]:
        """Name of a module -> its file and the files that must be loaded before it."""
        lines = (self.modules_folder / "modules.dep").read_text().splitlines()
        table = {}
        for line in lines:
            file, _, needs = line.partition(":")
            table[module_name(file)] = (file, needs.split())
        return table

    @cached_property
    def _builtin(self) -> frozenset[str]:
        lines = (self.modules_folder / "modules.builtin").read_text().splitlines()
        return frozenset(module_name(line) for line in lines)

    def has(self, module: str) -> bool:
        """Whether the kernel can do it, built in or as a module."""
        name = module.replace("-", "_")
        return name in self._builtin or name in self._dependencies

    def load_order(self, modules: tuple[str, ...]) -> list[Path]:
        """The files to load, each after those it needs. BenchError names the modules that this kernel lacks."""
        missing = [m for m in modules if not self.has(m)]
        if missing:
            raise BenchError(
                f"kernel {self.release} has no module {', '.join(missing)}",
                hint="Use a distribution's kernel of 6.1 or later: scripts/setup kernel fetches one.",
            )
        order: dict[str, None] = {}
        for name in (m.replace("-", "_") for m in modules):
            if name in self._dependencies:
                file, needs = self._dependencies[name]
                order |= dict.fromkeys([*reversed(needs), file])
        return [self.modules_folder / file for file in order]


def module_name(file: str) -> str:
    """`kernel/net/llc/llc.ko.xz` -> `llc`; the kernel's own spelling, with underscores."""
    return file.rsplit("/", 1)[-1].partition(".ko")[0].replace("-", "_")


def read_module(path: Path) -> bytes:
    """A module as insmod wants it: Debian 13 packs them with xz, Ubuntu with zstd. BenchError when it is damaged."""
    try:
        if path.suffix == ".xz":
            return lzma.decompress(path.read_bytes())
        if path.suffix == ".gz":
            return gzip.decompress(path.read_bytes())
        if path.suffix == ".zst":
            return subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
        return path.read_bytes()
    except (OSError, EOFError, zlib.error, lzma.LZMAError, subprocess.CalledProcessError) as e:
        hint = "Install zstd." if path.suffix == ".zst" else "Fetch the kernel again: scripts/setup kernel"
        raise BenchError(f"{path}: cannot be unpacked: {e}", hint=hint) from e


def _by_version(image: Path) -> list[tuple[int, str]]:
    """Numbers as numbers: 6.12 comes after 6.9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", image.name)]


def find_kernel(wanted: str | None = None) -> Kernel:
    """The kernel for virtual machines: `wanted` (an image's path, or a folder as above), else the newest unpacked one.

    BenchError when there is none, when its modules are not beside it, or when this user may not read them.
    """
    root = Path(wanted) if wanted else kernels_folder() / "current"
    try:
        return _kernel_in(root)
    except PermissionError:
        raise BenchError(f"{root} is not readable to this user", hint="Run: scripts/setup kernel") from None


def _kernel_in(root: Path) -> Kernel:
    if root.is_file():
        # /boot/vmlinuz-6.12.95+deb12-amd64 -> / and 6.12.95+deb12-amd64
        images, root = [root], root.absolute().parent.parent
    else:
        root = root.resolve()
        images = sorted(root.glob("boot/vmlinuz-*"), key=_by_version)
    for image in reversed(images):
        release = image.name.partition("-")[2]
        kernel = Kernel(release, image, root)
        if not (kernel.modules_folder / "modules.dep").exists():
            continue
        if not os.access(image, os.R_OK):
            # Ubuntu's own images in /boot are for root alone.
            raise BenchError(f"{image} is not readable to this user", hint="Run: scripts/setup kernel")
        return kernel
    raise BenchError(
        f"no kernel for virtual machines in {root}"
        if not images
        else f"the modules of {images[-1]} are not in {root}/lib/modules",
        hint="Run: scripts/setup kernel",
    )
