# SPDX-License-Identifier: Apache-2.0
"""The clock service disturbed, and let find its way back before the next fault: a silent master, a stepped clock."""

from __future__ import annotations

from latlab.errors import MeasurementError
from latlab.selftest.faults import NS_PER_S, Fault, Injection
from latlab.selftest.injectors import Target
from latlab.timing import clock_faults
from latlab.timing.ptp import PtpWatch

STEP_NS = 100_000_000
"""More than `story.SERVICE` lets the servo slew: it begins anew."""
LOCK_LIMIT_S = 90.0
LOOK_S = 0.2
STEADY_LOOKS = 10


def master_lost(target: Target, fault: Fault) -> Injection:
    """ptp4l of the master is stopped. Stopped is not ended: nothing is said, the master's messages are just missing."""
    watch = _service(target)
    host, pid = watch.master_program
    start_ns = target.now_ns()
    host.run([host.probe, "stall", "--pid", str(pid), "--for", f"{fault.lasts_ns}ns"])
    end_ns = target.now_ns()
    _wait_until_followed(target, watch)
    return Injection(fault, start_ns, end_ns, end_ns - start_ns)


def servo(target: Target, fault: Fault) -> Injection:
    """The clock that the servo steers is stepped under its hands; it steps it back by itself."""
    watch = _service(target)
    start_ns = target.now_ns()
    clock_faults.step(target.site, watch.following_host, STEP_NS)
    target.sleep(fault.lasts_ns / NS_PER_S)
    end_ns = target.now_ns()
    _wait_until_followed(target, watch)
    return Injection(fault, start_ns, end_ns, STEP_NS)


def _service(target: Target) -> PtpWatch:
    assert isinstance(target.clocks, PtpWatch)
    _wait_until_followed(target, target.clocks)
    return target.clocks


def _wait_until_followed(target: Target, watch: PtpWatch) -> None:
    """For a while, not for a moment only. MeasurementError when that takes too long, or the service has ended."""
    steady = 0
    for _ in range(round(LOCK_LIMIT_S / LOOK_S)):
        if watch.failure:
            raise MeasurementError(watch.failure)
        steady = steady + 1 if watch.locked else 0
        if steady == STEADY_LOOKS:
            return
        target.sleep(LOOK_S)
    raise MeasurementError(f"ptp4l did not lock within {LOCK_LIMIT_S:g} s of a fault", hint="Leave it out with --only.")
