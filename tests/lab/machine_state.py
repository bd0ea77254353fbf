# SPDX-License-Identifier: Apache-2.0
"""What this machine looks like to a careful administrator, as lines of text, so that two moments can be compared.

Left out, each for a reason: packet counters and lifetimes of addresses (they change by themselves); neighbour caches
and what bridges have learnt (caches, gone with the interfaces); lock files (empty, and free once nobody holds them);
sysctls that count or that the kernel changes by itself (`MOVING_SYSCTLS`); the numbers of interfaces (the kernel counts
up). Journals and folders of agents that live are theirs; of dead ones they are leftovers. A machine that cannot be read
fails the test: two empty states would be equal.

`python -m tests.lab.machine_state` prints it as JSON, so that a test can ask for it inside an emulated host too.

Where something else makes interfaces or namespaces meanwhile, LATLAB_LAB_IGNORE holds the beginnings of their names,
separated by blanks.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MARK = "LATLAB_LAB_TEST"
"""In the environment of every program that a test starts, so of what those start too: tells ours from all others."""

IGNORED = tuple(os.environ.get("LATLAB_LAB_IGNORE", "").split())
MOVING_SYSCTLS = (
    "net.netfilter.nf_conntrack_count",  # a count
    "net.ipv4.tcp_fastopen_key",  # made when it is first read
    "net.ipv6.conf.default.stable_secret",  # the same
)
MOVING_FIELDS = frozenset(
    ("preferred_life_time", "valid_life_time", "operstate", "stats", "stats64", "gc_timer", "hello_timer", "tcn_timer",
     "topology_change_timer", "expires", "age", "refcnt", "ifindex")
)  # fmt: skip

NEVER_EMPTY = ("links", "addresses", "routes", "rules", "qdiscs", "sysctls", "interrupt affinities")
"""Every machine has a loopback interface with addresses, routes and a qdisc, and interrupts."""

SETTLED_S = 4.0
"""An interface that comes back is without its link-local address until nobody else has claimed it (RFC 4862)."""

State = Mapping[str, frozenset[str]]


def read_state() -> State:
    """Every part of the machine that latlab could have changed: its name -> its lines. AssertionError if one of those
    that every machine has is empty, CalledProcessError if a tool fails: then nothing can be compared."""
    state = {
        "links": frozenset(_ip("-d", "link", "show")),
        "addresses": frozenset(_ip("addr", "show")),
        "routes": frozenset([*_ip("-4", "route", "show", "table", "all"), *_ip("-6", "route", "show", "table", "all")]),
        "rules": frozenset([*_ip("-4", "rule", "show"), *_ip("-6", "rule", "show")]),
        "namespaces": frozenset(name for name in _names("/run/netns") if not name.startswith(IGNORED)),
        "qdiscs": frozenset(_lines_of_json(_output("tc", "-j", "qdisc", "show"))),
        "bridge ports": frozenset(_lines_of_json(_output("bridge", "-j", "link", "show"))),
        "forwarding entries": frozenset(
            line for line in _lines_of_json(_output("bridge", "-j", "fdb", "show")) if "permanent" in line
        ),
        "sysctls": frozenset(_sysctls()),
        "interrupt affinities": frozenset(_interrupt_affinities()),
        "folders": frozenset(_left_folders()),
        "journals": frozenset(_left_journals()),
        "drivers": frozenset(_drivers()),
        "features": frozenset(_features()),
        "mounts": frozenset(_mounts()),
        "BPF pins": frozenset(_pins()),
        "BPF programs": frozenset(_programs()),
        "hugepages": frozenset(_hugepages()),
        "Open vSwitch": frozenset(_open_vswitch()),
        "state files": frozenset(p.name for p in _state_folder().glob("kept-*")),
    }
    empty = [part for part in NEVER_EMPTY if not state[part]]
    assert empty == [], f"nothing could be read of: {', '.join(empty)}"
    return state


def differences(before: State, after: State) -> list[str]:
    """One line for everything that appeared (+) or vanished (-)."""
    found = []
    for part in before:
        found += [f"{part}: - {line}" for line in sorted(before[part] - after[part])]
        found += [f"{part}: + {line}" for line in sorted(after[part] - before[part])]
    return found


def lasting_differences(before: State, limit_s: float = SETTLED_S) -> list[str]:
    """The differences that are still there when the kernel has had its time."""
    limit = time.monotonic() + limit_s
    while (found := differences(before, read_state())) and time.monotonic() < limit:
        time.sleep(0.2)
    return found


def marked_processes(mark: str) -> dict[int, str]:
    """Processes that run with `mark` in their environment: pid -> command line."""
    needle = f"{MARK}={mark}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if needle in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                found[int(folder.name)] = " ".join(word.decode(errors="replace") for word in words)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is another user's
    return {pid: line for pid, line in found.items() if line}  # an empty one is a zombie: dead, not yet reaped


def _output(*argv: str) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _stable(v) for k, v in value.items() if k not in MOVING_FIELDS}
    return [_stable(v) for v in value] if isinstance(value, list) else value


def _lines_of_json(text: str) -> Iterable[str]:
    for entry in json.loads(text or "[]"):
        name = entry.get("ifname") or entry.get("dev") or ""
        if not str(name).startswith(IGNORED):
            yield json.dumps(_stable(entry), sort_keys=True)


def _ip(*words: str) -> Iterable[str]:
    return _lines_of_json(_output("ip", "-j", *words))


def _names(folder: str) -> list[str]:
    return [p.name for p in Path(folder).iterdir()] if Path(folder).is_dir() else []


def _sysctls() -> Iterable[str]:
    """All of net.*, and of kernel.* what is about scheduling."""
    for line in _output("sysctl", "-a").splitlines():
        if line.startswith(("net.", "kernel.sched")) and not line.startswith(MOVING_SYSCTLS):
            parts = line.split(" = ")[0].split(".")
            if not any(part.startswith(IGNORED) for part in parts):
                yield line


def _interrupt_affinities() -> Iterable[str]:
    for file in sorted(Path("/proc/irq").glob("*/smp_affinity")):
        # A line without a handler is nobody's: the kernel keeps what it once gave a number.
        if any(path.is_dir() for path in file.parent.iterdir()):
            yield f"{file.parent.name}: {file.read_text().strip()}"


def _state_folder() -> Path:
    return Path("/run/latlab")


def _journals() -> dict[str, bool]:
    """Id of each agent that has a journal -> whether that agent lives."""
    found = {}
    for path in _state_folder().glob("*.journal"):
        try:
            with path.open("rb") as f:
                found[path.stem] = _is_locked(f.fileno())
        except FileNotFoundError:
            continue  # its agent ended while we looked
    return found


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _left_journals() -> Iterable[str]:
    return (name for name, lives in _journals().items() if not lives)


def _left_folders() -> Iterable[str]:
    """/tmp/latlab-<agent>-<machine>, if that agent lives no more."""
    living = {name for name, lives in _journals().items() if lives}
    for path in Path("/tmp").glob("latlab-*-*"):
        agent = path.name.split("-")[1]
        if path.is_dir() and len(agent) == 16 and agent not in living:
            yield path.name


def _drivers() -> Iterable[str]:
    """Of each PCI device: its driver, the one that it is reserved for, and its virtual functions."""
    for device in sorted(Path("/sys/bus/pci/devices").glob("*")):
        driver = (device / "driver").resolve().name if (device / "driver").exists() else "none"
        found = [_text(device / name) for name in ("driver_override", "sriov_numvfs", "sriov_drivers_autoprobe")]
        yield f"{device.name}: {driver} {' '.join(found)}"


def _features() -> Iterable[str]:
    """Offloads and queues of each interface that can be asked."""
    for name in sorted(_names("/sys/class/net")):
        if name.startswith(IGNORED):
            continue
        for words in (("--json", "-k", name), ("-l", name)):
            done = subprocess.run(["ethtool", *words], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                yield f"{name}: {done.stdout}"


def _mounts() -> Iterable[str]:
    return (line for line in _text(Path("/proc/self/mounts")).splitlines() if " /run/netns" not in line)


def _pins() -> Iterable[str]:
    return (str(path) for path in Path("/sys/fs/bpf").rglob("*"))


def _programs() -> Iterable[str]:
    """XDP programs that are loaded, wherever they are attached or pinned."""
    if shutil.which("bpftool") is None:
        return
    for program in json.loads(_output("bpftool", "-j", "prog", "show") or "[]"):
        if program["type"] == "xdp":
            yield f"{program['id']} {program.get('name')}"


def _hugepages() -> Iterable[str]:
    for file in sorted(Path("/sys/kernel/mm/hugepages").glob("*/nr_hugepages")):
        yield f"{file.parent.name}: {_text(file)}"


def _open_vswitch() -> Iterable[str]:
    for file in Path("/proc").glob("[0-9]*/comm"):
        if _text(file).startswith(("ovs-", "ovsdb-")):
            yield f"process {_text(file)}"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # this device has no such file, or it is gone


def is_root() -> bool:
    return os.geteuid() == 0


def state_from(text: str) -> State:
    """What `python -m tests.lab.machine_state` printed somewhere else."""
    return {part: frozenset(lines) for part, lines in json.loads(text).items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({part: sorted(lines) for part, lines in read_state().items()}) + "\n")
