# SPDX-License-Identifier: Apache-2.0
"""A host over ssh: how ssh is called, what its last words mean, and an agent carried in through one.

The ssh here is a script that runs what it is given on this machine, in the far machine's place; real ones, and a real
far machine, are in the lab.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from latlab.errors import HostError
from latlab.hosts.host import Host
from latlab.hosts.ssh import SshTarget, open_ssh_host, refusal, ssh_command
from tests.yard import Yard, eventually

TARGET = SshTarget("root@there")
SSH = """#!/bin/sh
# The master stays; a session runs its command. `refusals` holds, line by line, what the first attempts are told.
here=$(dirname "$0")
case " $* " in *" -M "*)
    if test -s "$here/refusals"; then
        head -n 1 "$here/refusals" >&2
        tail -n +2 "$here/refusals" >"$here/rest"; cat "$here/rest" >"$here/refusals"
        exit 255
    fi
    echo connected
    exec sleep 1000 ;;
esac
for command; do :; done
PATH=$here/far:$PATH exec sh -c "$command"
"""


class Near(Host):
    """This machine with the script for an ssh."""

    ssh: Path

    def _place(self, argv: Sequence[str]) -> list[str]:
        return [str(self.ssh), *argv[1:]] if argv[0] == "ssh" else list(argv)

    def has(self, program: str) -> bool:
        return program == "ssh" or super().has(program)


@pytest.fixture
def near(yard: Yard) -> Near:
    folder = yard.room
    (folder / "far").mkdir()
    script(folder / "ssh", SSH)
    script(folder / "far" / "id", "#!/bin/sh\necho 0\n")
    for path in (folder, folder / "far"):
        path.chmod(0o777)
    (folder / "refusals").write_text("")
    (folder / "rest").write_text("")
    for name in ("refusals", "rest"):
        (folder / name).chmod(0o666)
    host = yard.host()
    made = Near(host.name, host.channel, probe=host.probe, log=host.log)
    made.ssh = folder / "ssh"
    return made


def probes() -> set[Path]:
    """What is carried in goes to the first folder that lets a program be written and run."""
    return set(Path("/tmp").glob("latlab-probe-*"))


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def far(near: Near, name: str, text: str) -> None:
    """A program of the far machine's own."""
    script(near.ssh.parent / "far" / name, f"#!/bin/sh\n{text}\n")


def test_an_agent_is_carried_in_and_out_again(near: Near) -> None:
    before = probes()
    host = open_ssh_host(near, "there", TARGET)
    assert host.run(["echo", "hello"]) == "hello\n"
    assert host.facts.machine == near.facts.machine
    assert Path(host.probe).exists()
    assert "usage: latlab-probe" in host.run([host.probe, "--help"])
    host.close()
    assert probes() == before


def test_it_undoes_when_the_one_who_carried_it_is_killed(near: Near, yard: Yard) -> None:
    """And its file is gone: nobody is left to do it but the far machine itself."""
    host = open_ssh_host(near, "there", TARGET)
    mark = yard.room / "undone"
    host.defer(["touch", str(mark)])
    probe = Path(host.probe)
    assert probe.exists()
    yard.kill_agent(near)
    # The carrier's programs are ended by the next agent there, as after every `kill -9`.
    yard.host("next")
    assert eventually(mark.exists)
    assert eventually(lambda: not probe.exists())


def test_what_a_login_shell_prints_does_not_matter(near: Near) -> None:
    script(near.ssh, SSH.replace('exec sh -c "$command"', 'sh -c "echo Welcome; $command"'))
    host = open_ssh_host(near, "there", TARGET)
    assert host.run(["echo", "hello"]) == "hello\n"
    host.close()


def test_sudo_makes_it_root(near: Near, yard: Yard) -> None:
    used = yard.room / "used"
    far(near, "id", "echo 1000")
    far(near, "sudo", f'test "$1 $2" = "-n --" || exit 1; touch {used}; shift 2; exec "$@"')
    open_ssh_host(near, "there", TARGET).close()
    assert used.exists()


def no_root(near: Near) -> None:
    far(near, "id", "echo 1000")
    far(near, "sudo", "echo 'sudo: a password is required' >&2; exit 1")


def other_machine(near: Near) -> None:
    far(near, "uname", "echo Linux riscv64")


def no_linux(near: Near) -> None:
    far(near, "uname", "echo FreeBSD amd64")


def no_room(near: Near) -> None:
    far(near, "head", "exec /usr/bin/head -c 100")


