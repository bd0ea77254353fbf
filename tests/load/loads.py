# SPDX-License-Identifier: Apache-2.0
"""Ends of loads without machines, for tests of what is pure."""

from __future__ import annotations

from typing import Any, cast

from latlab.attachment.wiring import End
from latlab.bench.site import Address
from latlab.hosts.host import Host
from latlab.load.streams import Streams
from latlab.scenario.model import Load

NO_HOST = cast(Host, None)
PEER = Address("198.18.77.2", "2001:2:0:77::2")
GUEST = Address("198.18.77.3", "2001:2:0:77::3")
SLIRP = Address("10.0.2.15", "fec0::15")


def streams(*, into_app: bool, nat: bool = False, family: Any = "ip4", **load: Any) -> Streams:
    return Streams(
        load=Load.model_validate(load),
        source=End(NO_HOST, "eth1", PEER, PEER, ""),
        app=End(NO_HOST, "eth0", SLIRP if nat else GUEST, GUEST, ""),
        into_app=into_app,
        family=family,
    )
