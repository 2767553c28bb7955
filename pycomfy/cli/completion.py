"""Complete names in the shell: of workflows, versions, tags, node packs, runs, and of a run's inputs with their values.
Reads only, and fails in silence."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycomfy.services.workspace import Workspace

    Find = Callable[[Workspace, str, Any], Iterator[str]]
    """Return what a value may be, by its beginning and by the context with the other parameters."""

MAX_ITEMS = 200
_SEPARATORS = ("@", "=")

SHELL = "_PYCOMFY_COMPLETE"
"""The variable by which a shell asks for completions."""


def add_completion(command: Any) -> None:
    """Let the parameters of a command be completed whose value is a name of something that was built, or looked up."""
    for parameter in command.params:
        find = (_ARGUMENTS if parameter.param_type_name == "argument" else _OPTIONS).get(str(parameter.metavar))
        if find is not None:
            parameter._custom_shell_complete = _make(find)


def join_words() -> None:
    """Put together what bash takes for several words: it separates them at an `@` and at a `=`, too."""
    if os.environ.get(SHELL) != "complete_bash":
        return
    words, current = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD") or 0)
    joined: list[str] = []
    for word in words[: current + 1]:
        if joined and (word[:1] in _SEPARATORS or joined[-1][-1:] in _SEPARATORS):
            joined[-1] += word
        else:
            joined.append(word)
    os.environ |= {"COMP_WORDS": "\n".join(joined), "COMP_CWORD": str(len(joined) - 1)}


def _make(find: "Find") -> Callable[[Any, Any, str], list[Any]]:
    def complete(context: Any, parameter: Any, incomplete: str) -> list[Any]:
        try:
            from typer._click.shell_completion import CompletionItem

            from pycomfy.cli.shell import quote
            from pycomfy.operation import Operation
            from pycomfy.services.workspace import Workspace

            # What would need quotes is not proposed: a shell writes it into the line as it is, and somebody else may
            # have given that name.
            with Operation().running():
                proposed = (text for text in find(Workspace.open(), incomplete, context) if quote(text) == text)
                found = [text for text in proposed if text.startswith(incomplete)]
            # Bash replaces what is behind the last of these alone.
            in_bash = os.environ.get(SHELL) == "complete_bash"
            start = max(incomplete.rfind(one) for one in _SEPARATORS) + 1 if in_bash else 0
            return [CompletionItem(text[start:]) for text in found[:MAX_ITEMS]]
        except Exception:  # noqa: BLE001  (an error would be printed into the line that the user writes)
            return []

    return complete


def _workflows(workspace: "Workspace", _: str, __: Any) -> Iterator[str]:
    yield from workspace.versions.names()


def _versions(workspace: "Workspace", incomplete: str, __: Any) -> Iterator[str]:
    """Names of workflows; behind an @ the tags and numbers of one."""
    name, at, _ = incomplete.partition("@")
    if not at:
        yield from workspace.versions.names()
        return
    from pycomfy.adapters.versions.lookup import list_tags

    yield from list_tags(workspace.versions.bare, name)
    yield from (f"{name}@{v.number}" for v in workspace.versions.versions(name) if v.number is not None)


def _packs(workspace: "Workspace", incomplete: str, __: Any) -> Iterator[str]:
    with workspace.open_catalog() as catalog:
        yield from catalog.complete(incomplete, MAX_ITEMS)


def _inputs(workspace: "Workspace", incomplete: str, context: Any) -> Iterator[str]:
    """Names of the inputs of the version that is to be run, which were not given yet; behind a = the choices of one."""
    from pycomfy.services.run.inputs import find_interface

    before = {text.partition("=")[0] for text in context.params["inputs"] or ()}
    name, equals, _ = incomplete.partition("=")
    # An option without a value ends the parsing: what was to be an argument is left over.
    interface = find_interface(workspace, context.params["name"] or context.args[0])
    parameters = () if interface is None else interface.parameters
    if equals:
        for parameter in parameters:
            if parameter.name == name:
                values = ("true", "false") if parameter.type == "boolean" else parameter.choices
                yield from (f"{name}={value}" for value in values)
        return
    names = [p.name for p in parameters if p.name not in before and p.name.startswith(incomplete)]
    yield from (f"{name}=" for name in names)
    if len(names) == 1:
        yield f"{names[0]}=@"  # a file with the value; and with two to choose from, no shell appends a space


_ARGUMENTS: "dict[str, Find]" = {
    **dict.fromkeys(("NAME", "NAME…", "OLD"), _workflows),
    **dict.fromkeys(("REF", "A", "B", "NAME[@V]", "NAME[@V]|PATH", "[NAME[@V]|PATH]"), _versions),
    "REPO": _packs,
}
_OPTIONS: "dict[str, Find]" = {"PACK": _packs, "NAME=VALUE": _inputs}
"""By metavar what completes it. Where it may be a path too, the shell completes that if no name fits."""