def not_this_probe(near: Near) -> None:
    far(near, "head", "cat >/dev/null & printf '%0*d' \"$2\" 0")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_root, "there: root@there is not root there, and `sudo -n` said: sudo: a password is required"),
        (other_machine, "controller: there is no probe for riscv64"),
        (no_linux, "there: not a Linux that takes commands over ssh: `uname -s -m` said: FreeBSD amd64"),
        (no_room, "there: there is no room for the probe in /"),
        (not_this_probe, "there: the probe does not run there"),
    ],
)
def test_why_it_cannot_be_used(near: Near, spoil: Callable[[Near], None], message: str) -> None:
    before = probes()
    spoil(near)
    with pytest.raises(HostError) as caught:
        open_ssh_host(near, "there", TARGET)
    assert caught.value.message.startswith(message)
    assert eventually(lambda: probes() == before)


def test_one_that_boots_is_waited_for(near: Near) -> None:
    (near.ssh.parent / "refusals").write_text("ssh: connect to host there port 22: Connection refused\n" * 3)
    open_ssh_host(near, "there", TARGET, limit_s=30).close()


@pytest.mark.parametrize(("limit_s", "alive"), [(0, True), (30, False)])
def test_one_that_does_not_come_is_given_up(near: Near, limit_s: float, alive: bool) -> None:
    (near.ssh.parent / "refusals").write_text("Connection closed by 127.0.0.1 port 22\n" * 3)
    with pytest.raises(HostError, match=r"it does not answer over ssh.*: Connection closed by 127\.0\.0\.1 port 22"):
        open_ssh_host(near, "there", TARGET, limit_s=limit_s, alive=lambda: alive)


def test_one_that_refuses_is_not_waited_for(near: Near) -> None:
    (near.ssh.parent / "refusals").write_text("root@there: Permission denied (publickey).\n")
    with pytest.raises(HostError, match=r"root@there does not take any key that ssh offers: .*\(publickey\)") as caught:
        open_ssh_host(near, "there", TARGET, limit_s=30)
    assert "authorized_keys" in caught.value.hint


def test_a_key_that_is_not_there(near: Near) -> None:
    with pytest.raises(HostError, match="there is no key /nothing/here that can be read"):
        open_ssh_host(near, "there", SshTarget("there", key="/nothing/here"))


def options(words: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for flag, word in itertools.pairwise(words) if flag == "-o")


def test_the_user_s_configuration_decides_about_host_keys() -> None:
    words = ssh_command(SshTarget("root@there", 2222, "/key"), "/tmp/f")
    assert words[:5] == ["ssh", "-p", "2222", "-i", "/key"]
    assert words[-2:] == ["-S", "/tmp/f/connection"]
    given = options(words)
    assert not [name for name in given if "HostKey" in name or "KnownHosts" in name]
    assert given["BatchMode"] == "yes"
    assert given["IdentitiesOnly"] == "yes"
    assert "-F" not in words


def test_a_configuration_of_ours_takes_the_place_of_the_user_s() -> None:
    words = ssh_command(SshTarget("peer", config="/tmp/pair/config"), "/tmp/f")
    assert words[:3] == ["ssh", "-F", "/tmp/pair/config"]
    assert not [name for name in options(words) if "HostKey" in name or "KnownHosts" in name]


def test_a_guest_of_our_own_is_known_by_its_first_key() -> None:
    words = ssh_command(SshTarget("root@127.0.0.1", 40000, ours=True), "/tmp/f")
    given = options(words)
    assert words[:3] == ["ssh", "-F", "none"]
    assert given["StrictHostKeyChecking"] == "accept-new"
    assert given["UserKnownHostsFile"] == "/tmp/f/known_hosts"
    assert "IdentitiesOnly" not in given


@pytest.mark.parametrize(
    "words",
    [
        "",
        "ssh: connect to host 127.0.0.1 port 22: Connection refused",
        "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 127.0.0.1 port 40000",
        "Connection timed out during banner exchange\nConnection to 127.0.0.1 port 40000 timed out",
        "ssh: connect to host 10.0.0.1 port 22: No route to host",
        '"System is booting up. Unprivileged users are not permitted to log in yet."\nConnection closed by 10.0.0.1',
    ],
)
def test_one_that_may_yet_come(words: str) -> None:
    assert refusal(TARGET, words) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("root@there: Permission denied (publickey).", "root@there does not take any key that ssh offers"),
        ('Load key "/k": invalid format\nroot@there: Permission denied (publickey).', 'Load key "/k": invalid format'),
        ("No ED25519 host key is known for there.\nHost key verification failed.", "is not known to ssh"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", "is another than"),
        ("ssh: Could not resolve hostname there: Name or service not known", "Could not resolve hostname there"),
        ("Bad owner or permissions on /root/.ssh/config", "Bad owner or permissions on /root/.ssh/config"),
    ],
)
def test_one_that_will_not_come(words: str, message: str) -> None:
    found = refusal(TARGET, words)
    assert found is not None
    assert message in found[0]
    assert found[1]
