# SPDX-License-Identifier: Apache-2.0
"""What is packed for the page is what it was, to the precision that codes.py states."""

from __future__ import annotations

import base64
import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.report.page.codes import count_levels, packed, planes, text_of, time_codes, times_of

TIMES = st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=50)


@given(TIMES)
def test_a_time_is_kept_to_a_thousandth_and_its_sign_exactly(times: list[int]) -> None:
    found = times_of(time_codes(times))
    assert np.allclose(found, times, rtol=1e-3, atol=1)
    assert (np.sign(found) * np.sign(times) >= 0).all()


@given(TIMES)
def test_an_envelope_is_rounded_outwards(times: list[int]) -> None:
    low, high = times_of(time_codes(times, rounding="down")), times_of(time_codes(times, rounding="up"))
    slack = np.abs(np.array(times)) * 1e-9 + 1e-6
    assert (low <= np.array(times) + slack).all()
    assert (high >= np.array(times) - slack).all()
    assert np.allclose(low, times, rtol=2e-3, atol=1)


@given(TIMES)
def test_the_codes_are_in_the_order_of_the_times(times: list[int]) -> None:
    codes = time_codes(sorted(times)).astype(int)
    assert (np.diff(codes) >= 0).all()


def test_none_is_no_time() -> None:
    codes = time_codes([5, 0, -5], [True, False, True])
    assert codes[1] == 0
    assert math.isnan(times_of(codes)[1])
    assert times_of(time_codes([0]))[0] == 0


def test_planes_are_the_lower_bytes_and_then_the_upper_ones() -> None:
    codes = np.array([0x0102, 0xFFFE], np.uint16)
    assert planes(codes) == bytes([0x02, 0xFE, 0x01, 0xFF])
    assert base64.b64decode(text_of(codes)) == planes(codes)


def test_packed_is_zlib() -> None:
    assert zlib.decompress(base64.b64decode(packed([b"ab", b"c"]))) == b"abc"
    assert zlib.decompress(base64.b64decode(packed("é"))).decode() == "é"


@pytest.mark.parametrize(("count", "level"), [(0, 0), (1, 1), (2, 5), (4, 9), (1 << 40, 161)])
def test_levels_of_counts(count: int, level: int) -> None:
    assert count_levels(np.array([count])).tolist() == [level]
