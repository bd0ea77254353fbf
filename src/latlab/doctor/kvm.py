# SPDX-License-Identifier: Apache-2.0
"""Whether KVM runs a guest here: the one thing that only a trial tells."""

from __future__ import annotations

from dataclasses import dataclass

from latlab.bench.accelerator import kvm_obstacle
from latlab.bench.lock import dead_journals
from latlab.doctor.finding import Finding
from latlab.errors import BenchError
from latlab.guest.kernel import find_kernel
from latlab.hosts.host import Host
from latlab.hosts.local import open_local_host


@dataclass(frozen=True)
class Trial:
    """`obstacle`: why a guest does not run under KVM, None when one did. `tried` is false when none was started."""

    obstacle: str | None
    tried: bool = True
    remedy: str = ""


def trial(here: Host, wanted_kernel: str | None) -> Trial:
    """Starts a guest that says its first words, or does not; nothing is started when there is no way that it could.

    A guest needs an agent, and an agent undoes what dead ones left; so there must be nothing of that kind.
    """
    if here.run_plain(["test", "-e", "/dev/kvm"]).exit_code:
        return Trial("there is no /dev/kvm", tried=False)
    if here.run_plain(["test", "-r", "/dev/kvm", "-a", "-w", "/dev/kvm"]).exit_code:
        return Trial("/dev/kvm is not open to this user", tried=False, remedy="sudo adduser $USER kvm")
    if not here.has(f"qemu-system-{here.facts.machine}"):
        return Trial("not tried: QEMU is not installed", tried=False)
    if dead_journals():
        why = "not tried: that would undo what a latlab that died has left"
        return Trial(why, tried=False, remedy="latlab cleanup")
    try:
        kernel = find_kernel(wanted_kernel)
        host = open_local_host("this machine")
    except BenchError as error:
        return Trial(f"not tried: {error.message}", tried=False, remedy="scripts/setup")
    try:
        return Trial(kvm_obstacle(host, kernel))
    finally:
        host.close()


def findings(found: Trial) -> tuple[Finding, ...]:
    if found.obstacle is None:
        return (Finding("KVM", "works: a trial guest ran"),)
    cost = "guests are emulated (tcg), some tens of times slower"
    state = f"does not work: {found.obstacle}".rstrip(".") if found.tried else found.obstacle
    return (Finding("KVM", state, cost, found.remedy),)
