# SPDX-License-Identifier: Apache-2.0
"""What a rehearsed host says of its NIC as a PCI device: an 82576, as the emulated bench has it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from latlab.attachment.pci import BUS

NIC = "0000:01:00.0"
FIRST_GROUP, FIRST_FUNCTION_GROUP = 8, 10


def rehearsed_pci(argv: Sequence[str], script: Sequence[str]) -> str | None:
    """The answer to a question about PCI, after the commands of `script`; `None` to other commands. Pure."""
    if list(argv[:2]) == ["readlink", "-e"]:
        return f"/sys/devices/pci0000:00/0000:00:04.0/{NIC}\n"
    if argv[0] == "find" and argv[1].startswith(BUS):
        addresses = [word.rstrip("/").rpartition("/")[2] for word in argv if word.startswith(BUS)]
        return "".join(line for address in addresses for line in _links(address, _functions(script)))
    if argv[0] == "grep" and NIC in argv[-1]:
        folder = f"{BUS}/devices/{NIC}"
        return f"{folder}/sriov_totalvfs:7\n{folder}/sriov_numvfs:0\n{folder}/sriov_drivers_autoprobe:1\n"
    return None


def _functions(script: Sequence[str]) -> list[str]:
    """The virtual functions that the script has made: of a port of an 82576, every other address."""
    made = [int(number) for line in script for number in re.findall(r" sh (\d+) \S+/sriov_numvfs", line)]
    return [f"0000:01:{16 + 2 * n // 8:02x}.{2 * n % 8}" for n in range(made[-1] if made else 0)]


def _links(address: str, functions: Sequence[str]) -> list[str]:
    folder = f"{BUS}/devices/{address}"
    if address != NIC:
        group = FIRST_FUNCTION_GROUP + functions.index(address) if address in functions else 0
        return [f"{folder}/physfn ../{NIC}\n", f"{folder}/iommu_group ../iommu_groups/{group}\n"]
    own = [f"{folder}/driver ../drivers/igb\n", f"{folder}/iommu_group ../iommu_groups/{FIRST_GROUP}\n"]
    return own + [f"{folder}/virtfn{n} ../{function}\n" for n, function in enumerate(functions)]
