# SPDX-License-Identifier: Apache-2.0
"""A machine over OpenSSH as a host: one connection, the probe carried in through it, an agent at its end.

    host = open_ssh_host(on, "guest", SshTarget("root@board1"))
    ...
    host.close()

`on` is the host that ssh runs on: what is reached from there, and not from here, is reached all the same. One master
holds the connection (ssh_config(5), ControlMaster); everything else goes through it, and ends when it does. There it
needs a Linux with `sh` and `head`, and root: by the login, or by `sudo -n`.
"""

from __future__ import annotations

import re
import secrets
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latlab.errors import HostError
from latlab.hosts.channel import Channel
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host, Process, Result
from latlab.hosts.local import probe_path
from latlab.hosts.relay import RelayStream

CONNECTED = "connected"
LOGIN_LIMIT_S = 60
AGAIN_S = 0.1
FIRST_PATIENCE_S, MOST_PATIENCE_S = 3, 20
"""ConnectTimeout of the first attempt, and of a later one: a machine that boots answers nobody, a slow one late."""
NOT_YET = re.compile("onnection (refused|reset|closed|timed out)|timed out|No route to host|unreachable|Broken pipe")
"""What ssh says of a machine that is not up, or whose ssh server is not."""

COPY_LIMIT_S = 60
END_LIMIT_S = 5

# The probe is a file there only as long as its agent lives: the shell that started the agent removes it, also after
# our death, which the agent notices by the end of its input. /run and /tmp may be mounted noexec. `set -C`: in /tmp
# somebody else may have been there first. Nothing is sent after the probe until its path is read, so `head` may read
# ahead.
INSTALL = """
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C; export PATH LC_ALL; umask 077
f=; made=
trap 'test -z "$f" || rm -f "$f"; test -z "$made" || rmdir /run/latlab 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
for d in /run /tmp /var/tmp /dev/shm "$HOME"; do
    f=$d/latlab-probe-$1
    if (set -C; echo '#!/bin/sh' >"$f") 2>/dev/null; then
        chmod 700 "$f"
        "$f" 2>/dev/null && break
        rm -f "$f"
    fi
    f=
done
test -n "$f" || { echo "no folder there lets a program be written and run" >&2; exit 1; }
head -c "$2" >"$f"
test "$(wc -c <"$f")" -eq "$2" || { echo "there is no room for the probe in $f" >&2; exit 1; }
"$f" --help >/dev/null || { echo "the probe does not run there" >&2; exit 1; }
test -d /run/latlab || made=yes
echo "$f $1"
"$f" agent
exit $?
"""


@dataclass(frozen=True)
class SshTarget:
    """Whom to reach, as ssh's own words for it."""

    destination: str
    """A name of the user's ssh configuration, or [USER@]HOST."""
    port: int | None = None
    key: str | None = None
    """A file with a private key; `None`: what ssh itself would take."""
    config: str | None = None
    """The configuration that ssh reads in the place of the user's."""
    ours: bool = False
    """A machine that we have just started, behind a port of loopback: nobody can know its host key beforehand, so the
    first one is taken, and the user's ssh configuration is not read."""


def ssh_command(
    target: SshTarget, folder: str, *, patience_s: int = MOST_PATIENCE_S, says_so: bool = False
) -> list[str]:
    """ssh's arguments up to, and without, `-- DESTINATION`. `folder` on its host holds the connection's socket. Pure.

    `says_so`: it prints a word once the connection and its socket are there. Without `ours`, the user's configuration
    decides about host keys; nobody is asked, so an unknown one is refused.
    """
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(patience_s),
        # A connection that nobody closed is found out within a minute, even one with a busy machine at its end.
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
        # Only what failed; not a server's banner.
        "LogLevel": "ERROR",
        # What the user's configuration may ask for at a login, and a program must not get.
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "yes" if says_so else "no",
        "LocalCommand": f"echo {CONNECTED}",
        "RemoteCommand": "none",
        "RequestTTY": "no",
        "ControlPersist": "no",
    }
    if target.ours:
        options |= {
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": f"{folder}/known_hosts",
            "GlobalKnownHostsFile": "none",
        }
    config = "none" if target.ours else target.config
    if target.key:
        options["IdentitiesOnly"] = "yes"
    return [
        "ssh",
        *(["-F", config] if config else []),
        *(["-p", str(target.port)] if target.port else []),
        *(["-i", target.key] if target.key else []),
        *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
        "-S", f"{folder}/connection",
    ]  # fmt: skip


