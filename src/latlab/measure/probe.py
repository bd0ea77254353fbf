# SPDX-License-Identifier: Apache-2.0
"""The probe at both ends of the flow: a sender that records every exchange, a reflector that stamps and answers.

The records stream from the sender to the run's raw samples as they are; nothing is decoded on the way. Sender and
reflector share a key made for this measurement alone and given to them on standard input, never on a command line.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from latlab.attachment.wiring import End
from latlab.errors import HostError, MeasurementError
from latlab.hosts.host import Process
from latlab.measure.ports import PROBE
from latlab.scenario.model import Flow
from latlab.stats.records import HEADER_BYTES, RECORD_BYTES

READY_LIMIT_S = 10
POLL_S = 0.2
WARM_UPS, WARM_UP_PACKETS, WARM_UP_PERIOD_NS, WARM_UP_TIMEOUT_NS = 5, 20, 10_000_000, 1_000_000_000
STALL_LIMIT_S = 30
"""Without a new record, beyond two periods and the flow's time-out."""


class Sink(Protocol):
    def append(self, data: bytes | memoryview, /) -> None: ...

    @property
    def bytes_written(self) -> int: ...


class Beside:
    """A sink whose bytes are looked at by somebody else, once they are safe."""

    def __init__(self, sink: Sink, look: Callable[[bytes | memoryview], None]) -> None:
        self._sink, self._look = sink, look

    def append(self, data: bytes | memoryview, /) -> None:
        self._sink.append(data)
        self._look(data)

    @property
    def bytes_written(self) -> int:
        return self._sink.bytes_written


@dataclass(frozen=True)
class ProbeResult:
    """`sender` and `reflector` are the summaries that the probe prints at its end (see `latlab-probe --help`)."""

    sender: dict[str, Any]
    reflector: dict[str, Any]


def udp_address(flow: Flow, end_address: str, port: int) -> str:
    return f"[{end_address}]:{port}" if flow.transport == "udp6" else f"{end_address}:{port}"


def _address(flow: Flow, end: End, *, reach: bool) -> str:
    address = end.reach if reach else end.own
    return address.ip6 if flow.transport == "udp6" else address.ip4


def _common(flow: Flow) -> list[str]:
    words = ["--fifo", str(flow.fifo)] if flow.fifo is not None else []
    return [*words, "--hw"] if flow.hardware else words


def reflect_command(flow: Flow, reflector: End) -> list[str]:
    """The reflector's arguments. Pure."""
    command = [reflector.host.probe, "reflect"]
    if flow.transport == "l2":
        command += ["--l2", reflector.nic]
    else:
        command += ["--bind", udp_address(flow, _address(flow, reflector, reach=False), PROBE)]
    return [*command, "--priority", str(flow.priority), *_common(flow)]


def send_command(flow: Flow, sender: End, reflector: End, tx_stamps: int = 1) -> list[str]:
    """The sender's arguments; one packet in `tx_stamps` asks for transmit stamps, 0: none. Pure."""
    command = [sender.host.probe, "send"]
    if flow.transport == "l2":
        command += ["--l2", sender.nic, "--dst", reflector.mac]
        command += ["--vlan", str(flow.vlan), "--pcp", str(flow.pcp)] if flow.vlan is not None else []
    else:
        command += ["--udp", udp_address(flow, _address(flow, reflector, reach=True), PROBE)]
    command += ["--period", f"{flow.period_ns}ns", "--count", str(flow.count), "--size", str(flow.size_bytes)]
    command += ["--clock", flow.clock, "--timeout", f"{flow.timeout_ns}ns", "--priority", str(flow.priority)]
    command += ["--cpu", str(flow.cpu)] if flow.cpu is not None else []
    command += ["--tx-stamps", str(tx_stamps)] if tx_stamps != 1 else []
    return command + _common(flow)


