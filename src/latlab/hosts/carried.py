# SPDX-License-Identifier: Apache-2.0
"""The controller's files on a host that does not see them: copied there once, named by their content, removed later."""

from __future__ import annotations

import hashlib
from pathlib import Path

from latlab.errors import HostError
from latlab.hosts.host import Host

COPY_LIMIT_S = 300


class Carried:
    """What `Host.bring` does for a host over a network."""

    def __init__(self, host: Host) -> None:
        """Makes the folder there: it is removed with what is deferred now, and not with what is when a file comes."""
        self._host = host
        self._folder = f"/tmp/latlab-{host.facts.id}-files"
        self._there: set[str] = set()
        host.change(["mkdir", "-m", "700", self._folder], undo=["rm", "-rf", self._folder])

    def __call__(self, path: Path) -> Path:
        """Where the file is on the host. HostError when it cannot be put there, or is not the same there."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise HostError("controller", f"{path}: cannot be read: {error.strerror}") from error
        digest = hashlib.sha256(data).hexdigest()
        target = f"{self._folder}/{digest[:16]}"
        if digest not in self._there:
            self._host.run(["dd", f"of={target}", "bs=64k", "status=none"], feed=data, timeout_s=COPY_LIMIT_S)
            if self._host.run(["sha256sum", target]).split()[0] != digest:
                raise HostError(self._host.name, f"{path.name} did not arrive whole in {self._folder}")
            self._there.add(digest)
        return Path(target)
