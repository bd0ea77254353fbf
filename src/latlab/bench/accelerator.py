# SPDX-License-Identifier: Apache-2.0
"""Whether KVM on a host can really run a guest. A `/dev/kvm` that opens is no proof: a trial guest is."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Literal

from latlab.errors import BenchError
from latlab.guest.kernel import Kernel
from latlab.hosts.host import Host

TRIAL_LIMIT_S = 2.0
"""A kernel under working KVM says its first words within 0.2 s; one that cannot run fails within 0.1 s."""

FIRST_WORDS = "Linux version"


@dataclass(frozen=True)
class Accelerator:
    """`reason` says in one line why it is this one."""

    name: Literal["kvm", "tcg"]
    reason: str


def choose(host: Host, kernel: Kernel, wanted: Literal["auto", "kvm", "tcg"], *, nested: bool = False) -> Accelerator:
    """What guests on this host will run under. `nested`: the guest must be able to run guests itself.

    BenchError when `kvm` is wanted and does not work, or when there is no QEMU at all.
    """
    qemu = f"qemu-system-{host.facts.machine}"
    if not host.has(qemu):
        package = "qemu-system-x86" if host.facts.machine == "x86_64" else "qemu-system-arm"
        raise BenchError(f"{qemu} is not installed on {host.name}", hint=f"Debian and Ubuntu: apt install {package}")
    if wanted == "tcg":
        return Accelerator("tcg", "as the bench file asks")
    obstacle = kvm_obstacle(host, kernel) or (nested_obstacle(host) if nested else None)
    if obstacle is None:
        return Accelerator("kvm", "a trial guest ran")
    if wanted == "kvm":
        raise BenchError(f"{host.name}: KVM does not work here: {obstacle}", hint="Use accelerator: auto or tcg.")
    return Accelerator("tcg", f"KVM does not work here: {obstacle}")


def kvm_obstacle(host: Host, kernel: Kernel) -> str | None:
    """Why KVM cannot run a guest, or `None` when a trial guest said its first words."""
    if host.run_plain(["test", "-e", "/dev/kvm"]).exit_code:
        return "there is no /dev/kvm"
    if host.run_plain(["test", "-r", "/dev/kvm", "-a", "-w", "/dev/kvm"]).exit_code:
        return "/dev/kvm is not open to this user (group kvm)"
    x86 = host.facts.machine == "x86_64"
    console = "earlyprintk=serial,ttyS0 console=ttyS0" if x86 else "earlycon console=ttyAMA0"
    trial = host.start(
        [
            f"qemu-system-{host.facts.machine}",
            "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
            # gic-version=max: the one that the host's KVM has; the default, 2, is not there on every board.
            "-accel", "kvm", "-machine", "q35" if x86 else "virt,gic-version=max", "-cpu", "host",
            "-m", "128M", "-serial", "stdio",
            # No root file system: the trial ends with a panic, after the words that we wait for.
            "-kernel", str(host.bring(kernel.image)), "-append", f"{console} panic=-1",
        ]
    )  # fmt: skip
    limit = time.monotonic() + TRIAL_LIMIT_S
    try:
        while time.monotonic() < limit:
            if trial.wait_for_output(FIRST_WORDS, 0.05):
                return None
            # QEMU prints the registers, stays paused, and says nothing more.
            if "emulation failure" in trial.stderr:
                return "a trial guest stopped at once (KVM emulation failure)"
            if not trial.running:
                return _words(trial.stderr) or "a trial guest ended at once"
        return f"a trial guest said nothing within {TRIAL_LIMIT_S:g} s"
    finally:
        trial.stop()


def _words(stderr: str) -> str:
    """The last thing that QEMU said, without its own name and source file in front."""
    lines = stderr.strip().splitlines()
    return "QEMU: " + re.sub(r"^(qemu-system-[^:]*: )?(\S+\.c:\d+: )?", "", lines[-1]) if lines else ""


def nested_obstacle(host: Host) -> str | None:
    """Why a guest here cannot run guests itself, where KVM works."""
    for module in ("kvm_intel", "kvm_amd"):
        result = host.run_plain(["cat", f"/sys/module/{module}/parameters/nested"])
        if not result.exit_code:
            return None if result.stdout.strip() in ("1", "Y") else f"nested guests are off ({module}.nested=0)"
    return None
