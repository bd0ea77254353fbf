# SPDX-License-Identifier: Apache-2.0
"""The words of a bench file, checked: which machines and cables a measurement runs on.

A bench file has a `kind` and that kind's options, all in one mapping; it has no lists, because a run uses one bench.
The places of problems, the units and the hints are those of scenarios.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from latlab.scenario import override
from latlab.scenario.base import Model, is_interface_name
from latlab.scenario.fields import kinds_of
from latlab.scenario.read import Reader, describe, did_you_mean
from latlab.scenario.source import Node, read_bytes, read_file
from latlab.scenario.units import clip

Accelerator = Literal["auto", "tcg", "kvm"]

MIN_HOSTS = 8
"""Addresses that a bench needs in each of its networks: hypervisor, peer, loader, guest, and room."""


class Addresses(Model):
    """The networks that the bench's own interfaces use. The defaults are set aside for benchmarks (RFC 2544, 5180)."""

    ipv4: str = Field(default="198.18.77.0/24", description="IPv4 network, not used elsewhere on the machine")
    ipv6: str = Field(default="2001:2:0:77::/64", description="IPv6 network, not used elsewhere on the machine")

    @model_validator(mode="after")
    def _check(self) -> Addresses:
        for name, version in (("ipv4", 4), ("ipv6", 6)):
            text = getattr(self, name)
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"{name} is not a network: {error}") from None
            if network.version != version:
                raise ValueError(f"{name} is an IPv{network.version} network: {text}")
            if network.num_addresses < MIN_HOSTS:
                raise ValueError(f"{name} has only {network.num_addresses} addresses; it needs {MIN_HOSTS}")
        return self


class EmulatedBench(Model):
    """One QEMU machine that is the hypervisor, with two cabled 82576 NICs; the second one, in a namespace, is the peer.

    No root and no hardware needed; nothing is touched outside of its own process. With two machines, each has one of
    the NICs, and the peer is a small machine of its own.
    """

    kind: Literal["emulated"] = "emulated"
    machines: int = Field(default=1, ge=1, le=2, description="2: the peer is a machine of its own, with its own clock")
    cpus: int = Field(default=2, ge=1, le=64, description="CPUs of the emulated host; not more than this machine has")
    memory_mib: int = Field(default=2048, ge=1024, le=1_048_576, description="memory of the emulated host")
    accelerator: Accelerator = Field(default="auto", description="of the emulated host; auto: kvm if it really works")
    kernel: str | None = Field(default=None, description="folder of an unpacked kernel; none: the one set-up fetched")


class LocalBench(Model):
    """This machine's own kernel is the hypervisor; the peer is a network namespace. Needs root."""

    kind: Literal["local"] = "local"
    nic: str | None = Field(default=None, description="NIC under test; none: latlab makes a veth pair")
    peer_nic: str | None = Field(default=None, description="NIC at the other end of its cable, moved to the peer")
    nic_in_use: bool = Field(
        default=False,
        description="the NIC is in use by its owner and is left as it is, bridge and all; only `existing` is measured",
    )
    accelerator: Accelerator = Field(default="auto", description="of the guest; auto: kvm if it really works")
    kernel: str | None = Field(default=None, description="folder of the guest's kernel; none: the one set-up fetched")
    addresses: Addresses = Field(default=Addresses(), description="networks of the bench")

    @model_validator(mode="after")
    def _check(self) -> LocalBench:
        for key, nic in (("nic", self.nic), ("peer-nic", self.peer_nic)):
            if nic is not None and not is_interface_name(nic):
                raise ValueError(f"{key} is not the name of an interface: {clip(nic)}")
        if (self.nic is None) != (self.peer_nic is None):
            raise ValueError("nic and peer-nic belong together: name both ends of the cable, or neither")
        if self.nic is not None and self.nic == self.peer_nic:
            raise ValueError("nic and peer-nic are the same interface")
        if self.nic_in_use and self.nic is None:
            raise ValueError("nic-in-use is said of a NIC, and there is no nic")
        return self


class Board(Model):
    """A machine that is reached over OpenSSH, and its end of the cable."""

    ssh: str = Field(description="as ssh takes it: a name of your ssh configuration, USER@HOST, ssh://USER@HOST:PORT")
    nic: str = Field(description="its NIC under test, used for nothing else")

    @model_validator(mode="after")
    def _check(self) -> Board:
        # A word that begins with a dash would be an option of ssh's.
        if self.ssh.startswith("-") or any(not c.isprintable() or c.isspace() for c in self.ssh):
            raise ValueError(f"ssh is not a destination: {clip(self.ssh)}")
        if not is_interface_name(self.nic):
            raise ValueError(f"nic is not the name of an interface: {clip(self.nic)}")
        return self


class BoardsBench(Model):
    """Two machines over OpenSSH, their NICs cabled to each other: the hypervisor runs the guest, the peer has none.

    Your ssh configuration and known hosts decide how they are reached. Root there, by the login or by `sudo -n`.
    """

    kind: Literal["boards"] = "boards"
    hypervisor: Board = Field(description="the machine that runs the guest")
    peer: Board = Field(description="the machine at the other end of the cable")
    accelerator: Accelerator = Field(default="auto", description="of the guest; auto: kvm if it really works")
    kernel: str | None = Field(default=None, description="folder of the guest's kernel; none: the one set-up fetched")
    addresses: Addresses = Field(default=Addresses(), description="networks of the bench")


AnyBench = EmulatedBench | LocalBench | BoardsBench
Bench = Annotated[AnyBench, Field(discriminator="kind")]
_MODELS: dict[str, type[AnyBench]] = {"emulated": EmulatedBench, "local": LocalBench, "boards": BoardsBench}


def load_bench(path: Path, overrides: Sequence[str] = ()) -> AnyBench:
    """The bench in a file. Raises ScenarioError."""
    return _bench(read_file(path), overrides)


def bench_from_bytes(data: bytes, file: str, overrides: Sequence[str] = ()) -> AnyBench:
    """The bench in a file's content. Raises ScenarioError, with `file` as the name in its problems."""
    return _bench(read_bytes(data, file), overrides)


def _bench(root: Node, overrides: Sequence[str]) -> AnyBench:
    override.apply(root, overrides)
    reader = Reader()
    bench: AnyBench | None = None
    listed = f"Known: {', '.join(kinds_of(Bench))}."
    kind = root.get("kind")
    if root.kind != "mapping":
        reader.add(root, f"a bench is a mapping of keys, not {describe(root)}", "Begin with: kind: emulated")
    elif kind is None:
        reader.add(root, "kind is missing", listed)
    elif kind.kind != "text":
        reader.add(kind, f"kind is a word, not {describe(kind)}", listed)
    elif kind.text not in kinds_of(Bench):
        reader.add(kind, f"unknown bench {clip(kind.text)}", did_you_mean(kind.text, list(kinds_of(Bench))))
    else:
        options = Node("mapping", root.place, entries=[e for e in root.entries if e[0].text != "kind"])
        model: type[AnyBench] = _MODELS[kind.text]
        bench = next(iter(reader.models(options, model, "bench", axes=False)), None)
    reader.check()
    if bench is None:
        raise AssertionError("a bench that could not be read has a problem")
    return bench
