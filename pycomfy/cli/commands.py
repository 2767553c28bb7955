"""The commands there are, and how each is loaded when it is called: a call needs one, and imports are slow."""

import os
from importlib import import_module
from keyword import iskeyword
from typing import Any

import typer

from pycomfy.cli.completion import SHELL, add_completion
from pycomfy.cli.help import HelpCommand, HelpGroup, write_section

PANELS = {
    "Workflows and images": {
        "inspect": "Show what is in a workflow, and what is wrong with it.",
        "convert": "Convert workflows from the editor's format to the API's.",
        "lock": "Pin everything a workflow needs by hash, in `pycomfy.lock`.",
        "build": "Build a workflow's image, verify it, and record it as a version.",
        "dev": "Build a workflow with every change of its files, and keep ComfyUI's editor open on the result.",
        "check": "Check that a built image has every node of its workflow.",
        "run": "Run a workflow's image once, and save every output; or serve it as an API.",
        "serve": "Open the studio in the browser: see, build and compare workflows without a terminal.",
        "load": "Load an image into Podman or Docker, for commands of your own.",
        "api": "Print how a served workflow is called: its OpenAPI document, or a program with its own inputs.",
    },
    "Inputs": {
        "capture": "Write down what a ComfyUI installation is made of, for `lock`.",
        "catalog": "Look up node packs and their node types, offline once fetched.",
        "models": "Show, fetch and verify the models that workflows need.",
    },
    "Versions": {
        "log": "List the versions that were built, newest first.",
        "show": "Show a version and everything recorded about it.",
        "diff": "Show what changed between two versions.",
        "tag": "Give a version a name, or list all tags.",
        "branch": "Start a workflow from another one's version, or list all workflows.",
        "checkout": "Write a version's files to a folder, to edit and build it.",
        "revert": "Make a new version with the contents of an older one.",
        "merge": "Take the changes of another version into a workflow, as a new version.",
        "rename": "Rename a workflow, with all its versions and tags.",
        "rm": "Remove a workflow with its versions and tags.",
        "push": "Send workflows with their versions and tags to a git repository.",
        "pull": "Take every workflow from another versions repository.",
    },
    "Archive and restore": {
        "archive": "Keep a copy of every source, for when upstream is gone.",
        "restore": "Restore a version as image, ComfyUI folder or Nix project.",
        "verify": "Build a version again in an empty store, and compare every digest.",
        "export": "Write a version with its sources to one file, or another tool's file.",
        "import": "Import a version from a bundle, or a project from a tool's file.",
        "reindex": "Rebuild the database from the versions repository.",
    },
    "Settings and health": {
        "disk": "Show what is used for what on the disk, and which command frees it.",
        "gc": "Free the disk of what nothing needs; every version stays restorable.",
        "users": "Say who may use the studio when it is for several people, and see what they did.",
        "doctor": "Check that this machine has what pycomfy needs: programs, disk, network, data.",
    },
}
"""By panel of the help each command, with the first line of its docstring. Each is a module of this package with a
function of its name; one that is a keyword of Python ends in `_`."""

GROUPS = ("catalog", "models", "archive", "users")
"""The commands whose module has an `app` of several commands."""

SUMMARIES = {name: text for commands in PANELS.values() for name, text in commands.items()}


def load_command(words: str) -> Any:
    """Return the command with that name ("lock", "archive pull") as Typer's object. Raises `KeyError` if there is
    none."""
    name, _, member = words.partition(" ")
    if name not in SUMMARIES or (name in GROUPS) != bool(member):
        raise KeyError(words)
    command = load_top_level(name)
    return command.commands[member] if member else command


def list_commands() -> list[str]:
    """Return the words of every command; a group stands for its members."""
    return [
        f"{name} {member}" if member else name
        for name in SUMMARIES
        for member in (load_top_level(name).commands if name in GROUPS else ("",))
    ]


def load_top_level(name: str) -> Any:
    """Return a command or a group, as Typer's object."""
    if name in GROUPS:
        app = import_module(f"pycomfy.cli.{name}").app
        app.info.cls = HelpGroup
        for command in app.registered_commands:
            command.cls = HelpCommand
    else:
        module_name = f"{name}_" if iskeyword(name) else name
        app = typer.Typer(add_completion=False)
        app.command(name, cls=HelpCommand)(getattr(import_module(f"pycomfy.cli.{module_name}"), module_name))
    loaded: Any = typer.main.get_command(app)
    loaded.name = name
    if SHELL in os.environ:
        for command in loaded.commands.values() if name in GROUPS else (loaded,):
            add_completion(command)
    return loaded


class LazyGroup(HelpGroup):
    """All commands; each is imported when it is called. Their help is not: it is in `PANELS`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Typer lists these names, and suggests them for a misspelt one.
        names: Any = dict.fromkeys(SUMMARIES)
        self.commands = names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_top_level(cmd_name) if cmd_name in SUMMARIES else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, SUMMARIES))
        for title, commands in PANELS.items():
            write_section(formatter, title, [(f"{name:<{width}}", text) for name, text in commands.items()])
