"""`pycomfy restore`: an old version again."""

from pathlib import Path
from typing import Annotated

import typer

from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.cli.json_output import print_json
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import duration, size
from pycomfy.services.archive.restore import RestoreRequest, RestoreResult, restore_image, restore_project
from pycomfy.services.archive.restore_plain import VENV, PlainResult, restore_plain
from pycomfy.services.workspace import Workspace


def restore(
    reference: Annotated[str, typer.Argument(metavar="NAME[@V]", help="A version: by number, tag or commit.")],
    offline: Annotated[
        bool, typer.Option("--offline", help="Use the archive and this machine's store alone, never the network.")
    ] = False,
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Another archive, for what the own one lacks.")
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
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=0, help="Layers built at a time; 0: one a core.")
    ] = 0,
    sandbox: Annotated[bool, typer.Option(help="Build in Nix's sandbox.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Restore a version as image, ComfyUI folder or Nix project.

    The image has the same digest as before.

    What cannot be restored is said at once, before anything is written.

    Examples: `pycomfy restore portrait@3 --offline`, `pycomfy restore portrait@3 --to ~/ComfyUI`
    """
    if to is not None and project is not None:
        raise typer.BadParameter("give --to or --project, not both", param_hint="--to")
    request = RestoreRequest(
        reference,
        parse_platform(platform),
        offline=offline,
        source=source,
    )
    workspace = Workspace.open(nix=NixSettings(sandbox=sandbox, jobs=jobs))
    if project is not None:
        stored = restore_project(workspace, reference, project)
        about = {"version": stored.label, "commit": stored.version.commit, "project": str(project)}
        print_json(about) if as_json else print(f"{stored.label}, its project in {project}")
    elif to is not None:
        plain = restore_plain(workspace, request, to)
        print_json(_plain(plain)) if as_json else _show_plain(plain)
    else:
        image = restore_image(workspace, request)
        print_json(_image(image)) if as_json else _show_image(image)


def _image(result: RestoreResult) -> dict[str, object]:
    version, image = result.version.version, result.image
    return {
        "name": version.name,
        "version": version.number,
        "commit": version.commit,
        "parents": list(version.parents),
        "message": version.message,
        "created_at": version.created_at,
        "platform": result.platform,
        "oci": str(image.layout),
        "manifest_digest": image.manifest_digest,
        "config_digest": image.config_digest,
        "diff_ids": list(image.diff_ids),
        "size": image.size,
        "same": result.same,
        "layers_built": result.layers_built,
        "seconds": round(result.seconds, 3),
    }


def _show_image(result: RestoreResult) -> None:
    image = result.image
    word = "the recorded image, bit for bit" if result.same else "no image of it was recorded to compare with"
    print(f"{result.version.label}, restored in {duration(result.seconds)}: {word}")
    print(f"  digest   {image.manifest_digest}")
    print(f"  image    {size(image.size)}, {image.platform}, {len(image.diff_ids)} layers")
    print(f"  layout   {image.layout}")
    print(f"  run it   pycomfy run {result.version.label}")


def _plain(result: PlainResult) -> dict[str, object]:
    return {
        "version": result.version.label,
        "commit": result.version.version.commit,
        "folder": str(result.folder),
        "packs": list(result.packs),
        "packages": result.packages,
        "missing_models": [{"place": m.place, "sha256": m.sha256} for m in result.missing_models],
        "steps": [{"pack": pack, "command": command} for pack, command in result.steps],
    }


def _show_plain(result: PlainResult) -> None:
    print(f"{result.version.label}, a ComfyUI folder in {result.folder}")
    print(f"  node packs  {', '.join(result.packs) or 'none'}")
    print(f"  packages    {result.packages}")
    for model in result.missing_models:
        print(f"  missing     models/{model.place} (SHA-256 {model.sha256})")
    for pack, command in result.steps:
        shown = command if command.isprintable() else ascii(command)
        print(f"  not run     {shown}, in custom_nodes/{pack}: a step of its build")
    print(f"  run it      cd {result.folder} && {VENV}/bin/python main.py")
