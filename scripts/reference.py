"""Write the pages of docs/reference that come from the program: cli.md from the commands, errors.md from the errors,
gateway.md from the gateway's settings, routes and problems.

usage: .venv/bin/python scripts/reference.py [--check]
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycomfy import errors
from pycomfy.cli.commands import list_commands, load_command
from pycomfy.cli.help import parameter_help, parameter_name, split_examples
from pycomfy.gateway.api.app import make_app
from pycomfy.gateway.api.problem import CODES
from pycomfy.gateway.project import Project
from pycomfy.gateway.settings import IN_FILES, PREFIX, Settings, is_secret, variable

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTICE = "<!-- made by scripts/reference.py: change the program, then run it -->\n\n"

CLI = """# Commands

`pycomfy COMMAND --help` says the same on a terminal.

| exit status | means |
|---|---|
| 0 | done |
| 1 | an error that you can fix: it says what, where and how ([errors](errors.md)) |
| 2 | the command was called wrongly |
| 3 | a check says no (`check`, `verify`, `doctor`, `diff --exit-code`) |
| 70 | a bug in pycomfy; please report it |
| 130 | interrupted |

Results go to standard output, progress and remarks to standard error. On a terminal the progress is live, elsewhere it
is a line per step. `NO_COLOR` is respected.

Every command has `--quiet` (`-q`), which leaves results and errors alone. `pycomfy --install-completion` lets your
shell complete commands, options, and the names of workflows, versions, tags and node packs.

| environment variable | what it sets |
|---|---|
| `PYCOMFY_HOME` | the folder for all data and the cache; default: `~/.local/share/pycomfy` and `~/.cache/pycomfy` |
| `PYCOMFY_PROGRESS` | `json`: progress on standard error is an event a line, as JSON |
| `PYCOMFY_ENGINE` | `podman` or `docker`; default: Podman where it works, else Docker |
| `PYCOMFY_RESERVE` | seconds that a ComfyUI waits [in reserve](../how-to/dev.md); 0: none; default: 900, with `CI` 0 |
| `PYCOMFY_CONTAINER_MEMORY`, `…_TMP`, `…_SHM`, `…_PIDS` | a container's [limits](../how-to/outputs-and-limits.md) |
| `PYCOMFY_DEBIAN_MIRROR` | a mirror of Debian's archive; default: the one that this machine's apt uses |
| `PYCOMFY_DEBIAN_SECURITY_MIRROR` | the same for security updates |
| `PYCOMFY_NPM_REGISTRY` | a mirror of npm's registry, for projects that Nix alone builds; default: the public one |
| `PYCOMFY_REGISTRY` | a copy of the Comfy registry's API; default: the public one |
"""

ERRORS = """# Errors

Every error says what happened, where, and how to fix it, and pycomfy exits with status 1. Several problems of one kind
are reported together. With `--json` the error is on standard output too:

```json
{"error": {"code": "not-found", "message": "no such workflow", "where": "portrait.json", "fix": "give a file, …",
  "fixes": [{"advice": "give a file, …"}]}, "schema_version": 1}
```

Codes are stable. `fix` has the alternatives of `fixes` as text. One that is a command is an object with `action`
("lock"), `arguments` (by the names of its parameters; `{"placeholder": "URL"}` where only you know the value) and
`note`; with the action "retry" it is the same command with these arguments, without those that are `false`, or where it
has none of that name, the command `use_case` with them. Several problems at once have the code `problems` and a list
`problems` of such objects.

| code | class | what it means |
|---|---|---|
"""


def main() -> int:
    """Write the files, or with `--check` say which are out of date (exit status 1)."""
    pages = {"cli.md": render_cli(), "errors.md": render_errors(), "gateway.md": render_gateway()}
    if "--check" in sys.argv[1:]:
        old = [n for n, text in pages.items() if not (FOLDER / n).is_file() or (FOLDER / n).read_text() != text]
        for name in old:
            print(f"docs/reference/{name} is out of date: run scripts/reference.py", file=sys.stderr)
        return 1 if old else 0
    for name, text in pages.items():
        (FOLDER / name).write_text(text)
    return 0


# — commands —


def commands() -> dict[str, Any]:
    """Every command by its words ("lock", "models pull"), as Typer's objects; a group stands for its members."""
    return {words: load_command(words) for words in list_commands()}


