# SPDX-License-Identifier: Apache-2.0
"""The settings of a log, kept in the run.json of the run that it became, and had from any run for a log or a report."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from latlab.errors import StoreError
from latlab.isochron.convert import settings_of
from latlab.isochron.dat import LATEST_NS, Settings
from latlab.stats.records import StreamHeader
from latlab.store.run_dir import RunDirectory

ENV = "isochron"
"""The part of a run's `env` that holds the settings."""
_TAI_OFFSET_NS = 37_000_000_000  # since 2017


def settings_json(settings: Settings, file: str, started_ns: int) -> dict[str, Any]:
    """For `env`: the log's header, and when its measurement began (UTC), if it did."""
    begun = datetime.fromtimestamp((started_ns - _TAI_OFFSET_NS) // 1_000_000_000, UTC) if started_ns else None
    started = begun.isoformat() if begun else None
    return {"file": file, "started": started, "flag_names": settings.flag_names, **asdict(settings)}


def settings_from(run: RunDirectory, header: StreamHeader) -> Settings:
    """Those of the log that `run` was imported from, or of a log that tells the same as a run of latlab's own.

    Raises StoreError if somebody has changed them beyond use.
    """
    document = run.document
    if document.bench.kind == "imported" and ENV in document.env:
        kept = document.env[ENV]
        kept = kept if isinstance(kept, dict) else {}
        values = {field.name: value for field in fields(Settings) if type(value := kept.get(field.name)) is int}
        if len(values) == len(fields(Settings)):
            settings = Settings(**values)
            small = 0 <= settings.frame_size < 65_536 and 0 <= settings.flags < 65_536
            if small and all(abs(value) <= LATEST_NS for value in values.values()):
                return settings
        raise StoreError(f"{run.path}: env.{ENV} in its run.json is damaged", hint="import the log again")
    flow = document.point.get("flow")
    flow = flow if isinstance(flow, dict) else {}
    return settings_of(header, str(flow.get("transport")), flow.get("vlan") is not None, document.timescales)
