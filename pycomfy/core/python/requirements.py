"""Parse the Python requirements of source trees, in `requirements.txt` or `pyproject.toml`, and refuse unsafe ones.

Requirements are untrusted. They may name packages of the index, and others by a URL, which are pinned like the sources
of node packs. Options that choose an index, and everything on this machine's disk, are refused, each with its line.
"""

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.core.lockfile.direct_references import ARCHIVES, DirectReference, parse_direct_reference
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.package_indexes import ACCELERATOR, strip_logins
from pycomfy.errors import Unresolved, raise_all

OWN_ORIGIN = "pycomfy.toml"
"""The file of the requirements that the user wrote."""

MAX_LINES = 5000
MAX_INCLUDES = 20

# Options without an effect here: only wheels are used, and nothing is installed that could be upgraded.
_HARMLESS = ("--prefer-binary", "--only-binary", "--require-hashes")

_ARCHIVES = (".whl", *ARCHIVES)

# Installed so that it can be edited, which is pointless in an image.
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|\s*=\s*)(git\+\S.*)")

_INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url")
_LINKS_OPTIONS = ("-f", "--find-links")

_COMMENT = re.compile(r"(^|\s)#.*$")
_LOOKS_LIKE_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(://|:/)|^git@|\s@\s*\S+|^[\w.-]+(\[[^\]]*\])?@\S+")


@dataclass(frozen=True)
class RequirementLine:
    """One requirement (PEP 508). `where` is its file and line. With a `direct_reference`, which says where the package
    is, `name` is "" if only the package itself says it, and `text` is for people."""

    text: str
    name: str
    where: str
    direct_reference: DirectReference | None = None


@dataclass(frozen=True)
class RequirementSet:
    """All requirements of one origin ("ComfyUI", "pack hello-card", "pycomfy.toml"). `constraints` only restrict
    versions."""

    origin: str
    requirements: tuple[RequirementLine, ...] = ()
    constraints: tuple[RequirementLine, ...] = ()


def parse_requirements(
    origin: str, files: Mapping[str, str], configured: frozenset[str] = frozenset()
) -> RequirementSet:
    """Return the requirements of a source tree: its `requirements.txt` with its includes, or else its `pyproject.toml`.

    `configured` are addresses of indexes, and an accelerator, that the user has configured: an option that names one of
    these is ignored. `requirements.txt` comes first because ComfyUI-Manager installs only that. Raises `Unresolved` for
    every refused line at once.
    """
    if "requirements.txt" in files:
        reader = _Reader(origin, files, configured=configured)
        reader.read("requirements.txt", constraint=False)
        raise_all(reader.problems)
        return RequirementSet(origin, tuple(reader.requirements), tuple(reader.constraints))
    if "pyproject.toml" in files:
        return _read_pyproject(origin, files["pyproject.toml"])
    return RequirementSet(origin)


def make_requirement_set(origin: str, lines: Sequence[str], where: str) -> RequirementSet:
    """Parse requirements that are a list already, such as those of pycomfy.toml."""
    reader = _Reader(origin, {})
    for line in lines:
        reader.take(line, where, constraint=False)
    raise_all(reader.problems)
    return RequirementSet(origin, tuple(reader.requirements))


def _read_pyproject(origin: str, text: str) -> RequirementSet:
    try:
        project = tomllib.loads(text).get("project", {})
        lines = project.get("dependencies", []) if isinstance(project, dict) else []
    except (ValueError, RecursionError) as e:
        raise Unresolved(
            f"{origin}: pyproject.toml is not TOML: {e}",
            where="pyproject.toml",
            fix=_suggest_own(origin),
        ) from e
    if not isinstance(lines, list):
        return RequirementSet(origin)
    return make_requirement_set(origin, [str(line) for line in lines], "pyproject.toml")


def _suggest_own(origin: str) -> str:
    """How to replace a source's requirements by those of the user."""
    table = {COMFYUI: "comfyui", OWN_ORIGIN: ""}.get(origin, origin.replace("pack ", "packs.", 1))
    if not table:
        return "name a package of the index, with or without a version"
    return f"replace its requirements by your own, in pycomfy.toml: [{table}] requirements = […]"


@dataclass
class _Reader:
    origin: str
    files: Mapping[str, str]
    requirements: list[RequirementLine] = field(default_factory=list)
    constraints: list[RequirementLine] = field(default_factory=list)
    problems: list[Unresolved] = field(default_factory=list)
    configured: frozenset[str] = frozenset()
    seen: set[tuple[str, bool]] = field(default_factory=set)

    def read(self, path: str, *, constraint: bool) -> None:
        """Read a file and those that it includes; with `constraint` its lines only restrict versions."""
        if (path, constraint) in self.seen:
            return
        self.seen.add((path, constraint))
        if len(self.seen) > MAX_INCLUDES or self.files[path].count("\n") > MAX_LINES:
            self._refuse(f"more than {MAX_INCLUDES} files or {MAX_LINES} lines of requirements", path)
            return
        for number, line in _logical_lines(self.files[path]):
            where = f"{path} line {number}"
            if editable := _EDITABLE.match(line):
                self.take(editable[1], where, constraint=constraint)
            elif line.startswith("-"):
                self._take_option(line, where, folder=posixpath.dirname(path), constraint=constraint)
            else:
                self.take(line, where, constraint=constraint)

    def take(self, line: str, where: str, *, constraint: bool) -> None:
        """Add the requirement in a line, or the problem with it."""
        # Without the hashes of a line: the lock has those of the index in any case.
        text = re.sub(r"\s--hash[= ]\S+", "", line).strip()
        if self._take_direct(text, where, constraint=constraint):
            return
        try:
            requirement = Requirement(text)
        except ValueError:
            self._refuse_text(text, where)
            return
        # pip and uv take a name with such an ending for a file beside the requirements.
        if requirement.url is not None or requirement.name.lower().endswith(_ARCHIVES):
            self._refuse_text(text, where)
            return
        parsed = RequirementLine(str(requirement), canonicalize_name(requirement.name), where)
        (self.constraints if constraint else self.requirements).append(parsed)

    def _take_direct(self, text: str, where: str, *, constraint: bool) -> bool:
        """Take or refuse a line with a direct reference; return whether it is one."""
        try:
            direct = parse_direct_reference(text, from_user=where == OWN_ORIGIN)
        except ValueError as e:
            self._refuse(f"{_shown(text)!r} is refused: {e}", where)
            return True
        if direct is not None and constraint:
            self._refuse(f"{_shown(text)!r} is refused: a constraint must not name a URL", where)
        elif direct is not None:
            self.requirements.append(RequirementLine(_shown(text), direct.name, where, direct))
        return direct is not None

    def _take_option(self, line: str, where: str, *, folder: str, constraint: bool) -> None:
        name, _, value = re.sub(r"^(-[rcif])(?=[^-\s=])", r"\1 ", line).replace("=", " ", 1).partition(" ")
        if name in _HARMLESS:
            return
        if name in (*_INDEX_OPTIONS, *_LINKS_OPTIONS):
            self._take_index(name, value.strip().strip("\"'"), where)
            return
        if name not in ("-r", "--requirement", "-c", "--constraint"):
            self._refuse(f"the option {name} is refused", where)
            return
        path = posixpath.normpath(posixpath.join(folder, value.strip().strip("\"'")))
        if path.startswith(("/", "../")) or "://" in value:
            self._refuse(f"{name} {value.strip()} leaves the source tree", where)
        elif path not in self.files:
            self._refuse(f"{name} {value.strip()} names a file that does not exist", where)
        else:
            self.read(path, constraint=constraint or name in ("-c", "--constraint"))

    def _take_index(self, name: str, url: str, where: str) -> None:
        """Refuse an index or a page of wheels, which only the user may choose, unless pycomfy.toml has it already."""
        address = strip_logins(url).rstrip("/")
        if address in self.configured or address.rpartition("/")[2] in self.configured:
            return
        short = json.dumps(address[:200], ensure_ascii=False)
        variant = address.rpartition("/")[2]
        if name in _LINKS_OPTIONS:
            line = f"at the top: find-links = [{short}]"
        elif ACCELERATOR.fullmatch(variant):
            line = f'at the top, for the builds of PyTorch\'s index: accelerator = "{variant}"'
        else:
            line = f'as lines of its own: [[index]], name = "NAME", url = {short}, packages = [those that it has]'
        fix = (f"if you trust that address, add it to pycomfy.toml, {line}", _suggest_own(self.origin))
        self.problems.append(
            Unresolved(f"{self.origin}: the option {name} would take packages from {short}", where=where, fix=fix)
        )

    def _refuse_text(self, text: str, where: str) -> None:
        short = _shown(text)
        if _LOOKS_LIKE_URL.search(text):
            self._refuse(f"{short!r} comes from a URL, not from the index", where)
        elif "/" in text or "\\" in text or text.startswith(".") or text.lower().endswith(_ARCHIVES):
            self._refuse(f"{short!r} is a path, not a package of the index", where)
        else:
            self._refuse(f"{short!r} is not a Python requirement (PEP 508)", where)

    def _refuse(self, why: str, where: str) -> None:
        self.problems.append(Unresolved(f"{self.origin}: {why}", where=where, fix=_suggest_own(self.origin)))


def _shown(text: str) -> str:
    """A line for people: shortened, and without a login."""
    shown = re.sub(r"//[^/@\s]+@", "//…@", text)
    return shown if len(shown) <= 120 else shown[:119] + "…"


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines, joined at `\\`, without comments and blank lines, each with the number of its first line."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw)
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        whole = (pending + line).strip()
        if whole:
            yield first, whole
        pending, first = "", 0
    if pending.strip():
        yield first, pending.strip()
