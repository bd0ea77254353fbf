# SPDX-License-Identifier: Apache-2.0
"""Lines of `clock read`: every one of ours is understood, and anything else is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import MeasurementError
from latlab.timing.clock_lines import WORD, CounterLine, PhcLine, Scaling, parse_counter, parse_phc, read_command
from tests.canned import CannedHost

words = st.integers(0, WORD - 1)
times = st.integers(-WORD // 2, WORD // 2 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
KEYS = ["tai_ns", "counter", "ticks", "offset", "ratio", "bits", "phc_ns", "width_ns", "way", "tai_offset_ns"]


@given(times, words, words)
def test_a_plain_counter_line(tai_ns: int, counter: int, ticks: int) -> None:
    text = json.dumps({"tai_ns": tai_ns, "counter": counter, "ticks": ticks, "of": "tsc"})
    assert parse_counter(text) == CounterLine(tai_ns, counter, ticks)


@given(times, st.integers(1, WORD - 1), st.integers(0, 63))
def test_a_line_with_a_vcpu(offset: int, ratio: int, bits: int) -> None:
    line = {"tai_ns": 1, "counter": 2, "ticks": 3, "offset": offset}
    assert parse_counter(json.dumps({**line, "ratio": ratio, "bits": bits})).scaling == Scaling(offset, ratio, bits)
    assert parse_counter(json.dumps({**line, "ratio": None, "bits": None})).scaling == Scaling(offset, 1, 0)


@given(times, times, st.integers(0, 10**9), st.sampled_from(["precise", "extended", "basic"]))
def test_a_line_of_a_nics_clock(tai_ns: int, phc_ns: int, width_ns: int, way: str) -> None:
    fields = {"tai_ns": tai_ns, "phc_ns": phc_ns, "width_ns": width_ns, "way": way, "tai_offset_ns": 37 * 10**9}
    assert parse_phc(json.dumps(fields)) == PhcLine(tai_ns, phc_ns, width_ns, way, 37 * 10**9)


@given(st.text() | st.dictionaries(st.sampled_from(KEYS), json_values).map(json.dumps) | st.just("[" * 100_000))
def test_whatever_is_printed_is_a_line_or_one_clear_error(text: str) -> None:
    for parse in (parse_counter, parse_phc):
        error = refused(parse, text)
        assert error is None or ("no reading of a clock" in error.message and "\n" not in error.message and error.hint)


def refused(parse: Callable[[str], object], text: str) -> MeasurementError | None:
    try:
        parse(text)
    except MeasurementError as error:
        return error
    return None


@pytest.mark.parametrize("wrong", [{"ratio": 0}, {"bits": 64}, {"ratio": None}, {"bits": None}, {"offset": 1.5}])
def test_a_scaling_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    line = {"tai_ns": 1, "counter": 2, "ticks": 3, "offset": 5, "ratio": 1 << 48, "bits": 48, **wrong}
    with pytest.raises(MeasurementError):
        parse_counter(json.dumps(line))


def test_the_command() -> None:
    argv = read_command(CannedHost({}), "--nic", "eth0", period_ns=125_000_000)
    assert argv == ["latlab-probe", "clock", "read", "--nic", "eth0", "--period", "125000000ns"]
