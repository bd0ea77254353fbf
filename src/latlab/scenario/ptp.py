# SPDX-License-Identifier: Apache-2.0
"""The words of `timing: ptp` in a scenario: what linuxptp's own options are called, with their units and limits.

A value that is not given is the profile's own (see `config`). Limits are those of linuxptp's config.c, versions 3.1 to
4.4, where they are narrower than what can be meant.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from latlab.scenario.base import Model
from latlab.scenario.ptp_extra import parse_extra

FASTEST, SLOWEST = -7, 6
"""2^-7 s to 2^6 s: 128 messages a second are more than any profile of IEEE 1588 has."""

Switch = Literal["profile", "on", "off"]


class Ptp(Model):
    """linuxptp's ptp4l, and phc2sys where NICs stamp, at both ends of the flow."""

    kind: Literal["ptp"] = "ptp"
    profile: Literal["default", "automotive"] = Field(
        default="default", description="IEEE 1588's default profile, or the automotive one: fixed roles, no announcing"
    )
    transport: Literal["profile", "L2", "UDPv4", "UDPv6"] = Field(
        default="profile", description="network_transport of ptp4l; both profiles: L2"
    )
    delay_mechanism: Literal["profile", "E2E", "P2P"] = Field(
        default="profile", description="delay_mechanism of ptp4l; default: E2E, automotive: P2P"
    )
    stamps: Literal["auto", "hardware", "software"] = Field(
        default="auto", description="whose time stamps; auto: the NICs' where both have them, else the kernels'"
    )
    master: Literal["peer", "hypervisor", "sender", "reflector"] = Field(
        default="peer", description="whose clock the other end follows"
    )
    fifo: int | None = Field(
        default=None, ge=1, le=99, description="SCHED_FIFO priority of the daemons; none: SCHED_OTHER"
    )
    cpu: int | None = Field(default=None, ge=0, le=1023, description="CPU that the daemons are bound to")
    domain: int = Field(
        default=0, ge=0, le=127, description="domainNumber: clocks of another domain are not listened to"
    )
    log_sync_interval: int | None = Field(
        default=None,
        ge=FASTEST,
        le=SLOWEST,
        description="logSyncInterval, log2 of seconds; none: -3 (8 a second), software: 0",
    )
    log_announce_interval: int | None = Field(
        default=None, ge=FASTEST, le=SLOWEST, description="logAnnounceInterval, log2 of seconds; none: 0 (1 a second)"
    )
    log_delay_interval: int | None = Field(
        default=None,
        ge=FASTEST,
        le=SLOWEST,
        description="logMinDelayReqInterval and logMinPdelayReqInterval; none: -3, software and automotive: 0",
    )
    socket_priority: int = Field(
        default=0, ge=0, le=15, description="SO_PRIORITY of PTP's packets, which mqprio and taprio map to a queue"
    )
    step_threshold_ns: int | None = Field(
        default=None,
        ge=0,
        le=3600 * 10**9,
        description="a larger offset is stepped away, not slewed; 0: never; none: 0, automotive slave: 1s",
    )
    tx_timestamp_timeout_ns: int | None = Field(
        default=None,
        ge=1_000_000,
        le=60 * 10**9,
        description="how long ptp4l waits for a transmit stamp, in whole ms; none: 10ms",
    )
    fault_reset_interval: int = Field(
        default=4, ge=-8, le=16, description="how long a fault stops a port, log2 of seconds: 4 is linuxptp's 16 s"
    )
    bmca: Literal["profile", "ptp", "noop"] = Field(
        default="profile", description="BMCA: elect the best master, or roles are fixed; default: ptp, automotive: noop"
    )
    client_only: Switch = Field(
        default="profile", description="clientOnly (slaveOnly before 4.0): the follower never takes itself for a master"
    )
    inhibit_announce: Switch = Field(
        default="profile", description="inhibit_announce: no announce messages, nor a time-out for them"
    )
    ignore_source_id: Switch = Field(
        default="profile", description="ignore_source_id: sync messages are taken whoever sent them"
    )
    follow_up_info: Switch = Field(
        default="profile", description="follow_up_info: 802.1AS's information TLV in follow-up messages"
    )
    extra: str | None = Field(
        default=None,
        max_length=2_000,
        description='more options of ptp4l.conf for both ends, as it has them: "priority1 10; delay_filter_length 20"',
    )

    @model_validator(mode="after")
    def _check(self) -> Ptp:
        if self.tx_timestamp_timeout_ns is not None and self.tx_timestamp_timeout_ns % 1_000_000:
            raise ValueError("tx-timestamp-timeout is a whole number of ms")
        bmca = self.bmca if self.bmca != "profile" else ("noop" if self.profile == "automotive" else "ptp")
        if self.inhibit_announce == "on" and bmca == "ptp":
            raise ValueError("inhibit-announce leaves bmca ptp nothing to elect a master by: write bmca: noop")
        if bmca == "noop" and self.client_only == "off":
            raise ValueError("bmca noop needs the follower to be client-only: leave client-only out")
        parse_extra(self.extra or "")
        return self

    @property
    def extras(self) -> dict[str, str]:
        """`extra`, read."""
        return parse_extra(self.extra or "")
