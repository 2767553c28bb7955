"""Complete names in the shell: of workflows, versions, tags, node packs and runs. Reads only, and fails in silence."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycomfy.services.workspace import Workspace

MAX_ITEMS = 200

SHELL = "_PYCOMFY_COMPLETE"
"""The variable by which a shell asks for completions."""


def add_completion(command: Any) -> None:
    """Let the parameters of a command be completed whose value is a name of something that was built, or looked up."""
    for parameter in command.params:
        find = (_ARGUMENTS if parameter.param_type_name == "argument" else _OPTIONS).get(str(parameter.metavar))
        if find is not None:
            parameter._custom_shell_complete = _make(find)


def join_words() -> None:
    """Put together what bash takes for several words: it separates them at an `@`, too."""
    if os.environ.get(SHELL) != "complete_bash":
        return
    words, current = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD") or 0)
    joined: list[str] = []
    for word in words[: current + 1]:
        if joined and (word.startswith("@") or joined[-1].endswith("@")):
            joined[-1] += word
        else:
            joined.append(word)
    os.environ |= {"COMP_WORDS": "\n".join(joined), "COMP_CWORD": str(len(joined) - 1)}


def _make(find: "Callable[[Workspace, str], Iterator[str]]") -> Callable[[Any, Any, str], list[Any]]:
    def complete(context: Any, parameter: Any, incomplete: str) -> list[Any]:
        try:
            from typer._click.shell_completion import CompletionItem

            from pycomfy.cli.shell import quote
            from pycomfy.operation import Operation
            from pycomfy.services.workspace import Workspace

            # What would need quotes is not proposed: a shell writes it into the line as it is, and somebody else may
            # have given that name.
            with Operation().running():
                proposed = (text for text in find(Workspace.open(), incomplete) if quote(text) == text)
                found = [text for text in proposed if text.startswith(incomplete)]
            # Bash replaces what is behind the last @ alone.
            start = incomplete.rfind("@") + 1 if os.environ.get(SHELL) == "complete_bash" else 0
            return [CompletionItem(text[start:]) for text in found[:MAX_ITEMS]]
        except Exception:  # noqa: BLE001  (an error would be printed into the line that the user writes)
            return []

    return complete


def _workflows(workspace: "Workspace", _: str) -> Iterator[str]:
    yield from workspace.versions.names()


def _versions(workspace: "Workspace", incomplete: str) -> Iterator[str]:
    """Names of workflows; behind an @ the tags and numbers of one."""
    name, at, _ = incomplete.partition("@")
    if not at:
        yield from workspace.versions.names()
        return
    from pycomfy.adapters.versions.lookup import list_tags

    yield from list_tags(workspace.versions.bare, name)
    yield from (f"{name}@{v.number}" for v in workspace.versions.versions(name) if v.number is not None)


def _packs(workspace: "Workspace", incomplete: str) -> Iterator[str]:
    with workspace.open_catalog() as catalog:
        yield from catalog.complete(incomplete, MAX_ITEMS)


_ARGUMENTS: "dict[str, Callable[[Workspace, str], Iterator[str]]]" = {
    **dict.fromkeys(("NAME", "NAME…", "OLD"), _workflows),
    **dict.fromkeys(("REF", "A", "B", "NAME[@V]", "NAME[@V]|PATH", "[NAME[@V]|PATH]"), _versions),
    "REPO": _packs,
}
_OPTIONS = {"PACK": _packs}
"""By metavar what completes it. Where it may be a path too, the shell completes that if no name fits."""
