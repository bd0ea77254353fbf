# SPDX-License-Identifier: Apache-2.0
"""Further options of ptp4l.conf that a scenario may set: which there are, and what each takes.

Not among them: what has a key of its own, what latlab has to set itself (sockets, log), and what would let ptp4l reach
beyond the run (files, devices, users). Ranges: config_tab of linuxptp's config.c, the narrowest of 3.1.1 to 4.4.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

INT_MAX = 2**31 - 1
FLOAT_MAX = 1e308


@dataclass(frozen=True)
class Whole:
    low: int
    high: int

    def problem(self, text: str) -> str | None:
        if not re.fullmatch(r"[+-]?[0-9]{1,12}|0x[0-9a-fA-F]{1,8}", text):
            return "is a whole number"
        value = int(text, 16) if text.startswith("0x") else int(text)
        return None if self.low <= value <= self.high else f"is {self.low} to {self.high}"


@dataclass(frozen=True)
class Real:
    low: float
    high: float

    def problem(self, text: str) -> str | None:
        if not re.fullmatch(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", text):
            return "is a number"
        value = float(text)
        return None if math.isfinite(value) and self.low <= value <= self.high else f"is {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Words:
    words: tuple[str, ...]

    def problem(self, text: str) -> str | None:
        return None if text in self.words else f"is {' or '.join(self.words)}"


@dataclass(frozen=True)
class Pattern:
    pattern: str
    form: str

    def problem(self, text: str) -> str | None:
        return None if re.fullmatch(self.pattern, text) else f"is {self.form}"


Rule = Whole | Real | Words | Pattern
BIT, BYTE, LOG, COUNT = Whole(0, 1), Whole(0, 255), Whole(-128, 127), Whole(0, INT_MAX)
POSITIVE, ANY = Real(0, FLOAT_MAX), Whole(-INT_MAX, INT_MAX)
MAC = Pattern(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", "a MAC address")

OPTIONS: dict[str, Rule] = {
    "announceReceiptTimeout": Whole(2, 255),
    "asCapable": Words(("auto", "true")),
    "assume_two_step": BIT,
    "check_fup_sync": BIT,
    "clockAccuracy": BYTE,
    "clockClass": BYTE,
    "clock_servo": Words(("pi", "linreg")),
    "dataset_comparison": Words(("ieee1588", "G.8275.x")),
    "delayAsymmetry": ANY,
    "delay_filter": Words(("moving_average", "moving_median")),
    "delay_filter_length": Whole(1, INT_MAX),
    "dscp_event": Whole(0, 63),
    "dscp_general": Whole(0, 63),
    "egressLatency": ANY,
    "first_step_threshold": POSITIVE,
    "freq_est_interval": COUNT,
    "gmCapable": BIT,
    "hybrid_e2e": BIT,
    "ingressLatency": ANY,
    "max_frequency": COUNT,
    "min_neighbor_prop_delay": Whole(-INT_MAX, -1),
    "msg_interval_request": BIT,
    "neighborPropDelayThresh": COUNT,
    "net_sync_monitor": BIT,
    "offsetScaledLogVariance": Whole(0, 65535),
    "operLogPdelayReqInterval": LOG,
    "operLogSyncInterval": LOG,
    "p2p_dst_mac": MAC,
    "path_trace_enabled": BIT,
    "pi_integral_const": POSITIVE,
    "pi_integral_exponent": Real(-FLOAT_MAX, FLOAT_MAX),
    "pi_integral_norm_max": Real(1e-300, 2.0),
    "pi_integral_scale": POSITIVE,
    "pi_proportional_const": POSITIVE,
    "pi_proportional_exponent": Real(-FLOAT_MAX, FLOAT_MAX),
    "pi_proportional_norm_max": Real(1e-300, 1.0),
    "pi_proportional_scale": POSITIVE,
    "priority1": BYTE,
    "priority2": BYTE,
    "ptp_dst_mac": MAC,
    "sanity_freq_limit": COUNT,
    "servo_num_offset_values": COUNT,
    "servo_offset_threshold": COUNT,
    "syncReceiptTimeout": BYTE,
    "transportSpecific": Whole(0, 15),
    "tsproc_mode": Words(("filter", "raw", "filter_weight", "raw_weight")),
    "twoStepFlag": BIT,
    "udp6_scope": Whole(0, 15),
    "udp_ttl": Whole(1, 255),
}


def parse_extra(text: str) -> dict[str, str]:
    """`NAME VALUE; NAME VALUE`, read and checked. ValueError that names the first thing that is wrong. Pure."""
    found: dict[str, str] = {}
    for part in re.split(r"[;\n]", text):
        words = part.split()
        if not words:
            continue
        name = words[0]
        rule = OPTIONS.get(name)
        if rule is None:
            near = difflib.get_close_matches(name, OPTIONS, n=1)
            hint = f': did you mean "{near[0]}"?' if near else "; docs/ptp.md lists them"
            raise ValueError(f"extra: {name[:40]!r} is no option that may be set here{hint}")
        if len(words) != 2:
            raise ValueError(f"extra: {name} has one value, not {len(words) - 1}")
        if name in found:
            raise ValueError(f"extra: {name} stands there twice")
        problem = rule.problem(words[1])
        if problem:
            raise ValueError(f"extra: {name} {problem}, not {words[1][:40]!r}")
        found[name] = words[1]
    return found
