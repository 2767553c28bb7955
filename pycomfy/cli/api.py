"""`pycomfy api`: a version's API as OpenAPI, and programs that call it."""

from typing import Annotated, Literal

import typer

from pycomfy.cli.terminal import print_text


def api(
    reference: Annotated[str, typer.Argument(metavar="NAME[@V]", help="A workflow that was built, or a version.")],
    lang: Annotated[
        Literal["openapi", "curl", "python", "typescript", "comfy-sdk"],
        typer.Option("--lang", help="What to print: the OpenAPI document, or a program that runs a job."),
    ] = "curl",
    url: Annotated[str, typer.Option(metavar="URL", help="Where the version is served.")] = "http://127.0.0.1:8000",
) -> None:
    """Print how a served workflow is called: its OpenAPI document, or a program with its own inputs.

    Nothing is started: `pycomfy run NAME --serve` does that, and serves the same document at /openapi.json. The
    programs read a key from the variable PYCOMFY_API_KEY.

    Examples: `pycomfy api portrait`, `pycomfy api portrait@3 --lang openapi > openapi.json`,
    `pycomfy api portrait --lang python --url https://api.example.com > call.py`
    """
    from pycomfy.services.api_description import describe_api, render_document, write_api_example
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open()
    if lang == "openapi":
        print_text(render_document(describe_api(workspace, reference)))
    else:
        print_text(write_api_example(workspace, reference, lang, url).rstrip("\n"))
