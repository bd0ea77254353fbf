# SPDX-License-Identifier: Apache-2.0
"""Build hook: the static probe for every architecture, and the XDP forwarder, compiled by the zig that PyPI carries.

Any machine can build the wheel for all: there is no system compiler, and the probes are linked statically against
musl, so the wheel is pure Python to its installer (py3-none-any) and a probe runs on any Linux of its architecture.
The forwarder is BPF code, the same for all of them.
The scenarios and benches at the top of the tree become `latlab/presets/` in the wheel; an editable install reads
them where they are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARCHITECTURES = ("x86_64", "aarch64")
CFLAGS = ("-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-s")
# BTF, which describes the maps, is made of what -g collects. Unwind tables mean nothing to a BPF loader.
BPF_FLAGS = ("-target", "bpfel-freestanding-none", "-O2", "-g", "-std=gnu11", "-fno-unwind-tables", "-Wall", "-Wextra",
             "-Werror")  # fmt: skip
PRESETS = ("scenarios", "benches")


def is_stale(target: Path, sources: list[Path]) -> bool:
    """Whether `target` is absent, or older than one of `sources`."""
    return not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources)


def build_probes(root: Path) -> None:
    """Compile `probe/*.c` into `src/latlab/_bin/latlab-probe-ARCHITECTURE`, where that is out of date.

    All architectures at once: the first time, most of a minute goes into each one's C library.
    Raises subprocess.CalledProcessError when the compiler failed; it has then said why on standard error.
    """
    sources = sorted(root.glob("probe/*.c"))
    # The folder itself is newer when a file came or went.
    inputs = [*sources, *root.glob("probe/*.h"), root / "probe", Path(__file__)]
    targets = {name: root / "src/latlab/_bin" / f"latlab-probe-{name}" for name in ARCHITECTURES}
    stale = {name: target for name, target in targets.items() if sources and is_stale(target, inputs)}

    compilers = []
    for name, target in stale.items():
        target.parent.mkdir(exist_ok=True)
        # Renamed when done: an interrupted build leaves no half a probe that looks fresh.
        argv = [sys.executable, "-m", "ziglang", "cc", "-target", f"{name}-linux-musl", *CFLAGS]
        argv += ["-o", f"{target}.new", *map(str, sources)]
        compilers.append((subprocess.Popen(argv), argv, target))
    for compiler, _, _ in compilers:
        compiler.wait()
    for compiler, argv, target in compilers:
        if compiler.returncode != 0:
            raise subprocess.CalledProcessError(compiler.returncode, argv)
        Path(f"{target}.new").replace(target)


def build_forwarder(root: Path) -> None:
    """Compile `bpf/forward.bpf.c` into `src/latlab/_bin/forward.bpf.o`, if that is out of date.

    Raises subprocess.CalledProcessError when the compiler failed; it has then said why on standard error.
    """
    source, target = root / "bpf/forward.bpf.c", root / "src/latlab/_bin/forward.bpf.o"
    if not source.exists() or not is_stale(target, [source, *root.glob("bpf/*.h"), Path(__file__)]):
        return
    target.parent.mkdir(exist_ok=True)
    # No path of this machine's in what is debugging information too.
    flags = [*BPF_FLAGS, f"-ffile-prefix-map={root}=."]
    argv = [sys.executable, "-m", "ziglang", "cc", *flags, "-c", "-o", f"{target}.new", str(source)]
    subprocess.run(argv, check=True)
    Path(f"{target}.new").replace(target)


class ProbeHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before every wheel, normal or editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        build_probes(root)
        build_forwarder(root)
        if version == "standard":
            presets = [name for name in PRESETS if (root / name).is_dir()]
            build_data["force_include"].update({name: f"latlab/presets/{name}" for name in presets})
