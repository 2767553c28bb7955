"""The proof of an image: what its own ComfyUI answered, held against the lock and what the workflow needs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pycomfy.core.analysis.module_names import key, packages
from pycomfy.core.debian.shared_libraries import debian_package
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import describe_locations, running_types
from pycomfy.errors import PycomfyError, RunFailed, UnknownNode

_MAX_TRACEBACK = 1500  # characters of a traceback in an error


@dataclass(frozen=True)
class ImportFailure:
    """A node pack, or a module of ComfyUI's own, that ComfyUI could not import."""

    pack: str
    message: str
    traceback: str


@dataclass(frozen=True)
class Remark:
    """What a node pack printed while it was loaded: a warning, or a traceback that it caught itself."""

    pack: str
    text: str


@dataclass(frozen=True)
class NodeDefinitions:
    """What an image answers. `types` is its `/object_info`: node type → definition."""

    comfyui_version: str
    types: dict[str, Any]
    failures: tuple[ImportFailure, ...]
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class SourceVerification:
    """ComfyUI, or a node pack. `types` are those that the workflow needs of it, by the lock; of these, the image lacks
    `lacking`, and takes `others` from other packs: type → pack."""

    name: str
    types: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    failure: ImportFailure | None = None
    remarks: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Whether it was loaded, and has all that is needed of it."""
        return self.failure is None and self.does

    @property
    def does(self) -> bool:
        """Whether the workflow gets from it what it needs."""
        return not self.lacking and not self.others


@dataclass(frozen=True)
class Verification:
    """`parts` are ComfyUI and every node pack of the lock. `count` is how many node types there are in the image,
    `failures` are those of modules that are none of the parts."""

    parts: tuple[SourceVerification, ...]
    count: int
    using: Mapping[str, Sequence[RequiredNode]]
    failures: tuple[ImportFailure, ...] = ()

    @property
    def passed(self) -> bool:
        return all(part.does for part in self.parts)

    @property
    def compatible(self) -> dict[str, bool]:
        """By node pack, whether it works."""
        return {part.name: part.works for part in self.parts if part.name != COMFYUI}

    def problems(self, where: str) -> list[PycomfyError]:
        """Why it did not pass; `where` names the workflow."""
        return [problem for part in self.parts for problem in _problems(part, self, where)]

    def doubts(self) -> list[str]:
        """What does not stand in the way, a line each: failures of what is not needed, and what packs printed."""
        unneeded = [f for p in self.parts if p.does and (f := p.failure) is not None]
        lines = [
            f"{_called(f.pack, self)} cannot be imported, and is not needed: {f.message}"
            for f in (*unneeded, *self.failures)
        ]
        for part in self.parts:
            if part.failure is None and part.remarks:
                more = f" (and {len(part.remarks) - 1} more)" if len(part.remarks) > 1 else ""
                lines.append(f"the node pack {part.name} says: {last_line(part.remarks[0])}{more}")
        return lines


def verify_nodes(lock: Lock, nodes: Iterable[RequiredNode], answer: NodeDefinitions) -> Verification:
    """Hold the answer of an image against its lock and the nodes of its workflow."""
    using = running_types(nodes)
    supplied = {type_: pack.name for pack in lock.packs for type_ in pack.types}
    failures = {failure.pack: failure for failure in answer.failures}
    names = [COMFYUI, *(pack.name for pack in lock.packs)]
    modules = {f"custom_nodes.{name}": name for name in names[1:]}
    needed: dict[str, list[str]] = {name: [] for name in names}
    for type_ in sorted(using):
        needed[supplied.get(type_, COMFYUI)].append(type_)

    def part(name: str) -> SourceVerification:
        there = {t: _module(answer.types[t]) for t in needed[name] if t in answer.types}
        others = {t: modules[module] for t, module in there.items() if modules.get(module, name) != name}
        return SourceVerification(
            name,
            tuple(needed[name]),
            tuple(t for t in needed[name] if t not in there),
            others,
            failures.get(name),
            tuple(r.text for r in answer.remarks if r.pack == name),
        )

    rest = tuple(f for f in answer.failures if f.pack not in needed)
    return Verification(tuple(map(part, names)), len(answer.types), using, rest)


def last_line(text: str) -> str:
    """The line of a traceback that says what happened; of other texts the only one."""
    return text.strip().rsplit("\n", 1)[-1].strip()


def _module(definition: object) -> str:
    module = definition.get("python_module") if isinstance(definition, Mapping) else None
    return module if isinstance(module, str) else ""


def _called(name: str, proof: Verification) -> str:
    return f"the node pack {name}" if any(p.name == name for p in proof.parts) else f"ComfyUI's module {name}"


def _problems(part: SourceVerification, proof: Verification, where: str) -> Iterable[PycomfyError]:
    users = describe_locations([node for type_ in part.lacking for node in proof.using[type_]], where)
    types = ", ".join(f'"{t}"' for t in part.lacking)
    plural = "s" if len(part.lacking) > 1 else ""
    if part.lacking and part.failure is not None:
        yield RunFailed(
            f"the node pack {part.name} cannot be imported: {part.failure.message}",
            where=_below(f"node type{plural} {types}: {users}", part.failure.traceback),
            fix=suggest_fix(part.failure, part.name),
        )
    elif part.lacking and part.name == COMFYUI:
        yield UnknownNode(
            f"the ComfyUI in the image has no node type{plural} {types}",
            where=_below(users, "\n".join(f"{f.pack}: {f.message}" for f in proof.failures)),
            fix="pin a ComfyUI that has it, in pycomfy.toml: [comfyui]; or name the node pack: --pack NAME=URL",
        )
    elif part.lacking:
        yield UnknownNode(
            f"the node pack {part.name} is loaded, but does not have the node type{plural} {types}",
            where=_below(users, "\n".join(part.remarks)),
            fix=f"see what it printed above, if anything; or pin a commit that has it: --node {part.name}=COMMIT",
        )
    for type_, other in part.others.items():
        yield UnknownNode(
            f'the image takes the node type "{type_}" from the node pack {other}, not from {part.name}',
            where=describe_locations(list(proof.using[type_]), where),
            fix=f"leave one of the two out of pycomfy.toml: ComfyUI takes what it loads last ({other})",
        )


def _below(first: str, text: str) -> str:
    return f"{first}\n{text.strip()[-_MAX_TRACEBACK:]}" if text.strip() else first


# — how to mend a failed import —

_NO_MODULE = re.compile(r"No module named '([A-Za-z_][\w.]*)'")
_NO_NAME = re.compile(r"cannot import name '[^']+' from (?:partially initialized module )?'([A-Za-z_]\w*)")
_NO_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_OWN_MODULES = re.compile(r"comfy(_\w+)?|nodes|folder_paths|server|execution|latent_preview|node_helpers")


def suggest_fix(failure: ImportFailure, name: str) -> str:
    """How to mend the failed import of the node pack `name`."""
    said = f"{failure.message}\n{failure.traceback}"
    other = f"--node {name}=COMMIT"
    if library := _NO_LIBRARY.search(said):
        package = debian_package(library[1], ())[0] or "…"
        return (
            f'add the Debian package of {library[1]}, at the top of pycomfy.toml: apt = ["{package}"]; and lock again'
        )
    if module := _NO_MODULE.search(said):
        if _OWN_MODULES.fullmatch(module[1].partition(".")[0]):
            return f"it was made for another ComfyUI: pin another commit of it, {other}, or another ComfyUI"
        package = packages(key(module[1]))[0][0]
        return f'add what it needs, at the top of pycomfy.toml: requirements = ["{package}"]; and lock again'
    if module := _NO_NAME.search(said):
        if _OWN_MODULES.fullmatch(module[1]):
            return f"it was made for another ComfyUI: pin another commit of it, {other}, or another ComfyUI"
        package = packages(module[1])[0][0]
        return f'take another {package}, at the top of pycomfy.toml: overrides = ["{package}==…"]; and lock again'
    return f"the traceback tells where it fails; pin another commit of it, {other}, or what it needs in pycomfy.toml"
