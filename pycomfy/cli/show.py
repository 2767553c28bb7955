"""`pycomfy show`: one version."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count, size
from pycomfy.cli.shell import render_command
from pycomfy.cli.terminal import MAX_CELL, print_line

if TYPE_CHECKING:
    from pycomfy.core.versions.built_image import BuiltImage
    from pycomfy.services.versions.picture import PictureResult
    from pycomfy.services.versions.show import ShowResult

# A default Nix has flakes switched off.
_FLAKES = ("--extra-experimental-features", "nix-command flakes")


def show(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="NAME, NAME@3, NAME@tag or NAME@commit; or a picture, video or sound.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show a version and everything recorded about it.

    It shows who made it when, what it is made of, its inputs, what changed in it, and its images. Of a picture, video
    or sound that a version made, it names that version, as far as it is recorded here.

    Examples: `pycomfy show hello`, `pycomfy show hello@2 --json`, `pycomfy show output/hello_00001_.png`
    """
    from pycomfy.services.versions.picture import is_picture, show_picture
    from pycomfy.services.versions.show import show as show_version
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open()
    if is_picture(workspace, reference):
        picture = show_picture(workspace, reference)
        if as_json:
            print_json(picture)
        else:
            _print_picture(picture)
        return
    result = show_version(workspace, reference)
    if as_json:
        print_json(result)
    else:
        _print(result)


def _print(result: "ShowResult") -> None:
    from pycomfy.core.interface.json_schema import describe_type
    from pycomfy.core.sentences import shorten

    tags = f" ({', '.join(result.tags)})" if result.tags else ""
    pytorch = f", PyTorch for {result.accelerator}" if result.accelerator is not None else ""
    print_line(f"{result.label}{tags}")
    print_line(f"  commit    {result.commit}")
    if len(result.parents) > 1:
        print_line(f"  merge     {' '.join(parent[:12] for parent in result.parents)}")
    print_line(f"  author    {result.author}")
    print_line(f"  date      {_plain_date(result.created_at)}")
    print_line(f"  ComfyUI   {result.comfyui.version}, Python {result.python}{pytorch}, packages as of {result.as_of}")
    if result.packs:
        works = _describe_packs(result.images)
        print_line(f"  packs     {', '.join(pack.name + works.get(pack.name, '') for pack in result.packs)}")
    for image in result.images:
        layers = count(len(image.diff_ids), "layer")
        print_line(f"  image     {image.platform}, {size(image.size)}, {layers}, {image.manifest_digest}")
        print_line(f"  verified  {_describe_verification(image)}")
    for parameter in result.inputs or ():
        default = shorten(json.dumps(parameter.default, ensure_ascii=False), MAX_CELL)
        print_line(f"  input     {parameter.name} ({describe_type(parameter)}): {default}")
    print_line(f"  Nix       {render_command(('nix', 'build', *_FLAKES, result.flake))}")
    if result.message:
        print_line()
        for line in result.message.splitlines():
            print_line(f"    {line}")
    if result.summary:
        print_line()
        for line in result.summary:
            print_line(line)


def _print_picture(picture: "PictureResult") -> None:
    from pycomfy.core.sentences import shorten
    from pycomfy.core.versions.made_by import MadeBy

    made_by = MadeBy.model_validate(picture.made_by or {})
    print_line(f"{picture.file}{f' ({picture.format})' if picture.format else ''}")
    if picture.proven:
        print_line(f"  made by   {picture.version}, run {picture.run}: the very file that it saved")
    elif picture.version is not None:
        print_line(f"  made by   {picture.version}, as the file says: its lock is the same")
    else:
        print_line(f"  made by   {made_by.label or 'a version'}, as the file says; no version here has its lock")
    if made_by.label and made_by.label != picture.version and picture.version is not None:
        print_line(f"  called    {made_by.label} where it was made")
    for title, text in (
        ("lock", made_by.lock_sha256),
        ("workflow", made_by.workflow_sha256),
        ("image", made_by.image_digest),
        ("job", made_by.job),
    ):
        if text:
            print_line(f"  {title:<9} {text}")
    for name, value in made_by.inputs.items():
        print_line(f"  input     {name}: {shorten(json.dumps(value, ensure_ascii=False), MAX_CELL)}")
    if picture.has_workflow:
        print_line(f"  see also  {render_command(('pycomfy', 'inspect', picture.file))}")


def _describe_packs(images: "tuple[BuiltImage, ...]") -> dict[str, str]:
    """Return what the verification of an image says of each node pack."""
    found = {name: works for image in images for name, works in image.compatible.items()}
    return {name: " (works)" if works else " (does not work)" for name, works in found.items()}


def _describe_verification(image: "BuiltImage") -> str:
    if image.proven is None:
        return "no: the image was not started and asked for its nodes; `pycomfy check` does that"
    verdict = "yes: it has what" if image.proven else "no: it lacks something that"
    checked = f", checked {_plain_date(image.checked_at)}" if image.checked_at else ""
    return f"{verdict} the workflow needs{checked}"


def _plain_date(moment: str) -> str:
    return moment.replace("T", " ").removesuffix("Z")
