# SPDX-License-Identifier: Apache-2.0
"""An interface's offloads ("features", as ethtool calls them): read, switched as they are needed, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latlab.errors import BenchError, CommandError
from latlab.hosts.host import Host

LONG_NAMES = {
    "rx": "rx-checksumming",
    "tx": "tx-checksumming",
    "gso": "generic-segmentation-offload",
    "tso": "tcp-segmentation-offload",
    "gro": "generic-receive-offload",
    "lro": "large-receive-offload",
    "rxvlan": "rx-vlan-offload",
    "txvlan": "tx-vlan-offload",
}
"""`ethtool -K` takes the short ones, `ethtool -k` prints the long ones."""


def read_features(host: Host, nic: str) -> dict[str, Any]:
    """What `ethtool --json -k` says of the interface: long name -> `active`, `fixed`."""
    found: dict[str, Any] = json.loads(host.run(["ethtool", "--json", "-k", nic]) or "[{}]")[0]
    return found


def features_on(found: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Of these (long name -> word for `ethtool -K`), the words of those that are on and can be changed. Pure."""
    return [word for name, word in names.items() if found.get(name, {}).get("active") and not found[name].get("fixed")]


def features_off(host: Host, nic: str, names: Mapping[str, str]) -> list[str]:
    """Switches off those that are on and can be changed, undone later; what hangs on them comes back with them. The
    words of those that stayed on all the same.
    """
    on = features_on(read_features(host, nic), names)
    if not on:
        return []
    command = ["ethtool", "-K", nic]
    host.change([*command, *_words(dict.fromkeys(on, False))], undo=[*command, *_words(dict.fromkeys(on, True))])
    return features_on(read_features(host, nic), names)


def features(host: Host, nic: str) -> dict[str, bool]:
    """Each of `LONG_NAMES` that the interface has, by its short name: on or off."""
    found = read_features(host, nic)
    return {short: found[long]["active"] for short, long in LONG_NAMES.items() if long in found}


def switch_features(host: Host, nic: str, wanted: Mapping[str, bool]) -> None:
    """Switches what is not as wanted, undone later, and reads it back.

    One switch may move others (igb inserts VLAN tags only while it also takes them out; without checksums there is no
    segmentation): those come back with it. BenchError when the interface does not obey.
    """
    before = features(host, nic)
    changes = {name: on for name, on in wanted.items() if before.get(name, False) != on}
    if not changes:
        return
    command = ["ethtool", "-K", nic]
    try:
        host.change(
            [*command, *_words(changes)], undo=[*command, *_words({name: not changes[name] for name in changes})]
        )
    except CommandError as error:
        raise _refused(host, nic, changes) from error
    after = features(host, nic)
    stayed = {name: on for name, on in changes.items() if after.get(name, False) != on}
    if stayed:
        raise _refused(host, nic, stayed)


def _words(states: Mapping[str, bool]) -> list[str]:
    return [word for name, on in states.items() for word in (name, "on" if on else "off")]


def _refused(host: Host, nic: str, states: Mapping[str, bool]) -> BenchError:
    names = ", ".join(f"{LONG_NAMES[name]} {'on' if on else 'off'}" for name, on in states.items())
    return BenchError(
        f"{host.name}: {nic} does not let this be switched: {names}",
        hint="`ethtool -k` says which of its features are [fixed]: use another NIC, or another attachment.",
    )
