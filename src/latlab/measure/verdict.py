# SPDX-License-Identifier: Apache-2.0
"""Whether a run's numbers may be believed: `valid`, `suspect` or `invalid`, each with every reason. Pure.

Invalid: the run did not measure what it says. Suspect: it did, but something besides the network may be in the
numbers. Loss is an outcome, not a fault of the run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latlab.attachment.wiring import Finding
from latlab.scenario.model import Flow
from latlab.stats.summary import Counts
from latlab.store.document import Verdict, VerdictValue

LATE_WAKEUPS_SHARE = 0.01
"""Above this share of packets sent a whole period late, the sender did not keep its period."""

KERNEL_TROUBLE = re.compile(
    r"(WARNING: CPU|BUG: |Oops|rcu_\w+ detected stalls|rcu: INFO: .*stall|soft lockup|NETDEV WATCHDOG"
    r"|blocked for more than \d+ seconds|Kernel panic|RT throttling activated"
    r"|Out of memory|general protection fault|clocksource: .* unstable)"
)


def kernel_trouble(console: str) -> list[str]:
    """Lines of a kernel's messages that tell of trouble, at most three."""
    return [line.strip() for line in console.splitlines() if KERNEL_TROUBLE.search(line)][:3]


def said_since(before: str, now: str) -> str:
    """The part of a kernel's messages that came after `before`; older ones may have been pushed out meanwhile."""
    last = before.rstrip("\n").rpartition("\n")[2]
    at = now.rfind(last) if last else -1
    return now if at < 0 else now[at + len(last) :].lstrip("\n")


@dataclass(frozen=True)
class Outcome:
    """What a run brought home. `sender` and `reflector` are the probe's summaries, if it was used."""

    sender: dict[str, Any] | None = None
    reflector: dict[str, Any] | None = None
    counts: Counts = field(default_factory=Counts)
    others: Mapping[str, str | None] = field(default_factory=dict)
    """Each other instrument: why it has no number, or `None`."""
    warm: bool = True
    load_failure: str | None = None
    load_shortfall: str | None = None
    findings: Sequence[Finding] = ()
    clocks: Sequence[str] = ()
    """When and how a clock was wrong."""
    trouble: Sequence[str] = ()
    """What kernels complained of, what could not be undone."""


def judge_run(flow: Flow, outcome: Outcome) -> Verdict:
    invalid, suspect = _probe_reasons(flow, outcome)
    if outcome.load_failure:
        invalid.append(f"the load did not run: {outcome.load_failure}")
    if outcome.load_shortfall:
        suspect.append(f"the load fell short: {outcome.load_shortfall}")
    invalid += [f"evidence: {_broken(f)}" for f in outcome.findings if not f.ok]
    suspect += [*outcome.clocks, *outcome.trouble]
    if outcome.sender is None and all(reason for reason in outcome.others.values()):
        invalid += [f"{name}: {reason}" for name, reason in outcome.others.items()] or ["nothing was measured"]
    reasons = list(dict.fromkeys([*invalid, *suspect]))
    value: VerdictValue = "invalid" if invalid else "suspect" if suspect else "valid"
    return Verdict(value=value, reasons=reasons)


def _probe_reasons(flow: Flow, outcome: Outcome) -> tuple[list[str], list[str]]:
    """What makes the probe's numbers invalid, and what makes them suspect."""
    sender, reflector, counts = outcome.sender, outcome.reflector or {}, outcome.counts
    invalid: list[str] = []
    suspect: list[str] = []
    if sender is None:
        return invalid, suspect
    if not sender["replied"]:
        invalid.append("no packet was answered")
    if sender["records_dropped"]:
        invalid.append(f"{sender['records_dropped']} records were lost on their way to disk")
    missing = sender["sent"] + sender["send_failed"] - sender["records_dropped"] - counts.sent - counts.send_failed
    if missing:
        invalid.append(f"{missing} of {sender['sent']} records did not arrive here")
    if sender.get("given_up_early"):
        invalid.append(
            f"{sender['given_up_early']} packets were given up before their time-out: too many were on the way"
        )
    if not outcome.warm:
        suspect.append("not all packets of the warm-up were answered")
    for end, summary in (("sender", sender), ("reflector", reflector)):
        scheduler = str(summary.get("scheduler", ""))
        if flow.fifo is not None and scheduler and not scheduler.startswith("SCHED_FIFO"):
            suspect.append(f"SCHED_FIFO was refused: the {end} ran under {scheduler}")
        suspect += [f"{end}: {warning}" for warning in summary.get("warnings", ())]
    if sender["late_wakeups"] > LATE_WAKEUPS_SHARE * sender["sent"]:
        suspect.append(
            f"{sender['late_wakeups']} of {sender['sent']} packets were sent a whole period late: "
            "the sender's CPU is overloaded"
        )
    return invalid, suspect


def _broken(finding: Finding) -> str:
    if finding.before is None:
        return f"{finding.what}: not so"
    return f"{finding.what} went from {finding.before} to {finding.after}, but {finding.rule}"
