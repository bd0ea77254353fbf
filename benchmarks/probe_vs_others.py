# SPDX-License-Identifier: Apache-2.0
"""The probe beside netperf and sockperf on one veth pair, in one run: round trip, and highest rate without loss.

    sudo .venv/bin/python benchmarks/probe_vs_others.py [--rounds 5] [--json FILE]

Round trip: medians, in turns (probe, netperf, sockperf, probe, ...), each with the same placement; a ratio is the
median over rounds of probe / other within a round. netperf and sockperf ping-pong send the next packet when the last
one is back, so their CPU never idles; the probe is measured both likewise ("busy": a period of 50 us, of which it
watches the clock) and as it is used, with a period of 1 ms. sockperf prints half a round trip: it is doubled.
Rate: each program tries rates upwards; the highest at which not one packet or record was lost counts, the best of
its placements. All of them send 128 bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from link import A2, FAR_ADDRESS, NEAR, REPLIED, W, check_probe, default_probe, inside, run_probe, server, veth_pair

BYTES = "128"
PLACEMENTS: dict[str, tuple[int, int] | None] = {"free": None, "one CPU": (1, 1), "two CPUs": (0, 1)}
"""CPU of the client and of the server."""
RATES = [20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 150_000, 180_000, 210_000, 250_000, 300_000]

PROBE_KINDS = {
    "probe, all stamps, busy": ["--period", "50us", "--lead", "50us", "--count", "20000"],
    "probe, no transmit stamps, busy": ["--period", "50us", "--lead", "50us", "--count", "20000", "--tx-stamps", "0"],
    "probe, all stamps, 1 ms": ["--period", "1ms", "--count", "1000"],
}
OTHERS = ("netperf UDP_RR", "sockperf ping-pong x 2")


def probe_median_us(probe: str, output: Path, kind: str, cpus: tuple[int, int] | None) -> float:
    fifo = ["--fifo", "80"]
    near, far = ([*fifo, "--cpu", str(cpu)] for cpu in cpus) if cpus else (fifo, fifo)
    _, records = run_probe(probe, output, [*PROBE_KINDS[kind], "--size", BYTES, *near], far)
    stamps = records["stamps"][(records["flags"] & REPLIED) != 0]
    return float(np.median(stamps[:, A2] - stamps[:, W])) / 1000


def netperf_median_us(cpus: tuple[int, int] | None) -> float:
    where = ["-T", f"{cpus[0]},{cpus[1]}"] if cpus else []
    argv = ["netperf", *where, "-P", "0", "-H", FAR_ADDRESS, "-t", "UDP_RR", "-l", "1", "--"]
    argv += ["-r", f"{BYTES},{BYTES}", "-O", "p50_latency"]
    done = subprocess.run(inside(NEAR, *argv), check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def sockperf_median_us(cpus: tuple[int, int] | None) -> float:
    pin_server = ["taskset", "-c", str(cpus[1])] if cpus else []
    pin_client = ["taskset", "-c", str(cpus[0])] if cpus else []
    with server(*pin_server, "sockperf", "server", "-i", FAR_ADDRESS):
        argv = [*pin_client, "sockperf", "ping-pong", "-i", FAR_ADDRESS, "-t", "1", "-m", BYTES]
        done = subprocess.run(inside(NEAR, *argv), check=True, capture_output=True, text=True)
    found = re.search(r"percentile 50\.000 =\s*([\d.]+)", done.stdout)
    if not found:
        raise SystemExit(f"sockperf said no median:\n{done.stdout}{done.stderr}")
    return 2 * float(found[1])


def round_trips(probe: str, output: Path, rounds: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for placement, cpus in PLACEMENTS.items():
        taken: dict[str, list[float]] = {name: [] for name in (*PROBE_KINDS, *OTHERS)}
        for _ in range(rounds):
            for kind in PROBE_KINDS:
                taken[kind].append(probe_median_us(probe, output, kind, cpus))
            taken[OTHERS[0]].append(netperf_median_us(cpus))
            taken[OTHERS[1]].append(sockperf_median_us(cpus))
        for name, medians in taken.items():
            ratios = {
                other: statistics.median(mine / its for mine, its in zip(medians, taken[other], strict=True))
                for other in OTHERS
            }
            rows.append({"placement": placement, "program": name, "medians_us": medians, "ratios": ratios})
    return rows


PROBE_RATE_KINDS: dict[str, tuple[list[str], list[str]]] = {
    "probe, as it is": ([], []),
    "probe, reflector in SCHED_FIFO": ([], ["--fifo", "50", "--cpu", "1"]),
    "probe, gathering, SCHED_FIFO, one CPU each": (
        ["--gather", "200us", "--fifo", "50", "--cpu", "0"],
        ["--gather", "200us", "--fifo", "50", "--cpu", "1"],
    ),
}
"""Options of the sender and of the reflector."""


def probe_rate(probe: str, output: Path, kind: str, rate: int) -> float | None:
    """Packets per second really sent, or None if anything was lost."""
    near, far = PROBE_RATE_KINDS[kind]
    send = ["--period", f"{1_000_000_000 // rate}ns", "--count", str(rate), "--size", BYTES, "--tx-stamps", "0"]
    summary, records = run_probe(probe, output, [*send, *near], far)
    if summary["lost"] or summary["records_dropped"] or summary["send_failed"] or summary["sent"] != rate:
        return None
    w_ns = records["stamps"][:, W]
    return float((len(w_ns) - 1) * 1e9 / (w_ns.max() - w_ns.min()))


SOCKPERF_KINDS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "sockperf, as it is": ([], [], []),
    "sockperf, 4 MB buffers": ([], [], ["--buffer-size", "4194304"]),
    "sockperf, 4 MB buffers, one CPU each": (
        ["taskset", "-c", "1"],
        ["taskset", "-c", "0"],
        ["--buffer-size", "4194304"],
    ),
    "sockperf, 4 MB buffers, server in SCHED_FIFO": (
        ["chrt", "-f", "50", "taskset", "-c", "1"],
        [],
        ["--buffer-size", "4194304"],
    ),
}


def sockperf_rate(log: Path, kind: str, rate: int) -> float | None:
    server_prefix, client_prefix, options = SOCKPERF_KINDS[kind]
    with server(*server_prefix, "sockperf", "server", "-i", FAR_ADDRESS, *options):
        argv = [*client_prefix, "sockperf", "under-load", "-i", FAR_ADDRESS, "-t", "1", "-m", BYTES, f"--mps={rate}"]
        argv += ["--reply-every", "1", "--full-log", str(log), *options]
        done = subprocess.run(inside(NEAR, *argv), check=False, capture_output=True, text=True)
    dropped = re.search(r"dropped messages = (\d+)", done.stdout)
    total = re.search(r"Valid Duration\] RunTime=([\d.]+) sec; SentMessages=(\d+); ReceivedMessages=(\d+)", done.stdout)
    if not dropped or int(dropped[1]) or not total or total[2] != total[3]:
        return None
    return int(total[2]) / float(total[1])


def highest_rates(probe: str, output: Path, rounds: int) -> dict[str, list[float]]:
    """Per program, the highest lossless rate of each round. A program leaves a round after two failures in a row."""
    highest: dict[str, list[float]] = {name: [] for name in (*PROBE_RATE_KINDS, *SOCKPERF_KINDS)}
    for _ in range(rounds):
        best = dict.fromkeys(highest, 0.0)
        failures = dict.fromkeys(highest, 0)
        for rate in RATES:
            for name in highest:
                if failures[name] >= 2:
                    continue
                ours = name in PROBE_RATE_KINDS
                got = probe_rate(probe, output, name, rate) if ours else sockperf_rate(output, name, rate)
                failures[name] = 0 if got else failures[name] + 1
                best[name] = max(best[name], got or 0.0)
        for name, rate_reached in best.items():
            highest[name].append(rate_reached)
    return highest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--probe", default=default_probe())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate-rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    check_probe(options.probe)
    say = sys.stdout.write

    with tempfile.TemporaryDirectory() as folder, veth_pair():
        output = Path(folder) / "records"
        with server("netserver", "-D", "-4", "-L", FAR_ADDRESS):
            trips = round_trips(options.probe, output, options.rounds)
        rates = highest_rates(options.probe, output, options.rate_rounds)

    say(f"round trip over veth, median of {options.rounds} medians (us); ratios to netperf UDP_RR and sockperf x 2\n")
    for row in trips:
        medians, ratios = row["medians_us"], row["ratios"]
        assert isinstance(medians, list)
        assert isinstance(ratios, dict)
        numbers = f"{statistics.median(medians):8.2f}" + "".join(f"{ratio:8.2f}" for ratio in ratios.values())
        say(f"  {row['placement']:9} {row['program']:34}{numbers}\n")
    say("highest rate without a loss, every packet recorded (packets/s)\n")
    for name, reached in rates.items():
        say(f"  {name:46}{statistics.median(reached):10.0f}\n")
    ours = max(statistics.median(rates[name]) for name in PROBE_RATE_KINDS)
    theirs = max(statistics.median(rates[name]) for name in SOCKPERF_KINDS)
    ratio = ours / theirs if theirs else None
    say(
        "  best of the probe's / best of sockperf's: "
        + (f"{ratio:.2f}\n" if ratio else "sockperf lost packets at every rate\n")
    )
    if options.json:
        options.json.write_text(json.dumps({"round_trips": trips, "rates": rates, "rate_ratio": ratio}, indent=1))


if __name__ == "__main__":
    main()
