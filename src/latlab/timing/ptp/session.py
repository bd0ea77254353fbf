# SPDX-License-Identifier: Apache-2.0
"""The daemons of one end, and what they say, as readings.

One thread asks pmc; the host's reading thread takes what comes. pmc is asked in lockstep: it reads its standard input
through a buffer that poll() does not see, so that of two requests that arrive together one would be left unanswered
until the next (pmc.c, main).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from latlab.errors import HostError
from latlab.hosts.host import Process
from latlab.timing.ptp.clocks import Clocks, parse_now
from latlab.timing.ptp.logs import Line, Lines, Offset, Selected, Transition, parse_line
from latlab.timing.ptp.planning import Side
from latlab.timing.ptp.pmc import Answer, Answers, request
from latlab.timing.reading import Reading

POLL_S = 0.1
KINDS = ("PORT_DATA_SET", "TIME_STATUS_NP", "CURRENT_DATA_SET")
RARELY, RARE_KIND = 40, "TIME_PROPERTIES_DATA_SET"
ANSWER_LIMIT_S = 1.0
PEER_TO_PEER = "2"
"""delayMechanism of IEEE 1588-2019, table 21."""


class Voice:
    """What one end says. Thread-safe: sinks feed it, `take` empties it."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._lock = threading.Lock()
        self._readings: deque[Reading] = deque()
        self._clocks, self._heard_s = Clocks(), 0.0
        self._answers = Answers()
        self._state: dict[str, Answer] = {}
        self._ingress = ""
        self.clock_known, self.answered = threading.Event(), threading.Event()
        self.port_state: str | None = None
        self.servo: str | None = None
        self.delay_ns: int | None = None
        self.utc_offset_s: int | None = None
        self.last_error = ""

    @property
    def tai_offset_s(self) -> int | None:
        """CLOCK_TAI minus CLOCK_REALTIME on this host."""
        latest = self._clocks.latest
        return latest.tai_offset_s if latest else None

    def take(self) -> list[Reading]:
        with self._lock:
            found = list(self._readings)
            self._readings.clear()
        return found

    def say(self, event: str, source: str = "ptp4l") -> None:
        """Something that was found out now."""
        with self._lock:
            self._readings.append(Reading(self._now_ns(), self._side.name, source, event=event))

    def hear_clocks(self, line: str) -> None:
        if now := parse_now(line):
            with self._lock:
                self._clocks.add(now)
                self._heard_s = time.monotonic()
            self.clock_known.set()

    def hear_log(self, text: str) -> None:
        line = parse_line(text)
        if line is None:
            return
        with self._lock:
            time_ns = self._clocks.tai_ns(line.monotonic_ns)
            self._readings.append(self._from_log(line, self._now_ns() if time_ns is None else time_ns))

    def hear_error(self, text: str) -> None:
        self.last_error = text.strip() or self.last_error
        self.hear_log(text)

    def hear_pmc(self, text: str) -> None:
        answer = self._answers.feed(text)
        if answer is None:
            return
        with self._lock:
            self._state[answer.kind] = answer
            if answer.kind == RARE_KIND:
                self.utc_offset_s = answer.whole("currentUtcOffset")
        self.answered.set()

    def say_state(self) -> None:
        """One reading of what pmc has answered since the last call."""
        with self._lock:
            if any(kind in self._state for kind in KINDS):
                reading = state_reading(self._state, self._now_ns(), self._side.name, self._ingress)
                status = self._state.get("TIME_STATUS_NP")
                self._ingress = status.fields.get("ingress_time", "") if status else self._ingress
                self.port_state = reading.port_state or self.port_state
                self._readings.append(reading)
            self._state = {}

    def _now_ns(self) -> int:
        """CLOCK_TAI of the host, by its latest reading and our own clock since."""
        latest = self._clocks.latest
        return latest.tai_ns + int((time.monotonic() - self._heard_s) * 1e9) if latest else time.time_ns()

    def _from_log(self, line: Line, time_ns: int) -> Reading:
        name, said = self._side.name, line.said
        if isinstance(said, Offset) and line.program == "ptp4l":
            self.servo, self.delay_ns = said.servo, said.delay_ns
            return Reading(time_ns, name, "ptp4l", "master", offset_ns=said.offset_ns, path_delay_ns=said.delay_ns,
                           frequency_ppb=said.frequency_ppb, servo_state=said.servo)  # fmt: skip
        if isinstance(said, Offset):
            # The clocks were read within that time: half of it bounds the error of the reading.
            bound_ns = None if said.delay_ns is None else (abs(said.delay_ns) + 1) // 2
            return Reading(time_ns, name, "phc2sys", "NIC" if self._side.role == "slave" else "system",
                           offset_ns=said.offset_ns, error_ns=bound_ns, frequency_ppb=said.frequency_ppb,
                           servo_state=said.servo)  # fmt: skip
        if isinstance(said, Transition):
            self.port_state = said.after
            return Reading(time_ns, name, line.program, port_state=said.after, event=line.text)
        grandmaster = said.identity if isinstance(said, Selected) else None
        return Reading(time_ns, name, line.program, grandmaster=grandmaster, event=line.text)


