"""`pycomfy build`: make an image of a workflow."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.nix_options import Jobs, Sandbox
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import count, duration, size
from pycomfy.cli.several import for_each
from pycomfy.cli.shell import render_command
from pycomfy.cli.terminal import print_line

_MAX_NAMES = 5
"""Absent models that are named."""

if TYPE_CHECKING:
    from pycomfy.services.build.build import BuildResult
    from pycomfy.services.build.plan import PlannedBuild


def build(
    workflow: Annotated[
        list[Path],
        typer.Argument(metavar="WORKFLOW", help="Its file, a picture it made, or a folder with one. Repeatable."),
    ],
    platform: Annotated[
        str | None, typer.Option(metavar=PLATFORM_METAVAR, help="The image's platform; default: this machine's.")
    ] = None,
    locked: Annotated[bool, typer.Option("--locked", help="Never lock: the lock must exist, and match.")] = False,
    prove: Annotated[
        bool, typer.Option("--prove/--no-prove", help="Start the image, and verify that it has every node.")
    ] = True,
    object_info: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Node definitions to use, instead of asking the image.")
    ] = None,
    engine: Annotated[str | None, typer.Option(metavar="podman|docker", help="The container engine.")] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="What this version is about.")
    ] = None,
    archive: Annotated[
        bool, typer.Option("--archive/--no-archive", help="Keep a copy of every source in the archive.")
    ] = True,
    keep_sources: Annotated[
        bool, typer.Option("--keep-sources", help="Keep archived wheels in the Nix store, too: twice the disk.")
    ] = False,
    jobs: Jobs = 0,
    sandbox: Sandbox = True,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build a workflow's image, verify it, and record it as a version.

    Nix builds it. Locks first if the lock is missing or outdated. Where node packs have code for ComfyUI's editor, the
    editor itself is asked for the prompt, in a browser beside the image.

    Examples: `pycomfy build portrait.json`, `pycomfy build portrait/ --platform linux/arm64`
    """
    from pycomfy.adapters.nix.settings import NixSettings
    from pycomfy.services.build.build import BuildRequest
    from pycomfy.services.build.build import build as build_image
    from pycomfy.services.build.plan import plan_build
    from pycomfy.services.build.prover import Prover
    from pycomfy.services.workspace import Workspace

    request = BuildRequest(
        workflow[0],
        platform=parse_platform(platform),
        locked=locked,
        prove=prove,
        object_info=object_info,
        message=message,
        archive=archive,
        keep_sources=keep_sources,
    )
    opened = Workspace.open(nix=NixSettings(sandbox=sandbox, jobs=jobs), engine=engine)
    with maybe_dry(opened, dry=dry, fetches=True) as workspace:
        requests = {one: replace(request, workflow=one) for one in workflow}
        if dry:
            for_each(workflow, lambda one: plan_build(workspace, requests[one]), _show_plan, as_json=as_json)
        else:
            for_each(
                workflow, lambda one: build_image(workspace, requests[one], Prover(workspace)), _show, as_json=as_json
            )


def _show_plan(plan: "PlannedBuild") -> None:
    word = "a new version" if plan.new else "the same as before"
    print_line(f"{plan.name}@{plan.version}, {word}, for {plan.platform}")
    absent = f"{plan.absent} to be fetched or made, {size(plan.absent_size)}" if plan.absent else "all are here"
    print_line(f"  sources  {plan.sources}, {absent}")
    print_line(f"  layers   {', '.join(plan.layers) + ' to be built' if plan.layers else 'nothing to build'}")


def _show(result: "BuildResult") -> None:
    word = "the same as before"
    if result.new or result.first_image:
        word = "a new version" if result.new else f"its first image for {result.platform}"
    print_line(f"{result.name}@{result.version}, {word}, in {duration(result.seconds)}")
    print_line(f"  digest   {result.manifest_digest}")
    built = count(result.layers_built, "layer")
    print_line(f"  image    {size(result.size)}, {result.platform}, {built} built, {result.layers_reused} reused")
    print_line(f"  layout   {result.oci}")
    print_line(f"  commit   {result.commit}")
    if result.runnable:
        print_line(f"  run it   {render_command(('pycomfy', 'run', result.name))}")
    if result.absent_models:
        names = ", ".join(model.location for model in result.absent_models[:_MAX_NAMES])
        more = ", …" if len(result.absent_models) > _MAX_NAMES else ""
        status = render_command(("pycomfy", "models", "status", result.name))
        print_line(f"note: it lacks {count(len(result.absent_models), 'model')}: {names}{more}: `{status}`", error=True)
