"""`pycomfy convert`: the prompt that ComfyUI's editor would send."""

from pathlib import Path
from typing import Annotated

import typer

from pycomfy.cli.exit_status import USER_ERROR
from pycomfy.cli.json_output import print_json, print_json_text
from pycomfy.cli.terminal import print_line


def convert(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflows: paths, URLs, or - for stdin.")],
    object_info: Annotated[
        str | None,
        typer.Option("--object-info", metavar="JSON|URL", help="A saved /object_info, or a running ComfyUI's address."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="NAME[@V]",
            help="A version that was built: its nodes, and its editor where its packs have code for it.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write one NAME.json per workflow here.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--expand-texts",
            metavar="SEED",
            help="Do what the browser does on queueing: choose from {a|b}, drop comments, fill in %date:…%.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With -o, list the written files as JSON.")] = False,
) -> None:
    """Convert workflows from the editor's format to the API's.

    It needs the definitions of the nodes: `--object-info` or `--with`.

    One file goes to standard output, several into a folder. Of several, those are written that can be converted; exit 1
    if there are others, with what is wrong with each.

    Examples: `pycomfy convert portrait.json --object-info http://127.0.0.1:8188`,
    `pycomfy convert *.json --with portrait -o prompts/`
    """
    from pycomfy.cli.errors import print_error
    from pycomfy.services.convert import ConversionTarget, convert_files, render_prompt
    from pycomfy.services.convert import convert as convert_workflow
    from pycomfy.services.workspace import Workspace

    if (object_info is None) == (version is None):
        which = "one is needed, for the definitions of the nodes" if version is None else "give one, not both"
        raise typer.BadParameter(which, param_hint="--object-info, --with")
    workspace, target = Workspace.open(), ConversionTarget(object_info, version, seed)
    if output is None:
        if len(files) > 1:
            raise typer.BadParameter("several workflows need -o DIR", param_hint="-o")
        print_json_text(render_prompt(convert_workflow(workspace, files[0], target)).removesuffix("\n"))
        return
    result = convert_files(workspace, files, target, output)
    if as_json:
        print_json(result)
    else:
        for path in result.files:
            print_line(path)
    if result.failed:
        for problem in result.problems:
            print_error(problem)
        print_line(f"{len(result.failed)} of {len(files)} workflows were not converted", error=True)
        raise typer.Exit(USER_ERROR)