def refusal(target: SshTarget, words: str) -> tuple[str, str] | None:
    """What to tell the user of ssh's last words, and what to do; None when another attempt may succeed. Pure."""
    last = (words.strip().splitlines() or ["ssh printed nothing"])[-1]
    to = target.destination
    if "Permission denied" in last or "Too many authentication failures" in last:
        key = f"the key {target.key}" if target.key else "any key that ssh offers"
        unused = next((line for line in words.splitlines() if line.startswith("Load key")), "")
        return f"{to} does not take {key}: {unused or last}", "Its public half belongs into authorized_keys there."
    if "Host key verification failed" in last:
        # The lines before it say whether the key is unknown or another than it was.
        changed = "REMOTE HOST IDENTIFICATION HAS CHANGED" in words
        what = "is another than the one that ssh knows" if changed else "is not known to ssh"
        return (
            f"the host key of {to} {what}",
            f"Look whether it is the right machine, by hand and as the same user: ssh {to}",
        )
    if "Could not resolve hostname" in last:
        return last.removeprefix("ssh: "), "Is it a name of ~/.ssh/config, or a host's?"
    if not words.strip() or NOT_YET.search(last):
        return None
    return f"ssh to {to}: {last}", by_hand(target)


def by_hand(target: SshTarget) -> str:
    """What to do about a machine that is not reached. Pure."""
    return f"Look whether it works by hand, as the same user: ssh {target.destination}"


class Connection:
    """A master, logged in. `run` and `start` are programs at the far end; `close` ends everything that they are."""

    def __init__(self, on: Host, name: str, target: SshTarget, folder: str, master: Process) -> None:
        self._on, self._name, self._target, self._folder, self._master = on, name, target, folder, master

    def _argv(self, command: Sequence[str]) -> list[str]:
        # ssh joins its arguments with blanks, and the far login shell takes them apart again.
        return [*ssh_command(self._target, self._folder), "--", self._target.destination, shlex.join(command)]

    def run(self, command: Sequence[str]) -> Result:
        return self._on.run_plain(self._argv(command))

    def start(self, command: Sequence[str]) -> Process:
        return self._on.start(self._argv(command), stdin=True)

    def close(self) -> None:
        with suppress(HostError):  # lost already
            self._master.stop(END_LIMIT_S)

    def machine(self) -> str:
        """The far machine's architecture, as uname says it. HostError when it is no Linux."""
        result = self.run(["uname", "-s", "-m"])
        # What a login shell's own files print comes before it.
        words = (result.stdout.strip().splitlines() or [""])[-1].split()
        if result.exit_code or len(words) != 2 or words[0] != "Linux":
            said = (result.stderr.strip() or " ".join(words) or "nothing").splitlines()[-1]
            raise HostError(self._name, f"not a Linux that takes commands over ssh: `uname -s -m` said: {said}")
        return words[1]

    def root(self) -> list[str]:
        """What comes before a command to run it as root. HostError when this login cannot."""
        if (self.run(["id", "-u"]).stdout.split() or [""])[-1] == "0":
            return []
        prefix = ["sudo", "-n", "--"]
        result = self.run([*prefix, "true"])
        if result.exit_code:
            said = (result.stderr.strip().splitlines() or ["nothing"])[-1]
            raise HostError(
                self._name,
                f"{self._target.destination} is not root there, and `sudo -n` said: {said}",
                hint="Log in as root, or let sudo ask for no password: USER ALL=(ALL) NOPASSWD: ALL",
            )
        return prefix

    def install(self, probe: bytes) -> tuple[Process, str]:
        """An agent there, and where its probe is. HostError says why the probe cannot be put there, or does not run."""
        mark = secrets.token_hex(8)
        command = [*self.root(), "sh", "-c", INSTALL, "latlab", mark, str(len(probe))]
        shell = self.start(command)
        try:
            shell.write(probe)
            if not shell.wait_for_output(f" {mark}\n", COPY_LIMIT_S):
                if shell.wait_until_ended(0) and (said := shell.stderr.strip()):
                    raise HostError(self._name, said.splitlines()[-1])
                raise HostError(self._name, f"the probe was not copied there within {COPY_LIMIT_S} s")
        except BaseException:
            with suppress(HostError):
                shell.stop()
            raise
        found = re.search(rf"(\S+) {mark}\n", shell.stdout)
        assert found
        return shell, found[1]


