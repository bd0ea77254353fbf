# SPDX-License-Identifier: Apache-2.0
"""netem in the way of the packets: between the cable and the kernel's stack of the machine that receives them.

Every packet that reaches the NIC is led through an `ifb` device, whose qdisc is netem, before the stack sees it. On the
way out of the sender a delay would be the sender's own; here it lies between its driver and the receiver's stack, and
is the network's. netem stands there all the time, and always holds packets for long enough to need its timer, so that a
fault changes nothing but a number: what the timer costs is in the quiet times too. Its rate keeps the packets in their
order when a delay ends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from latlab.attachment.common import load_module
from latlab.errors import BenchError, CommandError, HostError
from latlab.hosts.host import Host

DEVICE = "llfault"
MODULES = ("ifb", "sch_netem", "sch_ingress", "cls_matchall", "act_mirred")
IDLE_NS = 1_000_000
"""Of the quiet state. With so little that no timer is set, as 1 us, a fault would also cost what the timer does: 0.1 to
0.3 ms in an emulated machine.
"""
LIMIT_PACKETS = 20_000
ORDERED = ("rate", "10gbit")
ANY_ORDER = ("rate", "0bit")


def delay_words(added_ns: int = 0) -> list[str]:
    """netem's arguments: every packet later by so much; 0: the quiet state. Pure."""
    return ["limit", str(LIMIT_PACKETS), "delay", us(IDLE_NS + added_ns), *ORDERED]


def us(value_ns: int) -> str:
    """As tc takes a time, to the nanosecond: tc itself knows no shorter unit than this."""
    return f"{value_ns // 1000}.{value_ns % 1000:03d}us"


def outcome_words(outcome: str, share: float, late_ns: int) -> list[str]:
    """netem's arguments for a share of the packets that is lost, duplicated or late enough to be overtaken. Pure.

    Overtaken: `late_ns` is netem's jitter, and its table of a distribution (`late_table`) says who gets it.
    """
    if outcome == "reordering":
        table = ["distribution", "latlab"]
        return ["limit", str(LIMIT_PACKETS), "delay", us(IDLE_NS), us(late_ns), *table, *ANY_ORDER]
    words = {"loss": ["loss", "random"], "duplication": ["duplicate"]}[outcome]
    return [*delay_words(), *words, f"{share * 100:.4f}%"]


def late_table(share: float, entries: int = 4096) -> str:
    """A distribution for netem of which `share` is 1 (8192: NETEM_DIST_SCALE of linux/pkt_sched.h), and the rest 0."""
    late = round(share * entries)
    return "".join(f"{8192 if place < late else 0}\n" for place in range(entries))


@dataclass(frozen=True)
class Netem:
    """As the kernel has it. `drops` since it stands; the shares are of all packets."""

    delay_ns: int
    loss: float
    duplicate: float
    drops: int


def read_netem(shown: str) -> Netem | None:
    """netem in `tc -s -j qdisc show`; None when it is not there. Pure."""
    for qdisc in json.loads(shown or "[]"):
        if qdisc["kind"] == "netem":
            options: dict[str, Any] = qdisc["options"]
            return Netem(
                delay_ns=round(options.get("delay", {}).get("delay", 0) * 1e9),
                loss=options.get("loss-random", {}).get("loss", 0.0),
                duplicate=options.get("duplicate", {}).get("duplicate", 0.0),
                drops=int(qdisc["drops"]),
            )
    return None


@dataclass(frozen=True)
class Stage:
    """netem before the stack of `host`, on what `nic` receives. Made by `stand`."""

    host: Host
    nic: str

    def change(self, words: list[str]) -> None:
        """CommandError when netem refuses."""
        self.host.run(["tc", "qdisc", "change", "dev", DEVICE, "root", "netem", *words])

    def change_order(self, share: float, late_ns: int, folder: str) -> None:
        """A share of the packets late; `folder` of the host takes the table that says so."""
        self.host.write(f"{folder}/latlab.dist", late_table(share))
        words = outcome_words("reordering", share, late_ns)
        self.host.run(["env", f"TC_LIB_DIR={folder}", "tc", "qdisc", "change", "dev", DEVICE, "root", "netem", *words])

    def read(self) -> Netem:
        """What netem does now. HostError when it does not stand there any more."""
        shown = self.host.run(["tc", "-s", "-j", "qdisc", "show", "dev", DEVICE])
        found = read_netem(shown)
        if found is None:
            raise HostError(self.host.name, f"netem does not stand on {DEVICE} any more: {shown[:80]!r}")
        return found


def obstacle(host: Host) -> str | None:
    """Why netem cannot stand on this host; None: it can. Loads what it needs, unloaded later."""
    try:
        for module in MODULES:
            load_module(host, module)
    except BenchError as error:
        return error.message
    return None


def stand(host: Host, nic: str) -> Stage:
    """Puts netem before the stack, undone later. BenchError when something of that kind is there already."""
    host.change(["ip", "link", "add", DEVICE, "type", "ifb"], undo=["ip", "link", "del", DEVICE])
    host.run(["ip", "link", "set", "dev", DEVICE, "up"])
    host.run(["tc", "qdisc", "add", "dev", DEVICE, "root", "netem", *delay_words()])
    try:
        host.change(["tc", "qdisc", "add", "dev", nic, "ingress"], undo=["tc", "qdisc", "del", "dev", nic, "ingress"])
    except CommandError as error:
        raise BenchError(
            f"{host.name}: {nic} has a qdisc on its ingress already, and netem cannot stand there: {error.stderr}",
            hint="Use an attachment that leaves the NIC alone: the baseline does.",
        ) from error
    redirect = ["action", "mirred", "egress", "redirect", "dev", DEVICE]
    host.run(["tc", "filter", "add", "dev", nic, "ingress", "matchall", *redirect])
    return Stage(host, nic)
