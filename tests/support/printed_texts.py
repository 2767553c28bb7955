"""A program, as `main`, that prints texts on its terminal in one of the ways of the command line: `WAY FILE`.

The file is a JSON list of the texts. What would need a registry, a build or a run is called with results that have
them.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pycomfy.cli import capture, catalog, models, runs
from pycomfy.cli.errors import print_error
from pycomfy.cli.progress_bars import Bars
from pycomfy.cli.prompt import ask
from pycomfy.cli.terminal import make_console, print_rows
from pycomfy.errors import BuildFailed, ErrorGroup, RunFailed, suggest
from pycomfy.operation import Option, Question
from pycomfy.services.catalog import PackSummary
from pycomfy.services.interchange.capture_result import CapturedSource, CaptureResult
from pycomfy.services.results import Note
from pycomfy.services.run.history import RunEntry


def show_bars(texts: Sequence[str]) -> None:
    """Steps that are drawn while they run, and remarks between them."""
    bars = Bars(make_console(sys.stderr))
    for text in texts:
        with bars.step(text, total=3) as task:
            task.note(text)
            task.advance()
            with bars.lock:
                bars.display.refresh()
        bars.report(text, (suggest("log", text, name="x"), text))


def show_question(texts: Sequence[str]) -> None:
    """A question, which nobody answers."""
    options = tuple(Option(text, text) for text in texts)
    for text in texts[:3]:
        ask(Question(text, text, text, options))


def show_messages(texts: Sequence[str]) -> None:
    """Errors with the last lines of what Nix, git or a container printed."""
    for text in texts:
        lines = f"step\n{text}\n{text}"
        print_error(RunFailed(text, where=lines, fix=(text, suggest("log", text, name="x"))))
    print_error(ErrorGroup(tuple(BuildFailed(text, where=text, fix=text) for text in texts)))


def show_catalog(texts: Sequence[str]) -> None:
    """The table of `catalog search`."""
    catalog._show_packs(
        [
            PackSummary(
                url=f"https://github.com/{text}",
                title=text,
                author=text,
                description=text,
                registry_id=text,
                stars=1,
                updated=text,
                types=1,
            )
            for text in texts
        ]
    )


def show_runs(texts: Sequence[str]) -> None:
    """The table of `log --runs`."""
    entries = [
        RunEntry(
            run=1,
            name=text,
            version=1,
            started_at="2025-12-05T09:30:00Z",
            engine="podman",
            gpus=None,
            device=text,
            seconds=1,
            inputs={text: text},
            files={},
            outputs=(),
            values=({"title": text, "kind": text, "value": text},),
            error=None,
        )
        for text in texts
    ]
    print_rows(
        entries, ("run", "version", "started", "on", "took", "inputs", "result"), cells=runs._cells, plain=runs._plain
    )


def show_models(texts: Sequence[str]) -> None:
    """The table of `models status` and `models verify`."""
    models._table(("", "model", "size", "from"), [("missing", text, text, text) for text in texts])


def show_capture(texts: Sequence[str]) -> None:
    """What `capture` found."""
    for text in texts:
        source = CapturedSource(text, text, text, text, text, text, text, 1, text, text, (text,), (text,), (text,), {})
        capture._show(
            CaptureResult(
                folder=Path("x"),
                workflow=False,
                as_of=None,
                comfyui=source,
                packs=(source,),
                disabled=(text,),
                python=None,
                models=(),
                manager=None,
                lost=(text,),
                notes=(Note(text, (text,)),),
            )
        )


WAYS: dict[str, Callable[[Sequence[str]], None]] = {
    "bars": show_bars,
    "question": show_question,
    "messages": show_messages,
    "catalog": show_catalog,
    "runs": show_runs,
    "models": show_models,
    "capture": show_capture,
}


def main() -> None:
    """Print the texts of the file in the way that the arguments say."""
    WAYS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