class SshStream(RelayStream):
    """An agent's stream over a connection of its own."""

    def __init__(self, connection: Connection, shell: Process) -> None:
        super().__init__(shell)
        self._connection, self._shell = connection, shell

    def close(self) -> None:
        # With its input the agent's life ends, and then the shell's that removes the probe: ssh ends after both.
        self._shell.close_stdin()
        self._shell.wait_until_ended(END_LIMIT_S)
        super().close()
        self._connection.close()


def connect(on: Host, name: str, target: SshTarget, *, limit_s: float = 0,
            alive: Callable[[], bool] = lambda: True) -> Connection:  # fmt: skip
    """Logs in. Whoever does not answer yet is tried again for `limit_s`, as long as it is `alive`.

    HostError names the machine by `name` and says why not.
    """
    if not on.has("ssh"):
        raise HostError(on.name, "ssh is not installed", hint="Debian and Ubuntu: apt install openssh-client")
    if target.key and on.run_plain(["test", "-r", target.key]).exit_code:
        raise HostError(on.name, f"there is no key {target.key} that can be read", hint="Give a private key's file.")
    folder = f"/tmp/latlab-{on.facts.id}-ssh-{name}"
    on.defer(["rm", "-rf", folder])
    on.run(["rm", "-rf", folder])  # of a point before this one
    on.run(["mkdir", "-m", "700", folder])
    until = time.monotonic() + limit_s
    patience_s = float(FIRST_PATIENCE_S if limit_s else MOST_PATIENCE_S)
    while True:
        options = ssh_command(target, folder, patience_s=int(patience_s), says_so=True)
        master = on.start([*options, "-M", "-N", "--", target.destination])
        if _logged_in(master):
            return Connection(on, name, target, folder, master)
        words = master.stderr
        if why := refusal(target, words):
            raise HostError(name, why[0], hint=why[1])
        if time.monotonic() > until or not alive():
            last = (words.strip().splitlines() or ["ssh printed nothing"])[-1]
            if not limit_s:
                raise HostError(name, f"it does not answer over ssh: {last}", hint=by_hand(target))
            raise HostError(name, f"it does not answer over ssh within {limit_s:g} s: {last}")
        patience_s = min(patience_s * 1.5, MOST_PATIENCE_S)
        time.sleep(AGAIN_S)


def _logged_in(master: Process) -> bool:
    """Waits until the master is connected, or has ended. `ConnectTimeout` limits it until the login has begun."""
    try:
        if master.wait_for_output(CONNECTED, LOGIN_LIMIT_S):
            return True
        master.stop()  # an ssh that could not even be started says so here
        return False
    except BaseException:
        with suppress(HostError):
            master.stop()
        raise


def open_ssh_host(on: Host, name: str, target: SshTarget, *, log: CommandLog | None = None, limit_s: float = 0,
                  alive: Callable[[], bool] = lambda: True) -> Host:  # fmt: skip
    """A far machine, with an agent of ours that runs as root. `close` ends it, and the connection. HostError: why not.

    `limit_s`: how long it may take to answer, for a machine that is starting, and is `alive`.
    """
    connection = connect(on, name, target, limit_s=limit_s, alive=alive)
    try:
        probe = Path(probe_path(connection.machine())).read_bytes()
        shell, path = connection.install(probe)
        host = Host(name, Channel(name, SshStream(connection, shell)), probe=path, log=log or on.log)
        host.far = True
        return host
    except BaseException:
        connection.close()
        raise
