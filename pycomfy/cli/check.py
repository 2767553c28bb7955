"""`pycomfy check`: the proof that an image has what its workflow needs."""

from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import duration
from pycomfy.core.lockfile.names import COMFYUI

if TYPE_CHECKING:
    from pycomfy.core.versions.verification import SourceVerification, Verification
    from pycomfy.services.check import CheckResult

CHECK_FAILED = 3


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@V]|PATH", help="A version that was built; or a folder, a workflow or a lock, for its newest."
        ),
    ],
    engine: Annotated[str | None, typer.Option(metavar="podman|docker", help="The container engine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Check that a built image has every node of its workflow.

    The image is started for that. Exit 0 if it has, 3 if not.

    It needs no GPU, and gets no network. Node packs that could not be imported are shown with their tracebacks, and
    what they print while they are loaded. `build` does the same; the result is kept, see `pycomfy show`.

    Examples: `pycomfy check portrait`, `pycomfy check portrait@3 --json`, `pycomfy check ~/portrait`
    """
    from pycomfy.services.check import check as check_image
    from pycomfy.services.workspace import Workspace

    result = check_image(Workspace.open(engine=engine), target)
    if as_json:
        print_json(_as_dict(result))
    else:
        _show(result)
    return 0 if result.passed else CHECK_FAILED


def _as_dict(result: "CheckResult") -> dict[str, object]:
    proof = result.proof
    return {
        "name": result.name,
        "version": result.version,
        "platform": result.image.platform,
        "manifest_digest": result.image.manifest_digest,
        "compatible": result.passed,
        "started": proof is not None,
        "node_types": proof.count if proof is not None else 0,
        "parts": [_part(part) for part in proof.parts] if proof is not None else [],
        "failures": [vars(failure) for failure in proof.failures] if proof is not None else [],
        "problems": [problem.as_dict() for problem in result.problems],
        "seconds": round(result.seconds, 3),
    }


def _part(part: "SourceVerification") -> dict[str, object]:
    return {
        "name": part.name,
        "compatible": part.works,
        "types": list(part.types),
        "lacking": list(part.lacking),
        "taken_from_others": dict(part.others),
        "failure": vars(part.failure) if part.failure is not None else None,
        "remarks": list(part.remarks),
    }


def _show(result: "CheckResult") -> None:
    from pycomfy.cli.errors import print_error

    label, proof = f"{result.name}@{result.version}", result.proof
    if proof is None:
        print(f"{label} does not start ({duration(result.seconds)})")
    else:
        verdict = "has what its workflow needs" if result.passed else "lacks something that its workflow needs"
        print(f"{label} {verdict} ({duration(result.seconds)})")
        _show_parts(proof)
    for problem in result.problems:
        print_error(problem)


def _show_parts(proof: "Verification") -> None:
    width = max(len(part.name) for part in proof.parts)
    for part in proof.parts:
        have = len(part.types) - len(part.lacking) - len(part.others)
        types = "1 node type" if len(part.types) == 1 else f"{len(part.types)} node types"
        count = f"{have} of {types}" if part.types else "nothing is needed of it"
        failed = ", cannot be imported" if part.failure is not None else ""
        print(f"  {'✓' if part.works else '✗'} {part.name:<{width}}  {count}{failed}")
        if part.failure is not None and part.does:
            _indent(part.failure.traceback or part.failure.message)
        for remark in part.remarks if part.failure is None else ():
            _indent(f"it says: {remark}")
    for failure in proof.failures:
        print(f"  ✗ a module of {COMFYUI}'s, {failure.pack}, cannot be imported, and is not needed")
        _indent(failure.traceback or failure.message)


def _indent(text: str) -> None:
    print("".join(f"      {line}\n" for line in text.strip().splitlines()), end="")
