# SPDX-License-Identifier: Apache-2.0
"""The kernel's table of sockets is read right."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latlab.measure.programs import is_listening

PROC_NET_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 025B12C6:3243 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 168603 1 0000 100 0 0 10 0
   1: 020200C0:A40E 507100CB:01BB 06 00000000:00000000 03:000014FE 00000000     0        0 0 3 0000
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:1451 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
"""


def test_only_listening_sockets_count() -> None:
    assert is_listening(PROC_NET_TCP, 0x3243)
    assert is_listening(PROC_NET_TCP, 0x1451)
    assert not is_listening(PROC_NET_TCP, 0xA40E)  # its state is TIME_WAIT
    assert not is_listening(PROC_NET_TCP, 0)


@given(st.text(), st.integers(0, 65535))
def test_any_text_gives_an_answer(text: str, port: int) -> None:
    assert is_listening(text, port) in (True, False)