def measure(
    flow: Flow,
    sender: End,
    reflector: End,
    sink: Sink,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    begun: Callable[[Process, Process], None] = lambda _sender, _reflector: None,
    tx_stamps: int = 1,
) -> ProbeResult:
    """Sends the whole flow. `progress(done, of)` is told the records that have arrived, several times a second;
    `begun`, once, the processes of sender and reflector: closing the sender's standard input ends the flow early.
    One packet in `tx_stamps` asks for transmit stamps, 0: none.

    Ctrl-C ends the sending early, keeps what was measured in the sink, and goes on up. MeasurementError when either
    end could not do its part; HostError when its machine is gone.
    """
    key = secrets.token_hex(16).encode() + b"\n"
    answers = reflector.host.start(reflect_command(flow, reflector), stdin=True)
    answers.write(key)
    if not answers.wait_for_output('"ready"', READY_LIMIT_S):
        raise _could_not(answers, "the reflector did not start")

    broken: list[BaseException] = []

    def take(data: bytes) -> None:
        # On the reading thread: an error there (no space left) must reach the one who waits.
        if not broken:
            try:
                sink.append(data)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again below
                broken.append(error)
                sends.signal(15)

    sends = sender.host.start(send_command(flow, sender, reflector, tx_stamps), stdin=True, sink=take)
    sends.write(key)
    try:
        begun(sends, answers)
        _follow(sends, answers, flow, sink, progress)
    except (KeyboardInterrupt, MeasurementError):
        sends.close_stdin()  # the sender stops, waits for what is under way, and writes its summary
        if not sends.wait_until_ended(flow.timeout_ns / 1e9 + STALL_LIMIT_S):
            sends.stop()
        raise
    finally:
        answers.close_stdin()
    if broken:
        raise broken[0]
    if sends.wait(1):
        raise _could_not(sends, "the sender failed")
    answers.wait(READY_LIMIT_S)
    return ProbeResult(_summary(sends, sends.stderr), _summary(answers, answers.stderr))


class _Nowhere:
    """A sink for packets that are not measured."""

    bytes_written = 0

    def append(self, data: bytes | memoryview, /) -> None:
        self.bytes_written += len(data)


def warm_up(flow: Flow, sender: End, reflector: End) -> tuple[bool, int]:
    """Sends some packets the way of the flow until all are answered, so that the first measured one meets no empty
    neighbour cache, no unlearnt bridge and no cold guest. Whether that came in the end, and how many were answered.
    """
    calm = {
        "count": WARM_UP_PACKETS,
        "period_ns": WARM_UP_PERIOD_NS,
        "timeout_ns": min(flow.timeout_ns, WARM_UP_TIMEOUT_NS),
    }
    answered = 0
    for _ in range(WARM_UPS):
        summary = measure(flow.model_copy(update=calm), sender, reflector, _Nowhere()).sender
        answered += summary["replied"]
        if summary["replied"] == summary["sent"]:
            return True, answered
    return False, answered


def _follow(sends: Process, answers: Process, flow: Flow, sink: Sink, progress: Callable[[int, int], None]) -> None:
    """Waits for the sender, however long it takes, as long as records come."""
    stall_s = (2 * flow.period_ns + flow.timeout_ns) / 1e9 + STALL_LIMIT_S
    seen, since = sink.bytes_written, time.monotonic()
    while not sends.wait_until_ended(POLL_S):
        if not answers.running:
            raise _could_not(answers, "the reflector ended before the sender")
        progress(max(0, sink.bytes_written - HEADER_BYTES) // RECORD_BYTES, flow.count)
        if sink.bytes_written != seen:
            seen, since = sink.bytes_written, time.monotonic()
        elif time.monotonic() - since > stall_s:
            raise MeasurementError(f"the sender wrote no record for {stall_s:.0f} s", hint="Is its machine stalled?")


def _could_not(process: Process, what: str) -> MeasurementError:
    if process.running:
        process.stop()
    try:
        process.wait(1)
    except HostError as error:
        return MeasurementError(f"{what}: {error.message}", hint=error.hint)
    said = process.stderr.strip().splitlines()
    return MeasurementError(f"{what} on {process.host_name}: {said[-1] if said else 'it said nothing'}")


def _summary(process: Process, text: str) -> dict[str, Any]:
    """The last line, which is JSON."""
    lines = text.strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise MeasurementError(f"the probe on {process.host_name} ended without its summary") from None
    return found
