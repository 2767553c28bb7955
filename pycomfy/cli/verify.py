"""`pycomfy verify`: the proof of reproduction."""

from pathlib import Path
from typing import Annotated

import typer

from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import duration
from pycomfy.services.archive.verify import VerifyRequest, VerifyResult
from pycomfy.services.archive.verify import verify as verify_version
from pycomfy.services.realise import host_platform
from pycomfy.services.versions.recorded_version import list_built
from pycomfy.services.workspace import Workspace

CHECK_FAILED = 3


def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME[@V]", help="A workflow that was built, or one of its versions.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every version of every workflow, one after the other.")] = False,
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
    """Build a version again in an empty store, and compare every digest.

    Exit 0 if all are equal, 3 if not.

    Sources come from the archive, if it has them. A difference is explained: which layer, which file, which bytes.

    Examples: `pycomfy verify portrait@3`, `pycomfy verify --all`
    """
    if (name is None) != all_:
        raise typer.BadParameter("give a version's NAME[@V], or --all", param_hint="NAME")
    workspace = Workspace.open(nix=NixSettings(sandbox=sandbox, jobs=jobs))
    results = []
    for label in [name] if name is not None else list_built(workspace, host_platform()):
        result = verify_version(workspace, VerifyRequest(label, store))
        results.append(result)
        if not as_json:
            _show(result)
    if as_json:
        answers = [_as_dict(result) for result in results]
        print_json(answers if all_ else answers[0])
    if any(result.differences for result in results):
        raise typer.Exit(CHECK_FAILED)


def _as_dict(result: VerifyResult) -> dict[str, object]:
    return {
        "name": result.name,
        "version": result.version,
        "equal": not result.differences,
        "recorded": result.recorded.manifest_digest,
        "rebuilt": result.rebuilt.manifest_digest,
        "differences": [
            {"what": d.what, "recorded": d.recorded, "rebuilt": d.rebuilt, "why": list(d.why), "report": d.report}
            for d in result.differences
        ],
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
        for line in difference.why:
            print(f"    {line}")
        for line in difference.report.splitlines():
            print(f"      {line}")
