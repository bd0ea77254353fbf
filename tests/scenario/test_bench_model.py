# SPDX-License-Identifier: Apache-2.0
"""Bench files: what they mean, and what is said about the wrong ones."""

from __future__ import annotations

import pytest

from latlab.errors import ScenarioError
from latlab.scenario.bench_model import Addresses, Board, BoardsBench, EmulatedBench, LocalBench, bench_from_bytes


def test_a_kind_is_a_bench() -> None:
    assert bench_from_bytes(b"kind: emulated", "b.yaml") == EmulatedBench()
    assert bench_from_bytes(b"kind: local", "b.yaml") == LocalBench()


def test_every_option_reaches_the_model() -> None:
    assert bench_from_bytes(
        b"kind: emulated\ncpus: 1\nmemory: 3GiB\naccelerator: tcg\nkernel: /k\n", "b.yaml"
    ) == EmulatedBench(cpus=1, memory_mib=3072, accelerator="tcg", kernel="/k")
    assert bench_from_bytes(
        b"kind: local\nnic: eth1\npeer-nic: eth2\naccelerator: kvm\nkernel: none\n"
        b"addresses: {ipv4: 10.0.0.0/28, ipv6: 'fd00::/64'}\n",
        "b.yaml",
    ) == LocalBench(
        nic="eth1", peer_nic="eth2", accelerator="kvm", addresses=Addresses(ipv4="10.0.0.0/28", ipv6="fd00::/64")
    )


def test_boards_are_two_machines() -> None:
    text = (
        b"kind: boards\nhypervisor: {ssh: board1, nic: enp3s0}\npeer: {ssh: 'ssh://root@[fd00::2]:2222', nic: eth1}\n"
    )
    assert bench_from_bytes(text, "b.yaml") == BoardsBench(
        hypervisor=Board(ssh="board1", nic="enp3s0"), peer=Board(ssh="ssh://root@[fd00::2]:2222", nic="eth1")
    )


def test_overrides_work_on_benches() -> None:
    assert bench_from_bytes(b"kind: local", "b.yaml", ["addresses.ipv4=10.1.0.0/24"]) == LocalBench(
        addresses=Addresses(ipv4="10.1.0.0/24")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "b.yaml:1:1: a bench is a mapping of keys, not a list. Begin with: kind: emulated"),
        ("cpus: 2", "b.yaml:1:1: kind is missing. Known: emulated, local, boards."),
        ("kind: emulatd", 'b.yaml:1:7: unknown bench "emulatd". Did you mean "emulated"?'),
        ("kind: boards\npeer: {ssh: b, nic: eth1}", "b.yaml:1:1: bench.hypervisor is missing"),
        ("kind: boards\nhypervisor: {ssh: a, nic: eth1}\npeer: {nic: eth1}", "b.yaml:3:7: bench.peer.ssh is missing"),
        ("kind: boards\nhypervisor: {ssh: -oProxyCommand=x, nic: e}\npeer: {ssh: b, nic: e}",
         'b.yaml:2:13: bench.hypervisor: ssh is not a destination: "-oProxyCommand=x"'),
        ("kind: boards\nhypervisor: {ssh: a, nic: e}\npeer: {ssh: b c, nic: e}",
         'b.yaml:3:7: bench.peer: ssh is not a destination: "b c"'),
        ("kind: boards\nhypervisor: {ssh: a, nic: a/b}\npeer: {ssh: b, nic: e}",
         'b.yaml:2:13: bench.hypervisor: nic is not the name of an interface: "a/b"'),
        ("kind: emulated\nmachines: 3", "b.yaml:2:11: bench.machines is at most 2, not \"3\""),
        ("kind: [local]", 'b.yaml:1:7: kind is a word, not a list. Known: emulated, local, boards.'),
        ("kind: local\ncpus: 2", 'b.yaml:2:1: unknown key "cpus" in bench. '
                                 "Known: nic, peer-nic, nic-in-use, accelerator, kernel, addresses."),
        ("kind: local\npeer_nic: eth0", 'b.yaml:2:1: unknown key "peer_nic" in bench. Did you mean "peer-nic"?'),
        ("kind: emulated\nmemory: 2048", 'b.yaml:2:9: bench.memory: a size needs a unit: "2048". '
                                         "Write 2048KiB or 2048MiB or 2048GiB."),
        ("kind: emulated\nmemory: 512MiB", 'b.yaml:2:9: bench.memory is at least 1GiB, not "512MiB"'),
        ("kind: local\nnic-in-use: true", "b.yaml:1:1: bench: nic-in-use is said of a NIC, and there is no nic"),
        ("kind: local\nnic: eth0", "b.yaml:1:1: bench: nic and peer-nic belong together: "
                                   "name both ends of the cable, or neither"),
        ("kind: local\nnic: a\npeer-nic: a", "b.yaml:1:1: bench: nic and peer-nic are the same interface"),
        ("kind: local\nnic: 'a/b'\npeer-nic: c", "b.yaml:1:1: bench: nic is not the name of an interface: \"a/b\""),
        ("kind: local\naddresses: {ipv4: 10.0.0.1/24}", "b.yaml:2:12: bench.addresses: ipv4 is not a network: "
                                                        "10.0.0.1/24 has host bits set"),
        ("kind: local\naddresses: {ipv4: 'fd00::/64'}", "b.yaml:2:12: bench.addresses: ipv4 is an IPv6 network: "
                                                        "fd00::/64"),
        ("kind: local\naddresses: {ipv4: 10.0.0.0/31}", "b.yaml:2:12: bench.addresses: ipv4 has only 2 addresses; "
                                                        "it needs 8"),
    ],
)  # fmt: skip
def test_one_problem(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        bench_from_bytes(text.encode(), "b.yaml")
    assert str(caught.value) == message
