# SPDX-License-Identifier: Apache-2.0
"""latlab: how long a packet takes into, and out of, an application in a virtual machine, and why.

For notebooks and programs: `runs = latlab.open("runs")`; see docs/library.md.
Each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latlab.errors import LatlabError
    from latlab.frames import Table
    from latlab.library import (
        Run,
        Runs,
        compare_runs,
        examine_benches,
        export_runs,
        label_runs,
        list_runs,
        plan_scenario,
        report_runs,
        show_run,
        sql,
    )
    from latlab.library import open_runs as open  # noqa: A004 - as in gzip.open: with the module's name before it

__all__ = [
    "LatlabError",
    "Run",
    "Runs",
    "Table",
    "compare_runs",
    "examine_benches",
    "export_runs",
    "label_runs",
    "list_runs",
    "open",
    "plan_scenario",
    "report_runs",
    "show_run",
    "sql",
]

_PLACES = {
    "LatlabError": "errors.LatlabError",
    "Run": "library.Run",
    "Runs": "library.Runs",
    "Table": "frames.Table",
    "compare_runs": "library.compare_runs",
    "examine_benches": "library.examine_benches",
    "export_runs": "library.export_runs",
    "label_runs": "library.label_runs",
    "list_runs": "library.list_runs",
    "open": "library.open_runs",
    "plan_scenario": "library.plan_scenario",
    "report_runs": "library.report_runs",
    "show_run": "library.show_run",
    "sql": "library.sql",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module 'latlab' has no attribute {name!r}")
    module, attribute = _PLACES[name].split(".")
    return getattr(import_module(f"latlab.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
