# SPDX-License-Identifier: Apache-2.0
"""What a scenario may say of PTP: combinations that cannot work are refused, every option has a key of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from latlab.scenario.fields import keys_of
from latlab.scenario.ptp import Ptp
from latlab.scenario.ptp_extra import OPTIONS, parse_extra


def test_every_option_is_a_key_of_a_scenario() -> None:
    keys = keys_of(Ptp)
    assert {key.field for key in keys.values()} == set(Ptp.model_fields) - {"kind"}
    assert all(key.description for key in keys.values())
    assert keys["tx-timestamp-timeout"].form == "duration"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tx_timestamp_timeout_ns": 1_500_000}, "whole number of ms"),
        ({"inhibit_announce": "on"}, "bmca: noop"),
        ({"profile": "automotive", "bmca": "ptp", "inhibit_announce": "on"}, "bmca: noop"),
        ({"profile": "automotive", "client_only": "off"}, "client-only"),
        ({"bmca": "noop", "client_only": "off"}, "client-only"),
        ({"extra": "uds_address /tmp/x"}, "no option that may be set"),
        ({"socket_priority": 16}, "less than or equal to 15"),
        ({"fifo": 0}, "greater than or equal to 1"),
        ({"log_sync_interval": -8}, "greater than or equal to -7"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Ptp.model_validate(values)


def test_the_cure_of_the_study_is_accepted() -> None:
    options = Ptp(
        socket_priority=7, step_threshold_ns=10**9, tx_timestamp_timeout_ns=5_000_000, bmca="noop", client_only="on",
        inhibit_announce="on", ignore_source_id="on", follow_up_info="on",
    )  # fmt: skip
    assert options.extras == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("priority1", "one value, not 0"),
        ("priority1 1 2", "one value, not 2"),
        ("priority1 256", "is 0 to 255"),
        ("priority1 ten", "is a whole number"),
        ("priority1 1; priority1 2", "twice"),
        ("priorty1 1", 'did you mean "priority1"'),
        ("pi_integral_norm_max 3", "is 1e-300 to 2"),
        ("pi_integral_scale nan", "is a number"),
        ("clock_servo ntpshm", "is pi or linreg"),
        ("ptp_dst_mac 01:02", "is a MAC address"),
        ("[eth1]", "no option"),
    ],
)
def test_an_extra_option_that_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"extra: ") as caught:
        parse_extra(text)
    assert words in str(caught.value)


def test_extra_options_are_read() -> None:
    assert parse_extra("priority1 10;\n transportSpecific 0x1 ; delay_filter_length  20;") == {
        "priority1": "10", "transportSpecific": "0x1", "delay_filter_length": "20",
    }  # fmt: skip


@given(st.text(max_size=200))
def test_whatever_stands_there_only_known_options_come_out_one_line_each(text: str) -> None:
    try:
        found = parse_extra(text)
    except ValueError:
        return
    assert set(found) <= set(OPTIONS)
    assert all(len(value.split()) == 1 and value.isprintable() for value in found.values())


@given(st.sampled_from(sorted(OPTIONS)), st.text("0123456789+-.xeEabcdefilmnoprtu:\u0663_ ", max_size=12))
def test_a_value_that_is_taken_is_one_word_of_ascii(name: str, value: str) -> None:
    try:
        found = parse_extra(f"{name} {value}")
    except ValueError:
        return
    assert found in ({name: value.strip()}, {})
    assert all(text.isascii() for text in found.values())
