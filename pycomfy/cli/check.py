"""`pycomfy check`: verify that an image has what its workflow needs."""

from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.exit_status import CHECK_FAILED
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import duration
from pycomfy.cli.terminal import print_line, print_text
from pycomfy.core.lockfile.names import COMFYUI

if TYPE_CHECKING:
    from pycomfy.services.check import CheckResult


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@V]|PATH",
            help="A version that was built; or a lock, a workflow or a folder, for its newest.",
        ),
    ],
    engine: Annotated[str | None, typer.Option(metavar="podman|docker", help="The container engine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Check that a built image has every node of its workflow.

    The image is started for that. Exit 0 if it has, 3 if not.

    It needs no GPU, and gets no network. Node packs that could not be imported are shown with their tracebacks, and
    what they print while they are loaded. `build` does the same; the result is kept, see `pycomfy show`.

    A workflow goes before a folder of the same name: `portrait/` is the folder.

    Examples: `pycomfy check portrait`, `pycomfy check portrait@3 --json`, `pycomfy check ~/portrait`
    """
    from pycomfy.services.check import check as check_image
    from pycomfy.services.workspace import Workspace

    result = check_image(Workspace.open(engine=engine), target)
    if as_json:
        print_json(result)
    else:
        _show(result)
    return 0 if result.compatible else CHECK_FAILED


def _show(result: "CheckResult") -> None:
    from pycomfy.cli.errors import print_error

    label = f"{result.name}@{result.version}"
    if not result.started:
        print_line(f"{label} does not start ({duration(result.seconds)})")
    else:
        verdict = "has what its workflow needs" if result.compatible else "lacks something that its workflow needs"
        print_line(f"{label} {verdict} ({duration(result.seconds)})")
        _show_parts(result)
    for problem in result.problems:
        print_error(problem)
    if result.problems and result.started:
        print_line(f"all that ComfyUI printed: {result.log}")


def _show_parts(result: "CheckResult") -> None:
    width = max(len(part.name) for part in result.parts)
    for part in result.parts:
        count = len(part.types) - len(part.lacking) - len(part.taken_from_others)
        types = "1 node type" if len(part.types) == 1 else f"{len(part.types)} node types"
        text = f"{count} of {types}" if part.types else "not used by the workflow"
        failed = ", cannot be imported" if part.failure is not None else ""
        print_line(f"  {'✓' if part.compatible else '✗'} {part.name:<{width}}  {text}{failed}")
        if part.failure is not None and part.sufficient:
            _print_indented(part.failure.traceback or part.failure.message)
        for remark in part.remarks if part.failure is None else ():
            _print_indented(f"prints: {remark}")
    for failure in result.failures:
        print_line(f"  ✗ {failure.pack}, a module of {COMFYUI}, cannot be imported, and is not needed")
        _print_indented(failure.traceback or failure.message)


def _print_indented(text: str) -> None:
    for line in text.strip().splitlines():
        print_text(f"      {line}")
