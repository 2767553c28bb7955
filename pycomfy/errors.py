"""Define the errors of pycomfy: one root, and a subclass for each cause that a user can fix.

    PycomfyError
    ├── BadInput          a file, argument or setting from the user is wrong
    │   ├── BadArgument       a wrong call: an argument that does not fit the others
    │   ├── BadWorkflow       not JSON, or JSON that is not a workflow
    │   ├── BadConfig         pycomfy.toml is malformed or contradicts itself
    │   ├── BadLock           pycomfy.lock is malformed, or has another version
    │   ├── NotFound          a name, version or file that does not exist
    │   └── LostInput         a saved value or link that has no place in the prompt
    ├── Unresolved        a requirement of the workflow cannot be pinned
    │   ├── UnknownNode             a node type without a known node pack
    │   ├── AmbiguousNode           a node type with several possible node packs
    │   ├── UnpinnedPack            a node pack without a commit, or with one that does not exist
    │   ├── NoMatchingDistribution  a Python package without a wheel for the platform
    │   ├── ResolutionImpossible    Python requirements that conflict
    │   └── NoDebianPackage         a Debian package that the mirror does not have
    ├── HashMismatch      content that differs from the pinned one
    ├── NetworkError      a server that did not answer
    ├── MissingTool       a program (Nix, Podman, git …) that is not installed, or does not work
    ├── NoSpace           a full disk
    ├── BuildFailed       a build of Nix failed
    ├── RunFailed         the container, or ComfyUI in it, failed
    └── ErrorGroup        several of the above, reported together

Every error says what happened, where, and how to fix it. `code` is stable, and the same in the JSON of the command line
and in HTTP. Anything that is not a `PycomfyError` is our bug.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Placeholder:
    """A value that only the user knows; `name` says what it is: "URL"."""

    name: str

    def __str__(self) -> str:
        return self.name


Argument = str | int | bool | Placeholder | tuple[str | Placeholder, ...]


@dataclass(frozen=True)
class Fix:
    """A way to fix an error, as data: the command line renders it as a command, the web as a button.

    `action` is a use case by its words ("lock", "archive pull"), or "retry" for the same use case with these
    `arguments`, where False leaves an argument out. Required arguments that are missing are the user's to add. `note`
    says what the action is for, or what comes next. `use_case` is the one that a retry means where it ran as a part of
    another, which may not have these arguments: `build` locks, too.
    """

    action: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    note: str = ""
    use_case: str = ""

    def __str__(self) -> str:
        pairs = [f"{name}={value}" for name, value in self.arguments.items()]
        return " ".join([self.action, *pairs]) + (f" ({self.note})" if self.note else "")

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form. A `Placeholder` is an object with the one key `placeholder`."""
        arguments = {name: _json(value) for name, value in self.arguments.items()}
        use_case = {"use_case": self.use_case} if self.use_case else {}
        return {"action": self.action, "arguments": arguments, "note": self.note, **use_case}


def suggest(action: str, /, note: str = "", **arguments: Argument) -> Fix:
    """Return a `Fix` with these arguments."""
    return Fix(action, arguments, note)


def suggest_retry(use_case: str, /, note: str = "", **arguments: Argument) -> Fix:
    """Return a `Fix` to try a use case again with these arguments, wherever it was a part of another."""
    return Fix("retry", arguments, note, use_case)


def _json(value: Argument) -> object:
    if isinstance(value, Placeholder):
        return {"placeholder": value.name}
    return [_json(v) for v in value] if isinstance(value, tuple) else value


Fixes = str | Fix | Sequence[str | Fix]
"""The fixes of an error: advice in words, or actions as data. Several of them are alternatives."""


def list_fixes(fixes: Fixes) -> tuple[str | Fix, ...]:
    """Return the alternatives, without empty ones."""
    return tuple(f for f in ((fixes,) if isinstance(fixes, str | Fix) else fixes) if f != "")