def state_reading(state: Mapping[str, Answer], time_ns: int, host: str, before: str = "") -> Reading:
    """What pmc's answers say together. `before`: the `ingress_time` of the last synchronisation already read. Pure.

    Only a slave has an offset, and only when it knows the delay: until then both are 0. A slave by its port's state:
    one of fixed roles (BMCA noop) is told of no grandmaster, and of no steps to it. When its master is lost it goes on
    saying SLAVE and its last offset for ever: an offset is one only with another synchronisation.
    """
    nobody = Answer("", "", 0, {})
    port, status, current = (state.get(kind, nobody) for kind in KINDS)
    port_state = port.fields.get("portState")
    follows = port_state in ("SLAVE", "UNCALIBRATED")
    known = not follows or status.fields.get("gmPresent") == "true"
    offset_ns = current.whole("offsetFromMaster")
    peer_to_peer = port.fields.get("delayMechanism") == PEER_TO_PEER
    delay_ns = port.whole("peerMeanPathDelay") if peer_to_peer else current.whole("meanPathDelay")
    measured = follows and delay_ns != 0 and status.fields.get("ingress_time") != before
    return Reading(
        time_ns, host, "pmc", "master" if follows else "",
        offset_ns=(status.whole("master_offset") if offset_ns is None else offset_ns) if measured else None,
        path_delay_ns=delay_ns if measured else None,
        port_state=port_state,
        grandmaster=status.fields.get("gmIdentity") if known else None,
    )  # fmt: skip


def by_lines(take: Callable[[str], None]) -> Callable[[bytes], None]:
    """A sink that cuts into lines."""
    lines = Lines()

    def sink(data: bytes) -> None:
        for line in lines.feed(data):
            take(line)

    return sink


class Asker:
    """Asks pmc for the state of its ptp4l, 10 times a second, in a thread of its own."""

    def __init__(self, pmc: Process, voice: Voice) -> None:
        self._pmc, self._voice = pmc, voice
        self._over = threading.Event()
        self.unanswered = 0
        self._thread = threading.Thread(target=self._ask, name=f"latlab pmc {pmc.host_name}", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        turn, due_s = 0, time.monotonic()
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + POLL_S, time.monotonic())
            for kind in (*KINDS, *([RARE_KIND] if turn % RARELY == 0 else [])):
                self._voice.answered.clear()
                try:
                    self._pmc.write(request(kind))
                except HostError:
                    return
                if not self._voice.answered.wait(ANSWER_LIMIT_S):
                    self.unanswered += 1
                    break
            self._voice.say_state()
            turn += 1

    def end(self) -> None:
        self._over.set()
        self._thread.join(ANSWER_LIMIT_S + 1)
