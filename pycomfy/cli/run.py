"""`pycomfy run`: one job in a version's image."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from pycomfy.actions.run import RunOptions, RunRequest, RunResult
from pycomfy.actions.run import run as run_job
from pycomfy.cli.progress import duration, make_progress, size
from pycomfy.outside.home import find_home
from pycomfy.outside.job import JobRequest


def run(
    name: Annotated[str, typer.Argument(metavar="NAME[@N]", help="A workflow that was built, or one of its versions.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the outputs go; nothing there is overwritten.")
    ] = Path("output"),
    gpus: Annotated[
        str | None, typer.Option(metavar="all|N,…", help="GPUs to use; without, ComfyUI runs on the CPU.")
    ] = None,
    models: Annotated[
        str,
        typer.Option(
            metavar="auto|none|DIR",
            help="Models, mounted read-only: those the version's lock pins, none, or a folder with checkpoints/ ….",
        ),
    ] = "auto",
    network: Annotated[str, typer.Option(metavar="NAME", help="The container's network, such as bridge.")] = "none",
    engine: Annotated[
        str | None, typer.Option(metavar="podman|docker", help="Which engine; default $PYCOMFY_ENGINE, then Podman.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="End the job after this long.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a workflow's image once, and save every output.

    The container has no network, a read-only root, no capabilities and no other user's rights; it is removed whatever
    happens.

    Examples: `pycomfy run hello -o pictures`, `pycomfy run hello@2 --gpus all --models ~/models`
    """
    options = RunOptions(output, _models(models), gpus, network, engine)
    result = run_job(RunRequest(name, options, JobRequest(timeout=timeout)), find_home(), make_progress())
    if as_json:
        print(json.dumps(as_dict(result), indent=1, ensure_ascii=False))
    else:
        show(result)


def _models(text: str) -> Path | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    return None if text == "none" else Path(text)


def as_dict(result: RunResult) -> dict[str, object]:
    return {**asdict(result), "outputs": [o.as_dict() for o in result.outputs]}


def show(result: RunResult) -> None:
    """The outputs' paths on stdout, a line each; how it went on stderr."""
    for output in result.outputs:
        print(output.path)
    total = size(sum(o.size for o in result.outputs))
    count = "1 file" if len(result.outputs) == 1 else f"{len(result.outputs)} files"
    print(
        f"{count} ({total}) in {duration(result.seconds)}: ComfyUI ready after {duration(result.ready_seconds)}, "
        f"workflow {duration(result.prompt_seconds)} on {result.device}",
        file=sys.stderr,
    )
