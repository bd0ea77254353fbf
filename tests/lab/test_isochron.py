# SPDX-License-Identifier: Apache-2.0
"""isochron's own program reads what we export, and prints our numbers of it; and we read what it wrote."""

from __future__ import annotations

import base64
import math
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latlab.stats.records import REPLIED, TX_STAMPS_REQUESTED, Records
from latlab.stats.stamps import STAMPS, Timescales
from latlab.store.document import BenchFacts, Verdict
from latlab.store.run_dir import RunDirectory
from tests.lab.latlab_command import Command, latlab
from tests.samples_maker import exchanges, lose, stream

COUNT = 5_000
ONE_CLOCK: Timescales = dict.fromkeys(("sender", "sender-nic", "reflector", "reflector-nic"), "tai")
SUMMARY = re.compile(
    r"^(?P<name>[\w ]+): min (?P<min>-?\d+) max (?P<max>-?\d+) mean (?P<mean>\S+) stddev (?P<sd>\S+),", re.M
)
OURS = {
    "Path delay": "wire_to_wire",
    "Sender latency": "send_path",
    "Wakeup latency": "sender_wakeup",
    "Arrival latency": "delivery_nic",
}
FORMAT, LETTERS = r"%u %d %u %x %T %d %d %d %d %d %d %T %x\n", "qSSSSwstTRraB"


def program() -> str:
    found = shutil.which("isochron")
    assert found, "isochron is not installed: scripts/setup system"
    return found


