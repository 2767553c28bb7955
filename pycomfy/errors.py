"""The errors of pycomfy: one root, a subclass per cause that a user can mend.

    PycomfyError
    ├── BadInput          a file, argument or setting the user gave is wrong
    │   ├── BadWorkflow       not JSON, or JSON that is no workflow
    │   ├── BadConfig         pycomfy.toml says something impossible
    │   ├── BadLock           pycomfy.lock cannot be read, or is of another version
    │   └── NotFound          a name, version or file that does not exist
    ├── Unresolved        what the workflow needs cannot be pinned
    │   ├── UnknownNode             a node type that no source provides
    │   ├── AmbiguousNode           a node type that several node packs may be meant by
    │   ├── UnpinnedPack            a node pack without a commit, or with one that does not exist
    │   ├── NoMatchingDistribution  a Python package without a wheel for the platform
    │   ├── ResolutionImpossible    requirements that contradict one another
    │   └── NoDebianPackage         a Debian package that the archive does not have
    ├── HashMismatch      bytes that are not the ones that were pinned
    ├── NetworkError      a server that did not answer
    ├── MissingTool       a program (Nix, Podman, git …) that is not installed, or does not work here
    ├── NoSpace           a full disk
    ├── BuildFailed       Nix could not build
    ├── RunFailed         the container or ComfyUI in it failed
    └── ErrorGroup        several of the above, reported together

Every error says what happened, where, and how to mend it. `code` is stable and shared by the CLI's JSON and HTTP.
Anything that is not a `PycomfyError` is our bug.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class PycomfyError(Exception):
    """An error the user can mend: `what` happened, `where`, and the `fix`."""

    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """The JSON form shared by `--json` and problem+json."""
        return {"code": self.code, "message": self.what, "where": self.where, "fix": self.fix}


class BadInput(PycomfyError):
    code = "bad-input"


class BadWorkflow(BadInput):
    code = "bad-workflow"


class BadConfig(BadInput):
    code = "bad-config"


class BadLock(BadInput):
    code = "bad-lock"


class NotFound(BadInput):
    code = "not-found"


class Unresolved(PycomfyError):
    code = "unresolved"


class UnknownNode(Unresolved):
    code = "unknown-node"


class AmbiguousNode(Unresolved):
    """`candidates` are the packs that may be meant, as `{url, stars, updated, also}`."""

    code = "ambiguous-node"

    def __init__(
        self, what: str, *, where: str = "", fix: str = "", type_: str, candidates: Sequence[Mapping[str, object]]
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.type = type_
        self.candidates = tuple(candidates)

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "type": self.type, "candidates": [dict(c) for c in self.candidates]}


class UnpinnedPack(Unresolved):
    code = "unpinned-pack"


class NoMatchingDistribution(Unresolved):
    """`package` is its name, where that is all that is wrong: one with a source can be built."""

    code = "no-wheel"

    def __init__(self, what: str, *, where: str = "", fix: str = "", package: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
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
    """Several errors of one stage, told at once."""

    code = "problems"

    def __init__(self, problems: Sequence[PycomfyError]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problems")

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self.problems)

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "problems": [p.as_dict() for p in self.problems]}


def raise_all(problems: Sequence[PycomfyError]) -> None:
    """Raise nothing, the one, or all of `problems`."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ErrorGroup(problems)
