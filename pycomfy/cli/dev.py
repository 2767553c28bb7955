"""`pycomfy dev`: build a workflow with every change of its files, with ComfyUI's editor open on the result."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json_line
from pycomfy.cli.nix_options import Jobs, Sandbox
from pycomfy.cli.progress import count, duration
from pycomfy.cli.run import parse_models
from pycomfy.cli.terminal import print_line
from pycomfy.core.sentences import shorten

if TYPE_CHECKING:
    from pycomfy.services.dev.dev import Rebuilt
    from pycomfy.services.dev.watched import Watched

_MAX_TYPES = 20
"""Node types that are named of those that were added, removed or changed."""


def dev(
    workflow: Annotated[
        Path, typer.Argument(metavar="WORKFLOW", help="Its file, a picture it made, or a folder with one.")
    ],
    editor: Annotated[
        bool, typer.Option("--editor/--no-editor", help="Keep ComfyUI's editor open on the newest version.")
    ] = True,
    port: Annotated[
        int,
        typer.Option(metavar="PORT", min=0, max=65535, help="The editor's port on 127.0.0.1; 0: any that is free."),
    ] = 8188,
    models: Annotated[
        str,
        typer.Option(
            metavar="DIR|auto|none", help="Models for the editor: a folder, those of the lock, or none, as for `run`."
        ),
    ] = "auto",
    gpus: Annotated[str | None, typer.Option(metavar="all|N,M", help="GPUs for the editor.")] = None,
    network: Annotated[
        str, typer.Option(metavar="none|bridge|NAME", help="The network that the editor's container gets.")
    ] = "none",
    engine: Annotated[str | None, typer.Option(metavar="podman|docker", help="The container engine.")] = None,
    archive: Annotated[
        bool, typer.Option("--archive/--no-archive", help="Keep a copy of every source in the archive.")
    ] = True,
    jobs: Jobs = 0,
    sandbox: Sandbox = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what became of each change as a line of JSON.")
    ] = False,
) -> None:
    """Build a workflow with every change of its files, and keep ComfyUI's editor open on the result.

    Watches the workflow, pycomfy.toml and the folders of local node packs (`path = …`), until Ctrl-C. Each change is
    built, verified and recorded as `build` does it; what became of the nodes is said: which are new, gone, or have
    other inputs, and which packs cannot be imported. The editor stays on the last version that was verified. It is on
    127.0.0.1, with a key of this session alone, and ends with it.

    Examples: `pycomfy dev portrait/`, `pycomfy dev portrait.json --no-editor --no-archive`
    """
    from pycomfy.adapters.nix.settings import NixSettings
    from pycomfy.services.dev.dev import DevOptions, Listener
    from pycomfy.services.dev.dev import dev as develop
    from pycomfy.services.dev.session import EditorOptions
    from pycomfy.services.workspace import Workspace

    def show(rebuilt: "Rebuilt") -> None:
        if as_json:
            print_json_line(rebuilt)
        else:
            _show(rebuilt)
        sys.stdout.flush()  # a pipe or a file gets it now, not at the end

    options = EditorOptions(port, parse_models(models), gpus, network) if editor else None
    workspace = Workspace.open(nix=NixSettings(sandbox=sandbox, jobs=jobs), engine=engine)
    listener = Listener(show, lambda url: print_line(f"  editor   {url}", error=True), _show_watched)
    develop(workspace, DevOptions(workflow, archive, options), listener)
    print_line("stopped", error=True)


def _show(rebuilt: "Rebuilt") -> None:
    """Print what was built and what became of the nodes on stdout, the problems on stderr."""
    from pycomfy.cli.errors import print_error

    if (built := rebuilt.built) is not None:
        word = "a new version" if built.new else "the same as before"
        print_line(f"{built.name}@{built.version}, {word}, verified in {duration(rebuilt.seconds)}")
    else:
        print_line(f"no new version ({duration(rebuilt.seconds)})")
    lines = [f"+ {type_}  ({module})" for type_, module in rebuilt.added.items()]
    lines += [f"- {type_}  ({module})" for type_, module in rebuilt.removed.items()]
    lines += [f"~ {type_}  {'; '.join(how)}" for type_, how in rebuilt.changed.items()]
    for line in lines[:_MAX_TYPES]:
        print_line(f"  {shorten(line, 1000)}")
    if len(lines) > _MAX_TYPES:
        print_line(f"  … and {count(len(lines) - _MAX_TYPES, 'more node type')}")
    for failure in rebuilt.failures:
        print_line(f"  ✗ {failure.pack} cannot be imported: {failure.error}")
    for problem in rebuilt.problems:
        print_error(problem)


def _show_watched(watched: "Watched") -> None:
    places = [str(path) for path in (*sorted(watched.files), *watched.trees)]
    print_line(f"watching {', '.join(places)}: Ctrl-C ends it", error=True)