def isochron(*arguments: str | Path) -> str:
    """What `isochron report` prints."""
    done = subprocess.run(
        [program(), "report", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout


def ours(folder: Path, *arguments: str | Path) -> Any:
    command = latlab(*map(str, arguments), folder=folder)
    assert command.process.returncode == 0, command.stderr
    return command


def jittered() -> Records:
    """Exchanges with all stamps, each stage of which takes from 1 us less (which may be negative) to 1 ms more."""
    records = exchanges(COUNT, hardware=True)
    random = np.random.default_rng(1588)
    late = np.zeros(COUNT, np.int64)
    for stamp in STAMPS[1:]:
        late += random.integers(-2_000, 1_000_000 if stamp.letter in "wR'" else 5_000, COUNT)
        records[stamp.field] += late
    return records


def made(folder: Path, records: Records) -> Path:
    """A run with these samples, of a bench whose four clocks were compared."""
    run = RunDirectory.create(
        folder / "runs", slug="x", scenario="x", point={"flow": {"direction": "up"}}, point_id="abcdef",
        attachment="baseline", load="none", bench=BenchFacts(kind="local"),
    )  # fmt: skip
    with run:
        with run.raw_writer() as writer:
            writer.append(stream(records))
        run.convert_samples()
        run.document.status = "done"
        run.document.verdict = Verdict(value="valid")
        run.document.timescales = dict(ONE_CLOCK)
        run.save()
    return run.path


def assert_same_numbers(printed: str, metrics: dict[str, Any], way: str, names: Sequence[str]) -> None:
    """isochron's standard deviation is that of all packets there are (n), ours that of a sample (n - 1)."""
    theirs = {found["name"]: found for found in SUMMARY.finditer(printed)}
    for name in names:
        found, expected = theirs[name], metrics[f"{way}_{OURS[name]}"]
        assert (int(found["min"]), int(found["max"])) == (expected["min_ns"], expected["max_ns"]), name
        assert float(found["mean"]) == pytest.approx(expected["mean_ns"], abs=0.06), name
        population = expected["stddev_ns"] * math.sqrt((expected["n"] - 1) / expected["n"])
        assert float(found["sd"]) == pytest.approx(population, abs=0.06), name


@pytest.mark.parametrize(("options", "way"), [((), "up"), (("--return",), "down")])
def test_isochron_prints_our_numbers_of_our_file(tmp_path: Path, options: tuple[str, ...], way: str) -> None:
    run = made(tmp_path, jittered())
    log = tmp_path / "out.dat"
    ours(tmp_path, "export", run, "-f", "isochron", "-o", log, *options)
    metrics = ours(tmp_path, "show", run, "--json").json["metrics"]
    printed = isochron("--input-file", log, "--summary")
    assert not printed.startswith("Packets not")
    names = [name for name in OURS if (name, way) != ("Wakeup latency", "down")]  # a reply has no schedule
    assert_same_numbers(printed, metrics, way, names)
    theirs = isochron("--input-file", log, "--printf-format", FORMAT, "--printf-args", LETTERS)
    assert theirs == ours(tmp_path, "show", run, "--printf", FORMAT, "--printf-args", LETTERS, *options).stdout
    assert theirs.count("\n") == COUNT


def test_isochron_counts_what_we_count(tmp_path: Path) -> None:
    records = jittered()
    for index in range(0, COUNT, 50):
        lose(records, index)
    records["T"][records["flags"] & REPLIED == 0] += 10**9  # what isochron leaves out altogether
    unstamped = np.arange(7, COUNT, 100)
    records["flags"][unstamped] &= ~np.uint32(TX_STAMPS_REQUESTED)
    for field in "stT":
        records[field][unstamped] = 0
    run, log = made(tmp_path, records), tmp_path / "out.dat"
    said = ours(tmp_path, "export", run, "-f", "isochron", "-o", log)
    assert said.stdout == f"{log}: 5000 packets, 100 not received\n"
    assert "150 of 5000 packets lack one of s, t, T, or were not received" in said.stderr
    printed = isochron("--input-file", log, "--summary")
    assert "Packets not completely TX timestamped: 50 (1.000%)\n" in printed
    assert "Packets not received: 100 (2.000%)\n" in printed
    metrics = ours(tmp_path, "show", run, "--json").json["metrics"]
    assert metrics["up_wire_to_wire"]["n"] == COUNT - 150
    assert_same_numbers(printed, metrics, "up", ["Path delay"])


def test_isochron_reads_an_imported_log_again(tmp_path: Path) -> None:
    """From its own words to ours and back: whatever isochron prints of a log, it prints of the log's run, too."""
    first, second = tmp_path / "first.dat", tmp_path / "second.dat"
    ours(tmp_path, "export", made(tmp_path, jittered()), "-f", "isochron", "-o", first)
    run = ours(tmp_path, "import", first, "--runs", tmp_path / "runs", "--direction", "up", "--json").json["path"]
    ours(tmp_path, "export", run, "-f", "isochron", "-o", second)
    printed = isochron("--input-file", first, "--summary")
    assert printed == isochron("--input-file", second, "--summary")
    assert_same_numbers(printed, ours(tmp_path, "show", run, "--json").json["metrics"], "up", [*OURS])


MEASURE = """
ip addr add 198.18.77.1/24 dev eth0
export LD_PRELOAD={preload}
ip netns exec peer {isochron} rcv --interface eth1 --utc-tai-offset 37 >/tmp/rcv.out 2>&1 &
receiver=$!
for second in 1 2 3 4 5 6 7 8 9 10; do
    ip netns exec peer ss -ltn | grep -q ':5000 ' && break
    sleep 1
done
{isochron} send --interface eth0 --client 198.18.77.2 --num-frames 100 --cycle-time 0.02 --advance-time 0.005 \\
    --frame-size 128 --omit-sync --utc-tai-offset 37 --output-file /tmp/isochron.dat >/tmp/send.out 2>&1
kill $receiver
cat /tmp/rcv.out /tmp/send.out >&2
base64 /tmp/isochron.dat
"""


def rx_filter(folder: Path) -> Path:
    """The bench's 82576 stamp the receipt of PTP packets only; isochron insists on all, unless this is preloaded."""
    library = folder / "rx_filter.so"
    source = Path(__file__).with_name("isochron_rx_filter.c")
    target = f"{platform.machine()}-linux-gnu.2.31"
    argv = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-shared", "-fPIC", "-O2", str(source)]
    subprocess.run([*argv, "-o", str(library)], check=True, timeout=120)
    return library


@pytest.mark.timeout(240)
def test_we_read_what_isochron_wrote(tmp_path: Path) -> None:
    """isochron measures between the two NICs of an emulated bench, and we import its log."""
    script, log = tmp_path / "measure.sh", tmp_path / "isochron.dat"
    script.write_text(MEASURE.format(preload=rx_filter(tmp_path), isochron=program()))
    bench = Command(["bench", "shell", "hypervisor", "--", "sh", str(script)], tmp_path)
    try:
        assert bench.wait(200) == 0, bench.stderr
        assert bench.wait_until_all_ended() == {}
    finally:
        bench.end()
    log.write_bytes(base64.b64decode(bench.stdout))
    run = ours(tmp_path, "import", log, "--runs", tmp_path / "runs", "--direction", "up", "--json").json["path"]
    shown = ours(tmp_path, "show", run, "--json").json
    assert shown["counts"]["sent"] == 100, bench.stderr
    assert shown["counts"]["received"] + shown["counts"]["lost"] == 100
    assert shown["metrics"]["up"]["n"] == shown["counts"]["received"] > 50
    assert shown["metrics"]["up"]["min_ns"] > 0
    theirs = isochron("--input-file", log, "--printf-format", FORMAT, "--printf-args", LETTERS)
    assert theirs == ours(tmp_path, "show", run, "--printf", FORMAT, "--printf-args", LETTERS).stdout
    ours(tmp_path, "export", run, "-f", "isochron", "-o", tmp_path / "again.dat")
    assert (tmp_path / "again.dat").read_bytes() == log.read_bytes()
