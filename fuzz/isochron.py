# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the reader of isochron's logs: python -m fuzz.isochron [EXECUTIONS [SEED]]   (default 100,000; some minutes).

A log is changed at random, most often where its numbers are, cut or made longer, and then imported up to its
statistics and its printed letters. Whatever it is by then, there are numbers or one StoreError that names the file, in
bounded memory. A finding is kept in fuzz/findings/ and the exit code is not 0.
"""

from __future__ import annotations

import collections
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

from latlab.errors import StoreError
from latlab.isochron.convert import header_of, to_records, to_slots
from latlab.isochron.dat import Reader
from latlab.isochron.importing import TIMESCALES
from latlab.isochron.letters import parse_report
from latlab.stats.analysis import analyse
from tests.isochron.logs import whole

FINDINGS = Path(__file__).parent / "findings"
REPORT = parse_report(r"%u %x %d %T %d %T\n", "qSwTHB")
MEMORY_BYTES = 1 << 30
INTERESTING = (0, 1, 2, 7, 8, 31, 32, 47, 48, 95, 96, 97, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62,
               2**62 + 1, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip


def mutated(chance: random.Random, data: bytes) -> bytes:
    """`data` after one to five changes: a number, a bit, a piece doubled or moved, a cut, a tail."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        if not changed:
            break
        at = chance.randrange(96 if chance.random() < 0.6 else len(changed)) % len(changed)
        kind = chance.random()
        if kind < 0.55:
            size = chance.choice((2, 4, 8))
            at -= at % 2
            near = int.from_bytes(changed[at : at + size], "big") + chance.choice((-48, -32, -1, 1, 32, 48))
            value = chance.choice((chance.choice(INTERESTING), near, chance.getrandbits(8 * size)))
            changed[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "big")
        elif kind < 0.75:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind < 0.85:
            length = chance.randint(1, 96)
            to = chance.randrange(len(changed))
            changed[to : to + length] = changed[at : at + length]
        elif kind < 0.93:
            del changed[at + chance.randint(0, 96) :]
        else:
            changed += chance.randbytes(chance.randint(1, 200))
    return bytes(changed)


def tried(path: Path) -> str:
    """What came of it: "read", or the kind of complaint."""
    try:
        reader = Reader(path)
        chunks = []
        for chunk in reader.chunks():
            chunks.append(to_records(*chunk, reader.settings))
            REPORT.text(*to_slots(chunks[-1], "forward", reader.settings), reader.settings)
        header = header_of(reader.settings, reader.packets, 0)
        counts = analyse(lambda: iter(chunks), header, "up", TIMESCALES).statistics.counts
        assert counts.received + counts.lost == counts.sent <= reader.packets
        return "read"
    except StoreError as error:
        if str(path) not in error.message:
            raise AssertionError("an error that does not name its file") from error
        return re.sub(r"-?\d+", "N", error.message.replace(str(path), "FILE"))


def main(executions: int, seed: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    chance = random.Random(seed)
    outcomes: collections.Counter[str] = collections.Counter()
    seeds = [whole(count).bytes() for count in (1, 2, 5)]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.dat"
        for number in range(executions):
            data = mutated(chance, chance.choice(seeds))
            path.write_bytes(data)
            try:
                outcomes[tried(path)] += 1
            except Exception:  # noqa: BLE001  # whatever it is, it is a finding
                FINDINGS.mkdir(exist_ok=True)
                kept = FINDINGS / f"isochron-{seed}-{number}.dat"
                kept.write_bytes(data)
                sys.stderr.write(f"{traceback.format_exc()}kept: {kept}\n")
                return 1
    seconds = time.monotonic() - begin
    sys.stdout.write(f"isochron: {executions} executions in {seconds:.0f} s, seed {seed}\n")
    for outcome, count in outcomes.most_common():
        sys.stdout.write(f"{count:>9}  {outcome}\n")
    return 0


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(numbers[0] if numbers else 100_000, numbers[1] if len(numbers) > 1 else random.getrandbits(32)))
