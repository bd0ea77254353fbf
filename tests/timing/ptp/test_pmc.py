# SPDX-License-Identifier: Apache-2.0
"""pmc's answers are read as they are, in both generations, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.timing.ptp.pmc import LAST_FIELDS, Answer, Answers, request

DATA = Path(__file__).parent / "data"
VERSIONS = ("3.1.1", "4.2")
ROLES = ("slave", "master")


def answers(text: str) -> list[Answer]:
    reader = Answers()
    return [answer for line in text.split("\n") if (answer := reader.feed(line))]


def real(role: str, version: str) -> list[Answer]:
    return answers((DATA / f"pmc-{role}-{version}.txt").read_text())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("role", ROLES)
def test_every_request_is_answered(role: str, version: str) -> None:
    asked = (DATA / f"pmc-{role}-{version}.txt").read_text().count("sending: GET")
    found = real(role, version)
    assert asked == len(found)
    assert {answer.kind for answer in found} == set(LAST_FIELDS)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_real_slave_says(version: str) -> None:
    said = {answer.kind: answer for answer in real("slave", version)}
    assert said["PORT_DATA_SET"].fields["portState"] == "UNCALIBRATED"  # it runs free
    assert said["TIME_STATUS_NP"].fields["gmPresent"] == "true"
    assert said["TIME_STATUS_NP"].whole("master_offset") is not None
    assert said["CURRENT_DATA_SET"].whole("stepsRemoved") == 1
    delay_ns = said["CURRENT_DATA_SET"].whole("meanPathDelay")
    assert delay_ns is not None
    assert 0 < delay_ns < 10**9
    assert said["TIME_PROPERTIES_DATA_SET"].whole("currentUtcOffset") == 37
    master = real("master", version)[0].clock
    assert said["TIME_STATUS_NP"].fields["gmIdentity"] == master
    assert said["PARENT_DATA_SET"].fields["grandmasterIdentity"] == master


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_real_master_says(version: str) -> None:
    said = {answer.kind: answer for answer in real("master", version)}
    assert said["PORT_DATA_SET"].fields["portState"] in ("MASTER", "GRAND_MASTER")
    assert said["CURRENT_DATA_SET"].whole("stepsRemoved") == 0


HEAD = "\t525400.fffe.a10001-1 seq 2 RESPONSE MANAGEMENT CURRENT_DATA_SET \n"


@pytest.mark.parametrize(
    ("text", "value"),
    [("-12345.0", -12345), ("0.5", 1), ("-0.5", -1), ("0.4", 0), ("-0.4", 0), ("7", 7), ("x", None), ("1e3", None)],
)
def test_numbers(text: str, value: int | None) -> None:
    (answer,) = answers(f"{HEAD}\t\toffsetFromMaster {text}\n\t\tmeanPathDelay    1.0\n")
    assert answer.whole("offsetFromMaster") == value
    assert answer.whole("absent") is None


def test_a_refusal_is_an_answer() -> None:
    (answer,) = answers("\t525400.fffe.a10001-1 seq 2 RESPONSE MANAGEMENT_ERROR_STATUS \n")
    assert answer.refused


def test_an_answer_that_is_cut_short_is_none() -> None:
    assert answers(f"{HEAD}\t\toffsetFromMaster 5.0\n{HEAD}") == []


def test_a_request_is_one_line() -> None:
    assert request("PORT_DATA_SET") == b"GET PORT_DATA_SET\n"


LINES = st.sampled_from(
    [HEAD[:-1], "\t\tmeanPathDelay 5", "sending: GET PORT_DATA_SET", "\t\tportState SLAVE", "", "pmc[5.001]: uds: no"]
) | st.text(max_size=80)


@given(st.lists(LINES, max_size=30))
def test_whatever_is_printed_only_whole_answers_come_out(lines: list[str]) -> None:
    reader = Answers()
    for line in lines:
        if (answer := reader.feed(line)) and not answer.refused:
            assert LAST_FIELDS[answer.kind] in answer.fields
