# SPDX-License-Identifier: Apache-2.0
"""Quantities: exact, never rounded, and a hint for every usual slip."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import UsageError
from latlab.scenario.units import (
    DURATION,
    RATE,
    SIZE,
    Quantity,
    clip,
    format_duration,
    format_rate,
    format_size,
    parse,
    parse_duration_ns,
    parse_rate_bps,
    parse_size_bytes,
    write,
)

QUANTITIES = st.sampled_from([DURATION, RATE, SIZE])


@given(QUANTITIES, st.integers(min_value=0, max_value=10**18))
def test_what_is_written_is_read_back(quantity: Quantity, value: int) -> None:
    assert parse(quantity, write(quantity, value)) == value


@given(QUANTITIES, st.data(), st.integers(0, 10**9), st.integers(0, 9))
def test_a_decimal_is_exact_or_an_error(quantity: Quantity, data: st.DataObject, digits: int, places: int) -> None:
    unit = data.draw(st.sampled_from(sorted(quantity.units)))
    number = f"{digits // 10**places}.{digits % 10**places:0{places}d}" if places else str(digits)
    exact = Fraction(digits, 10**places) * quantity.units[unit]
    if exact.denominator == 1:
        assert parse(quantity, number + unit) == exact
    else:
        with pytest.raises(UsageError, match="not a whole number"):
            parse(quantity, number + unit)


@given(QUANTITIES, st.text(max_size=60))
def test_any_text_is_a_quantity_or_a_usage_error(quantity: Quantity, text: str) -> None:
    problem = ""
    try:
        assert parse(quantity, text) >= 0
    except UsageError as error:
        problem = error.message
    assert len(problem.splitlines()) <= 1


@given(QUANTITIES, st.from_regex(r"[0-9]{1,6}", fullmatch=True))
def test_the_hint_for_a_missing_unit_can_be_written(quantity: Quantity, number: str) -> None:
    with pytest.raises(UsageError, match="needs a unit") as caught:
        parse(quantity, number)
    for suggestion in caught.value.hint.removeprefix("Write ").rstrip(".").split(" or "):
        parse(quantity, suggestion)


@given(st.data(), QUANTITIES)
def test_every_other_spelling_leads_to_a_unit(data: st.DataObject, quantity: Quantity) -> None:
    spelling = data.draw(st.sampled_from(sorted(quantity.other_spellings)))
    assert set(quantity.other_spellings[spelling].split("|")) <= set(quantity.units)
    with pytest.raises(UsageError, match="not a unit"):
        parse(quantity, f"5{spelling}")


@pytest.mark.parametrize(
    ("text", "ns"),
    [("500us", 500_000), ("2ms", 2_000_000), ("1s", 10**9), ("1.5ms", 1_500_000), ("1006us", 1_006_000),
     ("15min", 900 * 10**9), ("2 h", 7200 * 10**9), ("0ns", 0), ("0.1us", 100)],
)  # fmt: skip
def test_durations(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns


@pytest.mark.parametrize(("text", "bps"), [("10Mbit", 10**7), ("1Gbit", 10**9), ("0.5kbit", 500), ("9bit", 9)])
def test_rates(text: str, bps: int) -> None:
    assert parse_rate_bps(text) == bps


@pytest.mark.parametrize(("text", "size"), [("128B", 128), ("192MiB", 192 << 20), ("0.5KiB", 512), ("2GiB", 2 << 30)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize(
    ("quantity", "text", "message"),
    [
        (DURATION, "500", 'a duration needs a unit: "500" / Write 500us or 500ms or 500s.'),
        (DURATION, "2m", 'not a unit of a duration: "2m" / Write 2ms or 2min.'),
        (DURATION, "5 seconds", 'not a unit of a duration: "5 seconds" / Write 5s.'),
        (DURATION, "3d", 'not a unit of a duration: "3d" / Units: ns, us, ms, s, min, h.'),
        (DURATION, "0.5ns", 'not a whole number of ns: "0.5ns" / '),
        (DURATION, "-1ms", 'a duration cannot be negative: "-1ms" / '),
        (DURATION, "soon", 'not a duration: "soon" / Write a number and a unit, such as 500us, 2ms or 1s.'),
        (RATE, "5M", 'not a unit of a rate: "5M" / Write 5Mbit.'),
        (RATE, "5MiB", 'not a unit of a rate: "5MiB" / Units: bit, kbit, Mbit, Gbit.'),
        (SIZE, "192M", 'not a unit of a size: "192M" / Write 192MiB.'),
        (SIZE, "192", 'a size needs a unit: "192" / Write 192KiB or 192MiB or 192GiB.'),
    ],
)
def test_slips(quantity: Quantity, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(quantity, text)
    assert f"{caught.value.message} / {caught.value.hint}" == message


def test_the_canonical_form_has_no_decimal_point() -> None:
    assert format_duration(1_500_000) == "1500us"
    assert format_duration(60 * 10**9) == "1min"
    assert format_rate(5_000_000) == "5Mbit"
    assert format_size(1536 << 20) == "1536MiB"
    assert format_duration(0) == "0ns"


@given(st.text(max_size=200))
def test_clipped_text_is_one_short_printable_line(text: str) -> None:
    shown = clip(text)
    assert shown.isprintable()
    assert len(shown) <= 42
