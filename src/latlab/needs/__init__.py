# SPDX-License-Identifier: Apache-2.0
"""What attachments need of a bench, and whether a host has it. Pure: the host's facts were read before (`host.look`).

A `Need` says what must be looked at, and judges what was seen: nothing is missing (None), or what is, why, and the one
command that mends it. An attachment names its needs in `NEEDS` (see `attachment.needs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from latlab.needs.host import HostFacts, Wanted, together

EMULATED = "latlab run SCENARIO --bench emulated"
"""What always helps: the emulated bench has all of it."""


@dataclass(frozen=True)
class Missing:
    """`what` in a few words, `why` as one clause, `command` as the user types it."""

    what: str
    why: str
    command: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class Need:
    """One thing."""

    @property
    def wanted(self) -> Wanted:
        """What `missing` looks at, beside what is always read."""
        return Wanted()

    def missing(self, facts: HostFacts) -> Missing | None:
        raise NotImplementedError


@dataclass(frozen=True)
class OnlyWith(Need):
    """What one value of one of the attachment's options needs: `OnlyWith("vhost", "on", Device("/dev/vhost-net"))`."""

    option: str
    """The name of the model's field."""
    value: str
    need: Need

    @property
    def wanted(self) -> Wanted:
        return self.need.wanted

    def missing(self, facts: HostFacts) -> Missing | None:
        return self.need.missing(facts)

    def __str__(self) -> str:
        return f"{self.option}: {self.value}"


def wanted(needs: Iterable[Need]) -> Wanted:
    return together(need.wanted for need in needs)


def missing(needs: Sequence[Need], facts: HostFacts, options: object = None) -> list[Missing]:
    """What `needs` find missing, each thing once.

    `options` is the attachment as the scenario has it; without, what only some options need is not asked for.
    """
    asked = (n for n in needs if not isinstance(n, OnlyWith) or _chosen(n, options))
    found = (need.missing(facts) for need in asked)
    return list(dict.fromkeys(m for m in found if m is not None))


def limits(needs: Iterable[Need], facts: HostFacts, options: object = None) -> Iterator[tuple[str, Missing]]:
    """The other values of options that cannot be had (`vhost: on`), each with what is missing for it."""
    for need in needs:
        if isinstance(need, OnlyWith) and not _chosen(need, options) and (found := need.missing(facts)):
            yield str(need), found


def _chosen(need: OnlyWith, options: object) -> bool:
    return options is not None and str(getattr(options, need.option, None)) == need.value


def install(facts: HostFacts, package: str, service: str = "") -> str:
    """The command that installs a Debian package, without leaving a service on that comes with it."""
    if not facts.distribution & {"debian", "ubuntu"}:
        return f"install what this distribution calls {package}"
    line = f"sudo apt install --no-install-recommends {package}"
    return f"{line} && sudo systemctl disable --now {service}" if service else line
