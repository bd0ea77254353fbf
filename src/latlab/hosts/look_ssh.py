# SPDX-License-Identifier: Apache-2.0
"""Looking at a machine over ssh without changing anything there: no agent, no file, only commands that read.

    with looking("hypervisor", SshTarget("board1")) as host:
        host.run(["ip", "link"])

One connection for all commands, as for an agent (see `hosts.ssh`).
"""

from __future__ import annotations

import select
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from latlab.errors import HostError
from latlab.hosts import interrupt
from latlab.hosts.channel import Facts
from latlab.hosts.host import Result
from latlab.hosts.look import OnlyLooking, on_this_machine
from latlab.hosts.ssh import CONNECTED, LOGIN_LIMIT_S, MOST_PATIENCE_S, SshTarget, by_hand, refusal, ssh_command

FACTS = "uname -s; uname -m; uname -r; nproc; id -u; test $(id -u) = 0 || sudo -n true 2>/dev/null && echo root"
LOOK_S = 0.1


class OverSsh(OnlyLooking):
    """As root there, by the login or by `sudo -n`; as the login's user where neither can be had."""

    def __init__(self, name: str, target: SshTarget, folder: str) -> None:
        """HostError when it is no Linux."""
        self.name, self.netns = name, None
        self._ssh = [*ssh_command(target, folder), "--", target.destination]
        said = on_this_machine([*self._ssh, FACTS])
        # What a login shell's own files print comes before it.
        words = said.stdout.split()
        if "Linux" not in words or len(facts := words[words.index("Linux") + 1 :]) < 4:
            last = (said.stderr.strip() or said.stdout.strip() or "nothing").splitlines()[-1]
            raise HostError(name, f"not a Linux that takes commands over ssh: it said: {last}")
        machine, kernel, cpus, uid = facts[:4]
        may = "root" in facts[4:]
        self._prefix = ["sudo", "-n", "--"] if may and uid != "0" else []
        self._facts = Facts("", 0, 0 if may else int(uid), machine, kernel, "", int(cpus), [])

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:  # noqa: ARG002
        return on_this_machine([*self._ssh, shlex.join([*self._prefix, *argv])])


@contextmanager
def looking(name: str, target: SshTarget) -> Iterator[OverSsh]:
    """A machine to look at, inside the block. HostError says why it cannot be reached."""
    # Not where TMPDIR says: the path of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="latlab-look-", dir="/tmp") as folder:
        options = ssh_command(target, folder, patience_s=MOST_PATIENCE_S, says_so=True)
        try:
            master = subprocess.Popen(
                [*options, "-M", "-N", "--", target.destination],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except OSError:
            raise HostError(
                "controller", "ssh is not installed", hint="Debian and Ubuntu: apt install openssh-client"
            ) from None
        with master:
            try:
                if not _connected(master):
                    master.terminate()
                    words = master.communicate()[1]
                    last = (words.strip().splitlines() or ["it said nothing"])[-1]
                    why = refusal(target, words) or (
                        f"it does not answer over ssh: {last}",
                        by_hand(target),
                    )
                    raise HostError(name, why[0], hint=why[1])
                yield OverSsh(name, target, folder)
            finally:
                master.terminate()


def _connected(master: subprocess.Popen[str]) -> bool:
    """Whether it says so before it ends, and before the time is over."""
    assert master.stdout
    for _ in range(int(LOGIN_LIMIT_S / LOOK_S)):
        interrupt.check()
        if select.select([master.stdout], [], [], LOOK_S)[0]:
            return CONNECTED in master.stdout.readline()
    return False