class PycomfyError(Exception):
    """An error that the user can fix: `what` happened, `where`, and the `fixes`, one of which is enough.

    Each of them is one line, with the names in it as they are: what does not print, a line break too, is the face's to
    show. Only `details` has several lines, such as the end of another program's log, or a traceback.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: str = "", fix: Fixes = (), details: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fixes = list_fixes(fix)
        self.details = details.strip("\n")

    @property
    def evidence(self) -> str:
        """`where`, and below it the `details`."""
        return "\n".join(filter(None, (self.where, self.details)))

    @property
    def fix(self) -> str:
        """The fixes as text, not rendered for the command line."""
        return "; or ".join(map(str, self.fixes))

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        lines += [f"         {line}" for line in self.details.splitlines()]
        if self.fixes:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)

    def as_dict(self, render: Callable[[str | Fix], str] = str) -> dict[str, object]:
        """Return the JSON form, which the command line and problem+json share. `render` returns the text of a fix."""
        return {
            "code": self.code,
            "message": self.what,
            "where": self.evidence,
            "fix": "; or ".join(map(render, self.fixes)),
            "fixes": [{"advice": f} if isinstance(f, str) else f.as_dict() for f in self.fixes],
        }


class BadInput(PycomfyError):
    code = "bad-input"


class BadArgument(BadInput):
    """`argument` is the parameter's name, as in a `Fix`. The command line reports it as a wrong call."""

    code = "bad-argument"

    def __init__(self, what: str, *, where: str = "", fix: Fixes = (), argument: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.argument = argument


class BadWorkflow(BadInput):
    code = "bad-workflow"


class BadConfig(BadInput):
    code = "bad-config"


class BadLock(BadInput):
    code = "bad-lock"


class NotFound(BadInput):
    code = "not-found"


class LostInput(BadInput):
    code = "lost-value"


class Unresolved(PycomfyError):
    code = "unresolved"


class UnknownNode(Unresolved):
    code = "unknown-node"


class AmbiguousNode(Unresolved):
    """`types` are all types that it is about, `type` is the first of them; `candidates` are the possible packs, as
    `{url, stars, updated, also}`."""

    code = "ambiguous-node"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: Fixes = (),
        type_: str,
        types: Sequence[str] = (),
        candidates: Sequence[Mapping[str, object]],
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.type = type_
        self.types = tuple(types) or (type_,)
        self.candidates = tuple(candidates)

    def as_dict(self, render: Callable[[str | Fix], str] = str) -> dict[str, object]:
        own = {"type": self.type, "types": list(self.types)}
        return {**super().as_dict(render), **own, "candidates": [dict(c) for c in self.candidates]}


class UnpinnedPack(Unresolved):
    code = "unpinned-pack"


class NoMatchingDistribution(Unresolved):
    """`package` is its name if the missing wheel is the only problem: a package with an sdist can be built."""

    code = "no-wheel"

    def __init__(self, what: str, *, where: str = "", fix: Fixes = (), details: str = "", package: str = "") -> None:
        super().__init__(what, where=where, fix=fix, details=details)
        self.package = package


class ResolutionImpossible(Unresolved):
    code = "no-solution"


class NoDebianPackage(Unresolved):
    code = "no-debian-package"


class HashMismatch(PycomfyError):
    code = "hash-mismatch"


class NetworkError(PycomfyError):
    code = "unreachable"


class MissingTool(PycomfyError):
    code = "missing-tool"


class NoSpace(PycomfyError):
    code = "no-space"


class BuildFailed(PycomfyError):
    code = "build-failed"


class RunFailed(PycomfyError):
    code = "run-failed"


class ErrorGroup(PycomfyError):
    """Several errors of one stage, reported at once."""

    code = "problems"

    def __init__(self, problems: Sequence[PycomfyError]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problems")

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self.problems)

    def as_dict(self, render: Callable[[str | Fix], str] = str) -> dict[str, object]:
        return {**super().as_dict(render), "problems": [p.as_dict(render) for p in self.problems]}


def combine(problems: Sequence[PycomfyError]) -> PycomfyError:
    """Return the only one of `problems`, or all as an `ErrorGroup`. There is at least one."""
    return problems[0] if len(problems) == 1 else ErrorGroup(problems)


def raise_all(problems: Sequence[PycomfyError]) -> None:
    """Raise the `problems` as one error; do nothing if there are none."""
    if problems:
        raise combine(problems)
