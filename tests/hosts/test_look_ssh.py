# SPDX-License-Identifier: Apache-2.0
"""Looking over ssh: what is asked, as whom, and what is said of a machine that cannot be reached.

The ssh here is a script that runs what it is given on this machine, in the far machine's place.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from latlab.errors import HostError
from latlab.hosts.look_ssh import looking
from latlab.hosts.ssh import SshTarget

BOARD = SshTarget("board1")
SSH = """#!/bin/sh
for command; do :; done
case " $* " in
    *" -M "*) cat "$(dirname "$0")/refusal" >&2 || { echo connected; exec sleep 1000; } ; exit 255 ;;
esac
echo Welcome
PATH=$(dirname "$0")/far:$PATH exec sh -c "$command"
"""


@pytest.fixture(autouse=True)
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "far").mkdir()
    script(tmp_path / "ssh", SSH)
    script(tmp_path / "far/sudo", '#!/bin/sh\nshift 2\nexec env AS=root "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def login(folder: Path, uid: int) -> None:
    script(folder / "far/id", f"#!/bin/sh\necho {uid}\n")


def test_what_the_machine_is_and_what_it_says(ssh: Path) -> None:
    login(ssh, 0)
    with looking("hypervisor", BOARD) as host:
        said = os.uname()
        assert (host.facts.machine, host.facts.kernel, host.facts.uid) == (said.machine, said.release, 0)
        assert host.run(["sh", "-c", 'echo "$0"; echo "-$AS-"', "two  words"]).splitlines()[-2:] == ["two  words", "--"]


def test_a_login_that_is_not_root_looks_through_sudo(ssh: Path) -> None:
    login(ssh, 1000)
    with looking("hypervisor", BOARD) as host:
        assert host.facts.uid == 0
        assert host.run(["printenv", "AS"]).splitlines()[-1] == "root"
    script(ssh / "far/sudo", "#!/bin/sh\nexit 1\n")
    with looking("hypervisor", BOARD) as host:
        assert host.facts.uid == 1000
        assert host.run_plain(["printenv", "AS"]).exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.\n",
         "peer: the host key of board1 is another than the one that ssh knows"),
        ("No ED25519 host key is known for board1\nHost key verification failed.\n", "board1 is not known to ssh"),
        ("ssh: connect to host board1 port 22: No route to host\n", "peer: it does not answer over ssh: .*No route"),
        ("ssh: Could not resolve hostname board1: Name or service not known\n", "peer: Could not resolve"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_reached_is_named(ssh: Path, words: str, said: str) -> None:
    (ssh / "refusal").write_text(words)
    with pytest.raises(HostError, match=said) as caught, looking("peer", BOARD):
        pass
    assert caught.value.hint
    assert caught.value.host == "peer"


def test_what_is_no_linux_says_so(ssh: Path) -> None:
    script(ssh / "far/uname", "#!/bin/sh\necho FreeBSD\n")
    with pytest.raises(HostError, match="not a Linux"), looking("peer", BOARD):
        pass