def render_cli() -> str:
    """docs/reference/cli.md."""
    return NOTICE + CLI + "".join(_command(name, command) for name, command in commands().items())


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join(["pycomfy", name, *map(parameter_name, arguments), "[OPTIONS]"])
    rows = [(parameter_name(p), parameter_help(p)) for p in (*arguments, *options)]
    table = "".join(f"| {_cell(f'`{left}`')} | {_cell(right)} |\n" for left, right in rows)
    text, examples = split_examples(command.help or "")
    calls = "\n".join(examples)
    shown = f"\n```sh\n{calls}\n```\n" if examples else ""
    return f"\n## {name}\n\n    {usage}\n\n{text}\n{shown}\n| argument or option | |\n|---|---|\n{table}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# — errors —


def error_classes(root: type[errors.PycomfyError] = errors.PycomfyError) -> Iterator[type[errors.PycomfyError]]:
    """`root` and all below it, as drawn in the docstring of `pycomfy.errors`."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:  # an adapter's private refinements have the code of their parent
            yield from error_classes(child)


def meanings() -> dict[str, str]:
    """What each class means, from the tree in the docstring of `pycomfy.errors`."""
    return dict(re.findall(r"[├└]── (\w+) +(\S.*)", errors.__doc__ or ""))


def render_errors() -> str:
    """docs/reference/errors.md."""
    said = meanings()
    rows = [
        f"| `{c.code}` | `{c.__name__}` | {_cell(said[c.__name__])} |\n"
        for c in error_classes()
        if c is not errors.PycomfyError
    ]
    return NOTICE + ERRORS + "".join(rows)


# — the gateway —

GATEWAY = """# The gateway

What an image answers, and what can be set. [How to serve a workflow](../how-to/serve.md), [who may call
it](../how-to/gateway-access.md).

## Settings

Each is an environment variable of the container, read once at the start; an empty one is as if it were not there. Lists
are separated by commas, times in seconds, sizes in bytes. With `pycomfy run --serve`: `--env NAME=VALUE`. A value that
cannot be is named at the start, without the value, and the gateway ends with status 1. A *secret* is in no log.

A form with `_FILE` is the path of a file in the container that has the secret in one line, as engines mount secrets;
only one of the two may be set. Those of other tools that the gateway uses have it, too:
{others}.

| variable | default | what it sets |
|---|---|---|
"""

ENDPOINTS = """
`PYCOMFY_VERSION` and `PYCOMFY_IMAGE_DIGEST` are told by who starts the container; they are in records, pictures and
`pycomfy_build_info`.

## Routes

`/openapi.json` has the whole of it, made for the workflow.

| route | |
|---|---|
"""

PROBLEMS = """
## Errors of requests

`/v1` answers as in RFC 9457 (`application/problem+json`, `code` beside the usual), `/api/v2` with
`{"error": {"code", "message", "details"}}`. Codes are stable.

| code | status | what it means |
|---|---|---|
"""


def render_gateway() -> str:
    """docs/reference/gateway.md."""
    others = ", ".join(f"`{name}_FILE`" for name in IN_FILES if not name.startswith(PREFIX))
    parts = [NOTICE, GATEWAY.replace("{others}", others), *map(_setting, Settings.model_fields), ENDPOINTS]
    document = make_app(Project()).openapi()
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            text, _, _ = (operation.get("description") or operation.get("summary", "")).partition("\n\n")
            parts.append(f"| `{method.upper()} {path}` | {_cell(text)} |\n")
    parts += [f"| `{route}` | {text} |\n" for route, text in UNLISTED.items()]
    parts.append(PROBLEMS)
    parts += [f"| `{code}` | {status} | {_cell(text)} |\n" for code, (status, text) in sorted(CODES.items())]
    return "".join(parts)


UNLISTED = {
    "GET /metrics": "for Prometheus; needs a key where there are keys, unless `PYCOMFY_METRICS_PUBLIC`",
    "GET /openapi.json, /docs": "the description of the API, for programs and for people",
    "WS /v1/jobs/{id}/ws": "the events of a job as JSON messages",
    "any /comfyui/…": "ComfyUI's own API and editor, where `PYCOMFY_EXPOSE_COMFYUI` is set; WebSockets, too",
}


def _setting(name: str) -> str:
    about = Settings.model_fields[name]
    default = about.default
    if isinstance(default, bool):
        shown = "1" if default else "0"
    else:
        shown = "" if default in (None, ()) else f"{default:.12g}" if isinstance(default, float) else str(default)
    forms = [variable(name), *([f"{variable(name)}_FILE"] if variable(name) in IN_FILES else [])]
    left = ", ".join(f"`{form}`" for form in forms) + (" *(secret)*" if is_secret(name) else "")
    return f"| {left} | {f'`{shown}`' if shown else ''} | {_cell(about.description or '')} |\n"


if __name__ == "__main__":
    sys.exit(main())
