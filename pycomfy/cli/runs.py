"""Show recorded runs."""

import json
from typing import TYPE_CHECKING

from pycomfy.cli.fixes import with_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import duration
from pycomfy.cli.terminal import print_line, print_rows
from pycomfy.errors import Placeholder, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pycomfy.services.run.history import RunEntry

MAX_VALUE = 300
"""Characters of a value that are shown."""


def show_runs(name: str | None, *, as_json: bool) -> None:
    """Print the runs of a workflow, or all: a table on a terminal, elsewhere a line each."""
    from pycomfy.services.run.history import list_runs
    from pycomfy.services.workspace import Workspace

    runs = list_runs(Workspace.open(), name)
    if as_json:
        print_json(runs)
    elif not runs:
        print_line(with_fixes("no runs yet", suggest("run", name=name or Placeholder("NAME"))), error=True)
    else:
        titles = ("run", "version", "started", "on", "took", "inputs", "result")
        print_rows(runs, titles, cells=_cells, plain=_plain, right=("run", "took"), wrap=("inputs", "result"))


def shorten(value: object) -> str:
    """Return a value in one line: a text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"


def _cells(run: "RunEntry") -> tuple[str, ...]:
    started = run.started_at.replace("T", " ").removesuffix("Z")
    on = f"{run.engine}, {run.device or run.gpus or 'cpu'}"
    return str(run.run), f"{run.name}@{run.version}", started, on, duration(run.seconds), _inputs(run), _result(run)


def _plain(run: "RunEntry") -> tuple[object, ...]:
    return run.run, f"{run.name}@{run.version}", run.started_at, f"{run.seconds:.1f}", _inputs(run), _result(run)


def _inputs(run: "RunEntry") -> str:
    return ", ".join(f"{name}={shorten(run.files.get(name) or value)}" for name, value in run.inputs.items())


def _result(run: "RunEntry") -> str:
    if run.error is not None:
        # In its details, where it happened, may be the end of ComfyUI's log.
        what = [line for line in run.error.splitlines() if not line.startswith(" ")]
        return f"error: {shorten('; '.join(what))}"
    files = [output.path if output.exists else f"{output.path} (gone)" for output in run.outputs]
    return ", ".join([*files, *map(describe_value, run.values)])


def describe_value(value: "Mapping[str, object]") -> str:
    """Return what a node returned besides files, with the node."""
    return f"{value.get('title') or value.get('node')} {value.get('kind')}: {shorten(value.get('value'))}"
