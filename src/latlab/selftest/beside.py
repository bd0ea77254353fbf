# SPDX-License-Identifier: Apache-2.0
"""Injects the faults of a plan, one after another, while the flow is measured: a thread beside it.

First it leaves the flow alone for `QUIET_STRETCH_NS`: from these packets comes the floor, and from the floor the sizes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from latlab.selftest.chosen import ALL
from latlab.selftest.faults import NS_PER_S, Fault, Injection
from latlab.selftest.floor import Floor
from latlab.selftest.injectors import Sleep, Target
from latlab.selftest.plan import QUIET_NS

LOOK_S = 0.2
END_LIMIT_S = 30


class _EndedError(Exception):
    """The flow has ended before the plan."""


@dataclass
class Injector:
    """`floor` looks at the flow so far and returns None until there is enough of it; `plan` makes the faults of it.

    What was injected is in `injections`, also when something failed; then `failure` says what.
    """

    floor: Callable[[], Floor | None]
    plan: Callable[[Floor], list[Fault]]
    say: Callable[[str], None]
    found: Floor | None = None
    planned: list[Fault] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    failure: Exception | None = None
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    @contextmanager
    def running(self, target: Callable[[Sleep], Target], done: Callable[[], None]) -> Iterator[None]:
        """Injects inside the block; what is under way at its end is ended and waited for. `target` is given the way to
        sleep; `done` is called when all is injected and the flow may end.
        """
        thread = threading.Thread(target=self._work, args=(target, done), name="latlab faults", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(END_LIMIT_S)

    def _sleep(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise _EndedError

    def _work(self, make: Callable[[Sleep], Target], done: Callable[[], None]) -> None:
        try:
            target = make(self._sleep)
            while self.found is None:
                self._sleep(LOOK_S)
                self.found = self.floor()
            self.planned = self.plan(self.found)
            for fault in self.planned:
                self.say(_words(fault, len(self.planned)))
                self._sleep(QUIET_NS / NS_PER_S)
                self.injections.append(ALL[fault.kind](target, fault))
                self._sleep(QUIET_NS / NS_PER_S)
            done()
        except _EndedError:
            pass  # what was not injected any more is missing from `injections`
        except Exception as error:  # noqa: BLE001 - on a thread of its own: it is raised by the one who waits
            self.failure = error


def _words(fault: Fault, of: int) -> str:
    if fault.of.noise == "none":
        return f"{fault.number}/{of} {fault.kind}"
    size = f"{fault.size / 1000:.0f} us" if fault.of.unit == "ns" else f"{fault.size} {fault.of.unit}"
    return f"{fault.number}/{of} {fault.kind} {fault.way or ''} {size}"
