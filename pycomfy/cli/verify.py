"""`pycomfy verify`: the proof of reproduction."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pycomfy.actions.verify import VerifyRequest, VerifyResult
from pycomfy.actions.verify import verify as verify_version
from pycomfy.cli.progress import duration, make_progress
from pycomfy.outside.home import find_home
from pycomfy.outside.nix.settings import NixSettings

CHECK_FAILED = 3


def verify(
    name: Annotated[str, typer.Argument(metavar="NAME[@N]", help="A workflow that was built, or one of its versions.")],
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the empty store is made: needs 1.6 times the image's size."),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=0, help="Layers built at a time; 0: one a core.")
    ] = 0,
    sandbox: Annotated[bool, typer.Option(help="Build in Nix's sandbox.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build a version again in an empty store, and compare every digest. Exit 0 if all are equal, 3 if not.

    Example: `pycomfy verify portrait@3`
    """
    request = VerifyRequest(name, store, NixSettings(sandbox=sandbox, jobs=jobs))
    result = verify_version(request, find_home(), make_progress())
    if as_json:
        print(json.dumps(_as_dict(result), indent=1))
    else:
        _show(result)
    if result.differences:
        raise typer.Exit(CHECK_FAILED)


def _as_dict(result: VerifyResult) -> dict[str, object]:
    return {
        "name": result.name,
        "version": result.version,
        "equal": not result.differences,
        "recorded": result.recorded.manifest_digest,
        "rebuilt": result.rebuilt.manifest_digest,
        "differences": [{"what": d.what, "recorded": d.recorded, "rebuilt": d.rebuilt} for d in result.differences],
        "seconds": round(result.seconds, 3),
    }


def _show(result: VerifyResult) -> None:
    count = len(result.rebuilt.diff_ids)
    print(f"{result.name}@{result.version}, built again in an empty store in {duration(result.seconds)}")
    print(f"  recorded {result.recorded.manifest_digest}")
    print(f"  rebuilt  {result.rebuilt.manifest_digest}")
    if not result.differences:
        print(f"equal: {count} layers, config and manifest")
    for difference in result.differences:
        print(f"different: {difference.what}\n  recorded {difference.recorded}\n  rebuilt  {difference.rebuilt}")
