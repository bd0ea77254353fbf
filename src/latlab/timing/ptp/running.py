# SPDX-License-Identifier: Apache-2.0
"""ptp4l, pmc and phc2sys at both ends, beside a measurement: started, watched, ended, their changes set back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from latlab.attachment.wiring import End
from latlab.bench.site import Site, changes_undone
from latlab.errors import BenchError
from latlab.hosts import interrupt
from latlab.hosts.host import Host, Process
from latlab.measure.programs import stop
from latlab.scenario.ptp import Ptp
from latlab.timing.ptp.comparing import Comparer
from latlab.timing.ptp.config import Place, phc2sys_argv, pmc_argv, ptp4l_argv, render, settings
from latlab.timing.ptp.nic import (
    parse_filter,
    parse_frequency,
    read_frequency_argv,
    set_filter_argv,
    set_frequency_argv,
)
from latlab.timing.ptp.planning import INSTALL, Plan, Side, make_plan
from latlab.timing.ptp.session import Asker, Voice, by_lines
from latlab.timing.reading import Reading

NOW_PERIOD = "500ms"
START_LIMIT_S = 10.0
LOCK_LIMIT_S = 90.0
LOOK_S = 0.05
PROGRAMS = ("ptp4l", "phc2sys", "pmc")


@dataclass
class Team:
    """What runs at one end."""

    side: Side
    voice: Voice
    ptp4l: Process
    others: list[Process] = field(default_factory=list)
    asker: Asker | None = None

    def hear_errors(self) -> None:
        """Takes what the daemons printed as warnings and errors."""
        for process in (self.ptp4l, *self.others):
            for line in process.take_stderr().decode(errors="replace").splitlines():
                self.voice.hear_error(line)

    def failure(self) -> str | None:
        for process in (self.ptp4l, *self.others):
            if not process.running:
                program = next((word for word in process.argv if word in PROGRAMS), "the probe")
                self.hear_errors()
                ended = (
                    "the connection to it was lost" if process.exit_code is None else f"exit code {process.exit_code}"
                )
                words = f": {self.voice.last_error}" if self.voice.last_error else ""
                return f"{program} on {self.side.host.name} ended ({ended}){words}"
        return None

    def end(self) -> None:
        if self.asker:
            self.asker.end()
        for process in (*reversed(self.others), self.ptp4l):
            stop(process)


class PtpWatch:
    """A `Watch` (see timing.reading)."""

    def __init__(self, plan: Plan, teams: list[Team]) -> None:
        self.plan, self._teams = plan, teams
        self._failure: str | None = None
        self._utc_said = ""
        self._comparer = Comparer(plan.slave.name, hardware=plan.stamps == "hardware")
        self.locked_after_s: float | None = None
        """How long the slave took to follow; None: it does not."""

    def take(self) -> list[Reading]:
        for team in self._teams:
            team.hear_errors()
        self._compare_utc()
        found = [self._on_tai(reading) for team in self._teams for reading in team.voice.take()]
        found.sort(key=lambda reading: reading.time_ns)
        compared = [self._comparer.take(reading) for reading in found]
        return found + [reading for reading in compared if reading]

    @property
    def failure(self) -> str | None:
        self._failure = self._failure or next((reason for team in self._teams if (reason := team.failure())), None)
        return self._failure

    @property
    def locked(self) -> bool:
        """The slave's port is SLAVE and its servo follows. One that runs free is not let: it measures, UNCALIBRATED."""
        voice = self._slave.voice
        if self.plan.free_running:
            return voice.port_state in ("SLAVE", "UNCALIBRATED") and bool(voice.delay_ns)
        return voice.port_state == "SLAVE" and voice.servo in ("s2", "s3")

    @property
    def master_program(self) -> tuple[Host, int | None]:
        """The host whose clock the other follows, and the process of ptp4l there."""
        team = next(team for team in self._teams if team.side.role == "master")
        return team.side.host, team.ptp4l.pid

    @property
    def following_host(self) -> Host:
        return self._slave.side.host

    def wait_until_locked(self, limit_s: float) -> bool:
        """What the slave's clock goes through until then is not to be measured with. False if never: see `failure`."""
        started = time.monotonic()
        while not self.locked:
            interrupt.check()
            if self.failure:
                return False
            if time.monotonic() - started > limit_s:
                slave = self._slave
                slave.hear_errors()
                state = slave.voice.port_state or "not known"
                words = f"; it said last: {slave.voice.last_error}" if slave.voice.last_error else ""
                name = slave.side.host.name
                self._failure = f"ptp4l on {name} did not lock within {limit_s:g} s: its port is {state}{words}"
                return False
            time.sleep(LOOK_S)
        self.locked_after_s = time.monotonic() - started
        self._slave.voice.say(f"PTP locked after {self.locked_after_s:.1f} s")
        return True

    @property
    def _slave(self) -> Team:
        return next(team for team in self._teams if team.side.role == "slave")

    def _on_tai(self, reading: Reading) -> Reading:
        """With software stamps ptp4l compares CLOCK_REALTIME. The records are on CLOCK_TAI, from which each kernel is a
        whole number of seconds away: the same one only if both were told."""
        master, slave = (team.voice.tai_offset_s for team in self._teams)
        compared = reading.source in ("ptp4l", "pmc") and reading.offset_ns is not None
        if self.plan.stamps == "hardware" or not compared or master is None or slave is None or master == slave:
            return reading
        return replace(reading, offset_ns=(reading.offset_ns or 0) + (slave - master) * 10**9)

    def _compare_utc(self) -> None:
        master, slave = (team.voice for team in self._teams)
        words = utc_words(slave.utc_offset_s, master.tai_offset_s, slave.tai_offset_s)
        if words and words != self._utc_said:
            slave.say(words, "pmc")
            self._utc_said = words


