# SPDX-License-Identifier: Apache-2.0
"""Frames: whatever pieces a stream comes in, the same frames come out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.hosts import frames
from latlab.hosts.frames import Decoder, Frame

NONCE = b"12345678"

some_frames = st.lists(
    st.builds(Frame, st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8
)


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def decode(pieces: Sequence[bytes]) -> list[Frame]:
    decoder = Decoder(NONCE)
    return [frame for piece in pieces for frame in decoder.feed(piece)]


@given(sent=some_frames, garbage=st.binary(max_size=200), cuts=st.lists(st.integers(0, 3000), max_size=20))
def test_any_split_after_any_garbage(sent: list[Frame], garbage: bytes, cuts: list[int]) -> None:
    stream = garbage + frames.MAGIC + NONCE + b"".join(frames.encode(f.kind, f.number, f.payload) for f in sent)
    assert decode(in_pieces(stream, cuts)) == sent


@given(sent=some_frames)
def test_one_byte_at_a_time(sent: list[Frame]) -> None:
    stream = frames.MAGIC + NONCE + b"".join(frames.encode(f.kind, f.number, f.payload) for f in sent)
    assert decode([bytes([byte]) for byte in stream]) == sent


@given(garbage=st.binary(max_size=2000))
def test_before_the_greeting_nothing_is_a_frame_and_little_is_kept(garbage: bytes) -> None:
    decoder = Decoder(NONCE)
    assert list(decoder.feed(garbage)) == []
    assert len(decoder._buffer) <= frames.HEAD.size + len(decoder.greeting)


def test_the_greeting_of_another_conversation_is_garbage() -> None:
    old = frames.MAGIC + b"87654321" + frames.encode(frames.EXIT, 1, b"\0\0\0\0")
    new = frames.MAGIC + NONCE + frames.encode(frames.ACK, 2)
    assert decode([old + new]) == [Frame(frames.ACK, 2, b"")]


@pytest.mark.parametrize("length", [0, 4, frames.MAX_PAYLOAD + 6, 2**32 - 1])
def test_an_impossible_length_is_an_error(length: int) -> None:
    head = frames.HEAD.pack(length, frames.STDOUT, 1)
    with pytest.raises(ValueError, match="not an agent's stream"):
        decode([frames.MAGIC + NONCE, head])


def test_the_largest_payload_passes_and_a_larger_one_is_refused() -> None:
    largest = b"x" * frames.MAX_PAYLOAD
    assert decode([frames.MAGIC + NONCE + frames.encode(frames.STDIN, 3, largest)]) == [Frame(frames.STDIN, 3, largest)]
    with pytest.raises(ValueError, match="too long"):
        frames.encode(frames.STDIN, 3, largest + b"x")


def test_a_command_is_its_strings_each_with_its_letter() -> None:
    assert frames.encode_command(
        ["ls", "", "a b"], env={"A": "1=2"}, files={10: "/dev/tap5"}, terminal=(24, 80), stdin=True
    ) == b"als\0a\0aa b\0eA=1=2\0f10=/dev/tap5\0p24x80\0i\0"  # fmt: skip


def test_a_nul_in_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        frames.encode_command(["echo", "a\0b"])
