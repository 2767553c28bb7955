"""Judge an image: compare what its own ComfyUI answered with the lock and with what the workflow needs."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pycomfy.core.analysis.findings import Finding
from pycomfy.core.analysis.module_names import key, namesake, packages
from pycomfy.core.analysis.system_uses import missing_package
from pycomfy.core.debian.shared_libraries import debian_package
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.lockfile.toml import render_list
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import describe_locations, running_types
from pycomfy.core.sentences import join_lines
from pycomfy.errors import Fix, Placeholder, PycomfyError, RunFailed, UnknownNode, suggest

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
    """What an image answers. `types` is its `/object_info`: node type → definition. `log` is the file with all that
    ComfyUI printed, "" if there is none."""

    comfyui_version: str
    types: dict[str, Any]
    failures: tuple[ImportFailure, ...]
    remarks: tuple[Remark, ...] = ()
    log: str = ""


@dataclass(frozen=True)
class SourceVerification:
    """ComfyUI, or a node pack. `types` are those that the workflow needs from it, by the lock. Of them, the image lacks
    `lacking`, and takes `others` from other packs: type → pack. `remedy` is a change of pycomfy.toml that was tried:
    with it, the pack can be imported."""

    name: str
    types: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    failure: ImportFailure | None = None
    remarks: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def works(self) -> bool:
        """Whether it was loaded, and provides what the workflow needs from it."""
        return self.failure is None and self.provides

    @property
    def provides(self) -> bool:
        """Whether it provides what the workflow needs from it."""
        return not self.lacking and not self.others


@dataclass(frozen=True)
class Verification:
    """`parts` are ComfyUI and every node pack of the lock. `count` is the number of node types in the image; `using`
    are the workflow's nodes that run, by type; `failures` are those of modules that belong to no part."""

    parts: tuple[SourceVerification, ...]
    count: int
    using: Mapping[str, Sequence[RequiredNode]]
    failures: tuple[ImportFailure, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the image has what the workflow needs."""
        return all(part.provides for part in self.parts)

    @property
    def what_to_add(self) -> list[str]:
        """Return the lines of pycomfy.toml that add all that needed node packs were found to lack."""
        return what_to_add(p.failure for p in self.parts if p.failure is not None and p.lacking)

    def with_remedies(self, remedies: Mapping[str, str]) -> "Verification":
        """Return it with the remedies of packs, by name."""
        return replace(self, parts=tuple(replace(p, remedy=remedies.get(p.name, "")) for p in self.parts))

    @property
    def compatible(self) -> dict[str, bool]:
        """Return, by node pack, whether it works."""
        return {part.name: part.works for part in self.parts if part.name != COMFYUI}

    def problems(self, where: str) -> list[PycomfyError]:
        """Return why it did not pass; `where` names the workflow."""
        return [problem for part in self.parts for problem in _problems(part, self, where)]

    def warnings(self) -> list[str]:
        """Return what the workflow does not depend on, a line each: other failures, and what packs printed."""
        unneeded = [f for p in self.parts if p.provides and (f := p.failure) is not None]
        lines = [
            f"{_describe(f.pack, self)} cannot be imported, and is not needed: {join_lines(f.message)}"
            for f in (*unneeded, *self.failures)
        ]
        for part in self.parts:
            if part.failure is None and part.remarks:
                more = f" (and {len(part.remarks) - 1} more)" if len(part.remarks) > 1 else ""
                lines.append(f"the node pack {part.name} says: {last_line(part.remarks[0])}{more}")
        return lines


def verify_nodes(lock: Lock, nodes: Iterable[RequiredNode], answer: NodeDefinitions) -> Verification:
    """Compare the answer of an image with its lock and with the nodes of its workflow."""
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


def what_to_add(failures: Iterable[ImportFailure]) -> list[str]:
    """Return the lines of pycomfy.toml with all Python and Debian packages that failed imports lack, as far as these
    name what is known to be in a package."""
    lacking = {_find_package(f"{failure.message}\n{failure.traceback}") for failure in failures}
    found = {kind: sorted(package for one, package in lacking if one == kind) for kind in ("requirements", "apt")}
    return [render_list(kind, packages_) for kind, packages_ in found.items() if packages_]


def _find_package(text: str) -> tuple[str, str]:
    """The key of pycomfy.toml and the package that provides what an error names; two empty texts if none is known."""
    if shared := _NO_LIBRARY.search(text):
        package = debian_package(shared[1], ())[0]
        return ("apt", package) if package else ("", "")
    if system := missing_package(text):
        return "apt", system[1]
    module = _NO_MODULE.search(text)
    if module is None or ("." in module[1] and key(module[1]) != module[1]):
        return "", ""
    known = packages(key(module[1]))
    return ("requirements", known[0]) if known else ("", "")


def last_line(text: str) -> str:
    """Return the last line, which in a traceback says what happened."""
    return text.strip().rsplit("\n", 1)[-1].strip()


def _module(definition: object) -> str:
    module = definition.get("python_module") if isinstance(definition, Mapping) else None
    return module if isinstance(module, str) else ""


def _describe(name: str, verification: Verification) -> str:
    known = any(part.name == name for part in verification.parts)
    return f"the node pack {name}" if known else f"ComfyUI's module {name}"


def _problems(part: SourceVerification, verification: Verification, where: str) -> Iterable[PycomfyError]:
    users = describe_locations([node for type_ in part.lacking for node in verification.using[type_]], where)
    types = ", ".join(f'"{t}"' for t in part.lacking)
    plural = "s" if len(part.lacking) > 1 else ""
    if part.lacking and part.failure is not None:
        yield RunFailed(
            f"the node pack {part.name} cannot be imported: {join_lines(part.failure.message)}",
            where=f"node type{plural} {types}: {users}",
            details=_end(part.failure.traceback),
            fix=(part.remedy,) if part.remedy else suggest_fixes(part.failure, part.name),
        )
    elif part.lacking and part.name == COMFYUI:
        yield UnknownNode(
            f"the ComfyUI in the image has no node type{plural} {types}",
            where=users,
            details=_end("\n".join(f"{f.pack}: {f.message}" for f in verification.failures)),
            fix=(
                "pin a ComfyUI that has it, in pycomfy.toml: [comfyui]",
                suggest("lock", "names the node pack that has it", pack=Placeholder("NAME=URL")),
            ),
        )
    elif part.lacking:
        yield UnknownNode(
            f"the node pack {part.name} is loaded, but does not have the node type{plural} {types}",
            where=users,
            details=_end("\n".join(part.remarks)),
            fix=(
                *find_fixes("\n".join(part.remarks), part.name),
                "see what it printed above, if anything",
                _pin_commit(part.name, "pins a commit that has it"),
            ),
        )
    for type_, other in part.others.items():
        yield UnknownNode(
            f'the image takes the node type "{type_}" from the node pack {other}, not from {part.name}',
            where=describe_locations(list(verification.using[type_]), where),
            fix=f"leave one of the two out of pycomfy.toml: ComfyUI takes what it loads last ({other})",
        )


def _end(text: str) -> str:
    return text.strip()[-_MAX_TRACEBACK:]


def _pin_commit(name: str, note: str) -> Fix:
    return suggest("lock", note, node=Placeholder(f"{name}=COMMIT"))


# — how to fix a failed import —

_NO_MODULE = re.compile(r"No module named '([A-Za-z_][\w.]*)'")
_NO_NAME = re.compile(r"cannot import name '[^']+' from (?:partially initialized module )?'([A-Za-z_]\w*)")
_NO_ATTRIBUTE = re.compile(r"module '([A-Za-z_]\w*)[\w.]*' has no attribute '")
_NO_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_OWN_MODULES = re.compile(r"comfy(_\w+)?|nodes|folder_paths|server|execution|latent_preview|node_helpers")


def suggest_fixes(failure: ImportFailure, name: str) -> tuple[str | Fix, ...]:
    """Return how the failed import of the node pack `name` may be fixed."""
    return find_fixes(f"{failure.message}\n{failure.traceback}", name) or (
        _pin_commit(name, "pins another commit of it; the traceback says where it fails"),
        "add what it needs to pycomfy.toml, and lock again",
    )


@dataclass(frozen=True)
class Suspect:
    """A Python package that may keep a pack from being imported: it is `missing`, or has another version than the pack
    was written for."""

    package: str
    missing: bool


def find_suspect(failure: ImportFailure, wheels: Collection[str]) -> Suspect | None:
    """Return the package that a failed import points at; None if it points at none that is known. `wheels` are the
    names of the locked packages."""
    text = f"{failure.message}\n{failure.traceback}"
    missing, wrong = _NO_MODULE.search(text), _NO_NAME.search(text) or _NO_ATTRIBUTE.search(text)
    module = missing[1] if missing is not None else wrong[1] if wrong is not None else ""
    if not module or _OWN_MODULES.fullmatch(module.partition(".")[0]):
        return None
    known = packages(key(module))
    locked = sorted({*known, namesake(key(module))} & {*wheels})
    if locked:
        return Suspect(locked[0], missing=False)
    return Suspect(known[0], missing=True) if missing is not None and known else None


def suspect_missing(findings: Iterable[Finding]) -> dict[str, Suspect]:
    """Return for each pack the first package that it imports, by the `findings` of its lock, and that no locked package
    has. Some packs hide that an import failed, and fail later for want of a name."""
    missing: dict[str, Suspect] = {}
    for finding in findings:
        known = packages(key(finding.text)) if finding.kind == "import" else ()
        if known:
            missing.setdefault(finding.owner, Suspect(known[0], missing=True))
    return missing


def find_fixes(text: str, name: str) -> tuple[str | Fix, ...]:
    """Return how to fix what a message or traceback of the node pack `name` says to be missing; empty if it names
    nothing that is known."""
    if shared := _NO_LIBRARY.search(text):
        return (_add_debian(f"the Debian package of {shared[1]}", debian_package(shared[1], ())[0] or "…"),)
    if lacking := missing_package(text):
        return (_add_debian(f"the Debian package with {lacking[0]}", lacking[1]),)
    if module := _NO_MODULE.search(text):
        if _OWN_MODULES.fullmatch(module[1].partition(".")[0]):
            return _pin_other(name)
        return _suggest_module(module[1], name)
    if module := _NO_NAME.search(text):
        if _OWN_MODULES.fullmatch(module[1]):
            return _pin_other(name)
        if known := packages(module[1]):
            return (_take_another(known[0]),)
    return ()


def _add_debian(what: str, package: str) -> str:
    return f'add {what}, at the top of pycomfy.toml or to its apt: apt = ["{package}"]; and lock again'


def _suggest_module(module: str, name: str) -> tuple[str | Fix, ...]:
    """Return what provides a missing module. A package is proposed only if it is known to have the module, never
    because its name is like the module's: such a name may be anybody's.

    Python names a module inside a package as missing only if the package was found.
    """
    known = packages(key(module))
    if "." in module and key(module) != module:
        above = module.rpartition(".")[0]
        other = (_take_another(known[0]),) if known else ()
        note = f"pins another commit of it: {above} was found, and has no {module.rpartition('.')[2]}"
        return (*other, _pin_commit(name, note), f"add the node pack that {module} belongs to, if it is not its own")
    if not known:
        return (
            f"find out which package or node pack has the module {module}: its documentation says it; add that to "
            "pycomfy.toml, and lock again",
        )
    return (
        "add what it needs, at the top of pycomfy.toml or to its requirements:"
        f' requirements = ["{known[0]}"]; and lock again',
    )


def _take_another(package: str) -> str:
    return (
        f"take another {package}, at the top of pycomfy.toml or in its overrides:"
        f' overrides = ["{package}==…"]; and lock again'
    )


def _pin_other(name: str) -> tuple[str | Fix, ...]:
    return (
        _pin_commit(name, "pins another commit of it: it was made for another ComfyUI"),
        "pin another ComfyUI, in pycomfy.toml: [comfyui]",
    )