def utc_words(announced_s: int | None, master_s: int | None, slave_s: int | None) -> str:
    """What PTP, and the two kernels, take TAI minus UTC to be; "" while it is not known. Pure."""
    if announced_s is None or master_s is None or slave_s is None:
        return ""
    words = f"TAI - UTC: PTP says {announced_s} s, the master's kernel {master_s} s, the slave's kernel {slave_s} s"
    if master_s != slave_s:
        return f"{words}: their CLOCK_TAI differ by {abs(slave_s - master_s)} s more than PTP says"
    return words


@contextmanager
def running(site: Site, sender: End, reflector: End, options: Ptp) -> Iterator[PtpWatch]:
    """PTP between the two ends; the block begins when the slave follows, or when `failure` says why it does not.

    BenchError when it cannot be started.
    """
    plan = make_plan(site, sender, reflector, options)
    if isinstance(plan, str):
        raise BenchError(f"timing: ptp: {plan}")
    with changes_undone(sender.host, reflector.host), ExitStack() as stack:
        teams = [_start(stack, side, plan, options) for side in plan.sides]
        watch = PtpWatch(plan, teams)
        for note in plan.notes:
            teams[1].voice.say(note)
        watch.wait_until_locked(LOCK_LIMIT_S)
        yield watch


def _start(stack: ExitStack, side: Side, plan: Plan, options: Ptp) -> Team:
    """One end's programs. Sockets and files are in a folder of their own, so a ptp4l of the machine's is never met."""
    host, nic = side.host, side.end.nic
    place = Place(nic, f"/run/latlab-ptp-{secrets.token_hex(4)}")
    host.defer(["rm", "-rf", place.folder])
    host.run(["mkdir", "-m", "0700", place.folder])
    values = settings(options, side.role, side.version, plan.stamps, place,
                      free_running=plan.free_running and side.role == "slave")  # fmt: skip
    host.write(place.config, render(values))
    _keep_settings(side, plan)
    voice = Voice(side)
    clocks = host.start([host.probe, "now", "--period", NOW_PERIOD], sink=by_lines(voice.hear_clocks))
    stack.callback(stop, clocks)
    if not voice.clock_known.wait(START_LIMIT_S):
        raise BenchError(f"{host.name}: the probe does not tell its clocks: {clocks.stderr.strip()}")
    team = Team(side, voice, host.start(ptp4l_argv(options, place), sink=by_lines(voice.hear_log)), [clocks])
    stack.callback(team.end)
    _wait_for_socket(team, place)
    pmc = host.start(pmc_argv(values, place), sink=by_lines(voice.hear_pmc), stdin=True)
    team.others.append(pmc)
    team.asker = Asker(pmc, voice)
    if plan.stamps == "hardware" and not plan.free_running:
        argv = phc2sys_argv(options, side.role, values, place)
        team.others.append(host.start(argv, sink=by_lines(voice.hear_log)))
    return team


def _wait_for_socket(team: Team, place: Place) -> None:
    """BenchError with ptp4l's last words when it ends instead."""
    limit = time.monotonic() + START_LIMIT_S
    while team.side.host.run_plain(["test", "-S", place.socket]).exit_code:
        if reason := team.failure():
            raise BenchError(f"timing: ptp: {reason}")
        if time.monotonic() > limit:
            raise BenchError(
                f"timing: ptp: ptp4l on {team.side.host.name} did not open its socket: {team.voice.last_error}"
            )
        time.sleep(LOOK_S)


def _keep_settings(side: Side, plan: Plan) -> None:
    """What linuxptp will change is read, and its setting back deferred: a NIC's filter, the clocks' frequencies."""
    host, nic = side.host, side.end.nic
    if plan.stamps == "hardware":
        setting = parse_filter(host.run_plain(["hwstamp_ctl", "-i", nic]).stdout)
        if setting is None:
            raise BenchError(
                f"{host.name}: {nic} does not say what it stamps, so that could not be set back",
                hint="Use `stamps: software`.",
            )
        host.defer(set_filter_argv(nic, setting))
        if not plan.free_running:
            _keep_frequency(host, nic)
    if side.role == "slave" and not plan.free_running:
        _keep_frequency(host, "CLOCK_REALTIME")


def _keep_frequency(host: Host, clock: str) -> None:
    result = host.run_plain(read_frequency_argv(clock))
    frequency_ppb = parse_frequency(result.stdout + result.stderr)
    if frequency_ppb is None:
        raise BenchError(
            f"{host.name}: phc_ctl does not tell the frequency of {clock}: {result.stderr.strip()}",
            hint=f"It is part of linuxptp. {INSTALL}",
        )
    host.defer(set_frequency_argv(clock, frequency_ppb))
