"""`pycomfy run`: run one job in a version's image."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import duration, size
from pycomfy.cli.run_server import run_server
from pycomfy.cli.runs import describe_value
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.run.run import RunResult

LIMITS, SERVER = "Limits", "Server"


def run(
    name: Annotated[str, typer.Argument(metavar="NAME[@V]", help="A workflow that was built, or one of its versions.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "-i",
            "--input",
            metavar="NAME=VALUE",
            help="Set an input of the workflow. Repeatable. @FILE reads the value from a file, @- from standard input; "
            "@@ begins a text with @. The value of a picture, video, sound or 3D model is its file.",
        ),
    ] = None,
    inputs_file: Annotated[
        str | None,
        typer.Option(
            "--inputs",
            metavar="FILE",
            help="Set many inputs: a JSON object, - for standard input. Its paths are relative to it; -i overrides it.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="The folder for outputs; nothing there is overwritten."),
    ] = Path("output"),
    gpus: Annotated[
        str | None, typer.Option(metavar="all|N,…", help="GPUs to use; default: none, ComfyUI runs on the CPU.")
    ] = None,
    models: Annotated[
        str,
        typer.Option(
            metavar="auto|none|DIR",
            help="Models, mounted read-only: those that the version's lock pins, none, or a folder with checkpoints/ …",
        ),
    ] = "auto",
    network: Annotated[str, typer.Option(metavar="NAME", help="The container's network, such as bridge.")] = "none",
    engine: Annotated[
        str | None,
        typer.Option(metavar="podman|docker", help="The container engine; default: $PYCOMFY_ENGINE, then Podman."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="End the job after this long.")
    ] = None,
    again: Annotated[
        int | None,
        typer.Option(
            metavar="RUN",
            help="Run this one again, of those that `pycomfy log NAME --runs` lists: its version, inputs and GPUs. -i "
            "and --gpus override them.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory of the container, such as 24G; 0: no limit. Default: $PYCOMFY_CONTAINER_MEMORY, then nine "
            "tenths of the machine's.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    tmp: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Size of /tmp, which lies in that memory. Default: $PYCOMFY_CONTAINER_TMP, then half of it.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    pids: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Processes and threads in the container; 0: no limit. Default: $PYCOMFY_CONTAINER_PIDS, then 8192.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    shm: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Size of /dev/shm, which lies in that memory, too. Default: $PYCOMFY_CONTAINER_SHM, then a quarter of "
            "it.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    keep_free: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="End the job when less than this is free on the disk that it writes to, or less than 10,000 files more"
            " can be made there; 0: never. Default: 1G; never more than half of what is free.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve the workflow as an API until Ctrl-C, instead of one job.", rich_help_panel=SERVER
        ),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="The port of the API on 127.0.0.1; 0: any that is free. Default: 8000.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Set a variable in the container, such as a setting of the gateway. Repeatable. KEY alone takes the "
            "value from here, where no other user sees it.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keys that may use the API, NAME:KEY on a line each.", rich_help_panel=SERVER
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder that keeps jobs and their files. Default: one for the version, in the data folder.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a workflow's image once, and save every output; or serve it as an API.

    The container has no network, a read-only root, no capabilities and no other user's rights. It is always removed
    afterwards. However the job ends, outputs that were made are saved, or it is said where they are.

    `pycomfy show NAME` lists the workflow's inputs; those that are not set keep the workflow's values.

    Examples: `pycomfy run hello -o pictures`, `pycomfy run hello@2 --gpus all --models ~/models`,
    `pycomfy run hello -i title="Good morning" -i seed=8`, `pycomfy run portrait -i image=photo.png -i text=@text.txt`,
    `pycomfy run portrait --inputs values.json -i seed=9`, `pycomfy run portrait --again 12 -i seed=10`,
    `pycomfy run portrait --serve --gpus all --port 8080`
    """
    from dataclasses import replace

    from pycomfy.adapters.containers.job_protocol import JobRequest
    from pycomfy.core.sizes import parse_size
    from pycomfy.services.run.inputs import Arguments
    from pycomfy.services.run.run import RunOptions, RunRequest
    from pycomfy.services.run.run import run as run_job
    from pycomfy.services.run.serve import DEFAULT_PORT, ServeOptions
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open(engine=engine)
    sizes = {"memory": memory, "tmp": tmp, "keep_free": keep_free, "shm": shm}
    given = {name: parse_size(text, name) for name, text in sizes.items() if text is not None}
    limits = replace(workspace.limits, **given, **({} if pids is None else {"pids": pids}))
    server = {"--port": port, "--env": env, "--api-key-file": api_key_file, "--state": state}
    if serve:
        of_jobs = {"-i": inputs, "--inputs": inputs_file, "--timeout": timeout, "--again": again}
        _refuse(of_jobs, "is for one job, not for --serve")
        serve_options = ServeOptions(
            DEFAULT_PORT if port is None else port,
            state,
            _parse_variables(env),
            api_key_file,
            parse_models(models),
            gpus,
            network,
            limits,
        )
        run_server(workspace, name, serve_options, as_json=as_json)
        return
    _refuse(server, "needs --serve")
    options = RunOptions(output, parse_models(models), gpus, network, limits)
    arguments = Arguments(_parse_inputs(inputs), inputs_file)
    request = RunRequest(name, options, JobRequest(timeout=timeout), arguments)
    if again is not None:
        from pycomfy.services.run.run import like_run

        request = like_run(workspace, request, again)
    result = run_job(workspace, request)
    if as_json:
        print_json(result)
    else:
        _show(result)


def _parse_inputs(values: list[str] | None) -> dict[str, str]:
    texts: dict[str, str] = {}
    for value in values or ():
        name, equals, text = value.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"write NAME=VALUE, not {value!r}", param_hint="-i")
        if name in texts:
            raise typer.BadParameter(f"{name} is given twice", param_hint="-i")
        texts[name] = text
    return texts


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None and value != []:
            raise typer.BadParameter(f"it {why}", param_hint=name)


def _parse_variables(values: list[str] | None) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for value in values or ():
        name, equals, text = value.partition("=")
        if not equals and name not in os.environ:
            raise typer.BadParameter(f"there is no variable {name} here: write {name}=VALUE", param_hint="--env")
        found[name] = text if equals else None
    return found


def parse_models(text: str) -> Path | Literal["auto"] | None:
    """Return what an option that names models means."""
    if text == "auto":
        return "auto"
    return None if text == "none" else Path(text)


def _show(result: "RunResult") -> None:
    """Print the outputs' paths on stdout, a line each; what nodes returned besides files, and the summary on stderr."""
    files = {output.path: output.size for output in result.outputs}  # several nodes may name the same
    for path in files:
        print_line(path)
    for value in result.values:
        print_line(describe_value(asdict(value)), error=True)
    total = size(sum(files.values()))
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    print_line(
        f"{count} ({total}) in {duration(result.seconds)}: ComfyUI ready after {duration(result.ready_seconds)}, "
        f"workflow {duration(result.prompt_seconds)} on {result.device}",
        error=True,
    )
