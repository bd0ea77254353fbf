# SPDX-License-Identifier: Apache-2.0
"""The words of a scenario's `timing`: the ways to compare the clocks of the flow's two ends, with their options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from latlab.scenario.base import Model
from latlab.scenario.ptp import Ptp


class Auto(Model):
    """The best that works and changes nothing: `shared`, `kvm-tsc`, `ptp-kvm`, `exchange`, in this order."""

    kind: Literal["auto"] = "auto"


class Shared(Model):
    """Both ends are on one kernel and read one clock."""

    kind: Literal["shared"] = "shared"


class KvmTsc(Model):
    """A guest and its host, compared by the TSC offset and scaling that KVM tells."""

    kind: Literal["kvm-tsc"] = "kvm-tsc"


class PtpKvm(Model):
    """A guest and its host, compared by the guest's ptp_kvm clock."""

    kind: Literal["ptp-kvm"] = "ptp-kvm"


class Exchange(Model):
    """The measured packets themselves; no clock service at all. It runs beside all the others, as their cross-check."""

    kind: Literal["exchange"] = "exchange"


Timing = Annotated[Auto | Shared | KvmTsc | PtpKvm | Ptp | Exchange, Field(discriminator="kind")]
