# SPDX-License-Identifier: Apache-2.0
"""Which method compares the clocks of a point: the one that it asks for, or the best that works and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from latlab.attachment.wiring import End
from latlab.bench.site import Site
from latlab.errors import MeasurementError
from latlab.scenario.timing import Timing
from latlab.timing import kvm_tsc, ptp, ptp_kvm
from latlab.timing.reading import Reading, Watch


class Method(Protocol):
    """What each method's file has."""

    NAME: str

    def obstacle(self, site: Site, sender: End, reflector: End, options: Any) -> str | None:
        """Why it cannot be used here; None: it can."""

    def running(self, site: Site, sender: End, reflector: End, options: Any) -> AbstractContextManager[Watch]:
        """Beside the whole measurement."""


METHODS: dict[str, Method] = {kvm_tsc.NAME: kvm_tsc, ptp_kvm.NAME: ptp_kvm, ptp.NAME: ptp}
"""By the word of the scenario. `shared` and `exchange` need nothing beside the packets: they are none of these."""
BY_ITSELF = ("kvm-tsc", "ptp-kvm")
"""What `auto` tries, in this order, where the ends have two kernels."""


class Nothing:
    """A method that has nothing to watch."""

    failure: str | None = None

    def take(self) -> list[Reading]:
        return []


@contextmanager
def compared(site: Site, sender: End, reflector: End, timing: Timing) -> Iterator[tuple[str, Watch, dict[str, str]]]:
    """The method's name, its watch while the block runs, and why better ones were not taken.

    MeasurementError when the scenario asks for one that cannot be had.
    """
    one_kernel = sender.host.facts.boot_id == reflector.host.facts.boot_id
    refused: dict[str, str] = {}
    wanted = [timing.kind] if timing.kind in METHODS else list(BY_ITSELF) if timing.kind == "auto" else []
    if timing.kind == "shared" and not one_kernel:
        raise MeasurementError(
            "timing shared: the two ends are on different kernels", hint="Use timing: auto, or leave it out."
        )
    if one_kernel and timing.kind in ("auto", "shared"):
        yield "shared", Nothing(), refused
        return
    for kind in wanted:
        reason = METHODS[kind].obstacle(site, sender, reflector, timing)
        if reason is None:
            with METHODS[kind].running(site, sender, reflector, timing) as watch:
                yield kind, watch, refused
            return
        refused[kind] = reason
    if timing.kind in refused:
        raise MeasurementError(
            f"timing {timing.kind}: {refused[timing.kind]}", hint="Use timing: auto, which takes what works."
        )
    yield "exchange", Nothing(), refused
