"""`pycomfy restore`: an old version again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.nix_options import Jobs, Sandbox
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import count, duration, size
from pycomfy.cli.shell import quote
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.archive.restore import RestoredProject
    from pycomfy.services.archive.restore_image import RestoredImage, RestorePlan
    from pycomfy.services.archive.restore_plain import RestoredFolder


def restore(
    reference: Annotated[str, typer.Argument(metavar="NAME[@V]", help="A version: by number, tag or commit.")],
    offline: Annotated[
        bool, typer.Option("--offline", help="Use the archive and this machine's store alone, never the network.")
    ] = False,
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Another archive, for what this machine's lacks.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="A plain ComfyUI folder, instead of an image.")
    ] = None,
    project: Annotated[
        Path | None, typer.Option("--project", metavar="DIR", help="The Nix project, instead of an image.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option(metavar=PLATFORM_METAVAR, help="The image's, if not this machine's.")
    ] = None,
    jobs: Jobs = 0,
    sandbox: Sandbox = True,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Restore a version as image, ComfyUI folder or Nix project.

    The image has the same digest as before.

    What is missing is listed at once, before anything is written.

    Examples: `pycomfy restore portrait@3 --offline`, `pycomfy restore portrait@3 --to ~/ComfyUI`
    """
    if to is not None and project is not None:
        raise typer.BadParameter("give --to or --project, not both", param_hint="--to")
    from pycomfy.adapters.nix.settings import NixSettings
    from pycomfy.services.archive.restore import plan_restore
    from pycomfy.services.archive.restore import restore as restore_version
    from pycomfy.services.archive.restore_request import RestoreRequest
    from pycomfy.services.workspace import Workspace

    request = RestoreRequest(reference, parse_platform(platform), offline, source, to, project)
    with maybe_dry(Workspace.open(nix=NixSettings(sandbox=sandbox, jobs=jobs)), dry=dry) as workspace:
        result = (plan_restore if dry else restore_version)(workspace, request)
    print_json(result) if as_json else _show(result)


def _show(result: "RestoredImage | RestoredFolder | RestoredProject | RestorePlan") -> None:
    from pycomfy.services.archive.restore_image import RestoredImage, RestorePlan
    from pycomfy.services.archive.restore_plain import RestoredFolder

    if isinstance(result, RestorePlan):
        how = "it is in the Nix store already" if result.built else f"built from {count(result.sources, 'source')}"
        print_line(f"{result.label}, for {result.platform}: {how}")
        print_line(f"  digest   {result.manifest_digest or 'not recorded'}")
    elif isinstance(result, RestoredImage):
        _show_image(result)
    elif isinstance(result, RestoredFolder):
        _show_folder(result)
    else:
        print_line(f"{result.version}, its project in {result.project}")


def _show_image(result: "RestoredImage") -> None:
    word = "the recorded image, bit for bit" if result.same else "no image of it was recorded to compare with"
    print_line(f"{result.label}, restored in {duration(result.seconds)}: {word}")
    print_line(f"  digest   {result.manifest_digest}")
    print_line(f"  image    {size(result.size)}, {result.platform}, {count(len(result.diff_ids), 'layer')}")
    print_line(f"  layout   {result.oci}")
    print_line(f"  run it   pycomfy run {result.label}")


def _show_folder(result: "RestoredFolder") -> None:
    from pycomfy.services.archive.restore_plain import VENV

    print_line(f"{result.version}, a ComfyUI folder in {result.folder}")
    print_line(f"  node packs  {', '.join(result.packs) or 'none'}")
    print_line(f"  packages    {result.packages}")
    for model in result.missing_models:
        print_line(f"  missing     models/{model.place} (SHA-256 {model.sha256})")
    for step in result.steps:
        command = step.command if step.command.isprintable() else ascii(step.command)
        print_line(f"  not run     {command}, in custom_nodes/{step.pack}: a step of its build")
    print_line(f"  run it      cd {quote(str(result.folder))} && {VENV}/bin/python main.py")
