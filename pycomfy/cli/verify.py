"""`pycomfy verify`: build a version again, and compare every digest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.exit_status import CHECK_FAILED
from pycomfy.cli.json_output import print_json
from pycomfy.cli.nix_options import Jobs, Sandbox
from pycomfy.cli.no_versions import print_no_versions
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import count, duration
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.archive.verify import VerifyResult


def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME[@V]", help="A workflow that was built, or one of its versions.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every version of every workflow, one after the other.")] = False,
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the empty store is made: needs 1.6 times the image's size."),
    ] = None,
    platform: Annotated[
        str | None, typer.Option(metavar=PLATFORM_METAVAR, help="The image's platform. Default: this machine's.")
    ] = None,
    jobs: Jobs = 0,
    sandbox: Sandbox = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build a version again in an empty store, and compare every digest.

    Exit 0 if all are equal, 3 if not.

    Sources come from the archive, if it has them. A difference is explained: which layer, which file, which bytes.

    Examples: `pycomfy verify portrait@3`, `pycomfy verify --all`, `pycomfy verify portrait@3 --platform linux/arm64`
    """
    if (name is None) != all_:
        raise typer.BadParameter("give a version's NAME[@V], or --all", param_hint="NAME")
    from pycomfy.adapters.nix.settings import NixSettings
    from pycomfy.services.archive.verify import VerifyRequest, verify_all
    from pycomfy.services.archive.verify import verify as verify_version
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open(nix=NixSettings(sandbox=sandbox, jobs=jobs))
    wanted = parse_platform(platform)
    if name is None:
        verified = verify_all(workspace, store, wanted)
    else:
        verified = iter([verify_version(workspace, VerifyRequest(name, store, wanted))])
    results = []
    for result in verified:
        results.append(result)
        if not as_json:
            _show(result, show_platform=platform is not None)
    if as_json:
        print_json(results if all_ else results[0])
    elif not results:
        print_no_versions()
    if not all(result.equal for result in results):
        raise typer.Exit(CHECK_FAILED)


def _show(result: "VerifyResult", *, show_platform: bool) -> None:
    took = f"built again in an empty store in {duration(result.seconds)}"
    print_line(f"{result.name}@{result.version},{f' for {result.platform},' if show_platform else ''} {took}")
    print_line(f"  recorded {result.recorded}")
    print_line(f"  rebuilt  {result.rebuilt}")
    if result.equal:
        print_line(f"equal: {count(result.layers, 'layer')}, config and manifest")
    for difference in result.differences:
        print_line(f"different: {difference.what}")
        print_line(f"  recorded {difference.recorded}")
        print_line(f"  rebuilt  {difference.rebuilt}")
        for line in difference.why:
            print_line(f"    {line}")
        for line in difference.report.splitlines():
            print_line(f"      {line}")
