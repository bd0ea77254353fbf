# SPDX-License-Identifier: Apache-2.0
"""Programs that others wrote, on any host: whether one is there, and whether its server listens yet.

Instruments and loads are run by installed programs. One that is missing is a reason with a remedy, not a failure; a
server is awaited by the kernel's own list of listening sockets, since what programs print is buffered or is nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from latlab.errors import BenchError, HostError
from latlab.hosts.host import Host, Process

PACKAGES = {
    "iperf3": "Debian and Ubuntu: apt install iperf3",
    "netperf": "Debian and Ubuntu: apt install netperf (component non-free of Debian 12, multiverse of Ubuntu)",
    "ping": "Debian and Ubuntu: apt install iputils-ping",
}
PACKAGES["netserver"] = PACKAGES["netperf"]
LISTEN_LIMIT_S = 10.0
TCP_LISTEN = "0A"
"""TCP_LISTEN of the kernel's include/net/tcp_states.h, as /proc/net/tcp prints it."""


class ServerError(BenchError):
    """A server program that does not serve. The host itself is well."""


def missing(host: Host, program: str) -> str | None:
    """Why `program` cannot be used on `host`, and what to do; None when it is there."""
    return None if host.has(program) else f"{program} is not installed on {host.name}; {PACKAGES[program]}"


def is_listening(proc_net_tcp: str, port: int) -> bool:
    """Whether a text in the format of /proc/net/tcp or tcp6 has a listening socket on `port`. Pure."""
    for line in proc_net_tcp.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == TCP_LISTEN and fields[1].endswith(f":{port:04X}"):
            return True
    return False


def last_words(process: Process) -> str:
    """The last line that a program printed, on either channel."""
    lines = [line.strip() for line in (process.stderr + "\n" + process.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def _listens(host: Host, port: int) -> bool:
    # tcp6 is missing in a kernel without IPv6: then only the first file's text comes, with exit code 1.
    return is_listening(host.run_plain(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout, port)


def stop(process: Process) -> None:
    """Ends a program that may have ended already, or was never started. HostError only when the host is lost."""
    try:
        process.stop()
    except HostError:
        if process.running:
            raise


@contextmanager
def serving(host: Host, argv: Sequence[str], port: int) -> Iterator[Process]:
    """A server that listens on TCP `port` of `host` by the time the block begins; ended with its children after it.

    ServerError when the port is taken, or the server does not come to listen.
    """
    if _listens(host, port):
        raise ServerError(
            f"{host.name}: TCP port {port} is already in use",
            hint=f"`ss -ltnp sport = :{port}` there says by whom; a netserver of the system is stopped by "
            "`systemctl stop netperf netserver`.",
        )
    server = host.start(argv)
    try:
        limit = time.monotonic() + LISTEN_LIMIT_S
        while not _listens(host, port):
            if not server.running or time.monotonic() > limit:
                raise ServerError(f"{host.name}: `{' '.join(argv)}` does not listen: {last_words(server)}")
            time.sleep(0.02)
        yield server
    finally:
        stop(server)
