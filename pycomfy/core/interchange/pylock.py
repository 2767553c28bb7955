"""Read and write `pylock.toml` (PEP 751): Python packages with every wheel's address and hash, for uv and pip."""

import re
from collections.abc import Iterator, Sequence
from typing import get_args
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.utils import canonicalize_name, parse_wheel_filename
from pydantic import ConfigDict, Field, ValidationError

from pycomfy.core.interchange.document import ForeignModel, Text, describe_names, describe_unknown_keys, validate
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget
from pycomfy.core.interchange.model import EnvironmentSpec, Package
from pycomfy.core.lockfile.config import SUITES
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.lockfile.platforms import MACHINES, PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.lockfile.toml import render_list, render_value
from pycomfy.core.python.specifiers import parse_specifiers
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.sources.url import UrlSource
from pycomfy.errors import BadInput

_FILENAME = re.compile(r"pylock\.([^.]+\.)?toml")
"""What PEP 751 requires of the file's name."""

_GIT_URL = re.compile(r"git\+(?P<url>[^@#]+)@(?P<commit>[0-9a-f]{40})(#subdirectory=(?P<subdirectory>[^#&]+))?")


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class _Part(ForeignModel):
    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=_dashed)


class _File(_Part):
    """A wheel, or a source distribution."""

    name: Text | None = None
    url: Text | None = None
    path: Text | None = None
    size: int | None = None
    hashes: dict[Text, Text] = Field(default_factory=dict)
    upload_time: object = None


class _Vcs(_Part):
    type: Text
    url: Text | None = None
    path: Text | None = None
    requested_revision: Text | None = None
    commit_id: Text = ""
    subdirectory: Text | None = None


class _Package(_Part):
    name: Text
    version: Text | None = None
    marker: Text | None = None
    requires_python: Text | None = None
    dependencies: object = None
    index: object = None
    wheels: tuple[_File, ...] = ()
    sdist: _File | None = None
    vcs: _Vcs | None = None
    attestation_identities: object = None
    tool: object = None
    directory: dict[str, object] | None = None
    archive: dict[str, object] | None = None


class _Pylock(_Part):
    lock_version: Text
    created_by: object = None
    requires_python: Text | None = None
    environments: tuple[Text, ...] = ()
    extras: tuple[Text, ...] = ()
    dependency_groups: tuple[Text, ...] = ()
    default_groups: tuple[Text, ...] = ()
    tool: object = None
    packages: tuple[_Package, ...]


# — reading —


def _is_pylock(document: Document) -> bool:
    return "lock-version" in document


def _parse(file: ForeignFile) -> EnvironmentSpec:
    """Read the packages that Linux needs. Raises `BadInput`, for another version of the format too."""
    found = validate(_Pylock, file.document, file.where)
    if found.lock_version.split(".")[0] != "1":
        raise BadInput(
            f"lock-version {found.lock_version} is not supported",
            where=file.where,
            fix="lock again with version 1 of the format",
        )
    python = _python(found.requires_python)
    targets = [Target(platform, python or next(iter(SUITES))) for platform in get_args(PlatformName)]
    targets = [t for t in targets if not found.environments or any(_is_met(m, t) for m in found.environments)]
    packages: list[Package] = []
    other_systems, unpinned = [], []
    for package in found.packages:
        platforms = tuple(t.platform for t in targets if package.marker is None or _is_met(package.marker, t))
        if not platforms:
            other_systems.append(package.name)
        elif (url := _url(package)) is None and (package.version is None or package.archive is not None):
            unpinned.append(package.name)
        else:
            packages.append(
                Package(
                    canonicalize_name(package.name),
                    package.version or "",
                    url=url,
                    files=tuple(_files(package)),
                    sdist=_sdist(package.sdist),
                    platforms=platforms if len(platforms) < len(targets) else (),
                )
            )
    notes = [*describe_unknown_keys(found)]
    if not targets:
        notes.append("it is not for a platform that images are made for")
    else:
        notes += describe_names("not for Linux, left out", other_systems)
    notes += describe_names("built from a source tree, left out", unpinned)
    if found.extras or found.dependency_groups:
        notes.append("of extras and dependency groups, the default ones are used")
    return EnvironmentSpec(
        python=python,
        packages=tuple(packages),
        platforms=tuple(t.platform for t in targets) if found.environments else (),
        notes=tuple(notes),
    )


def _python(specifier: str | None) -> str | None:
    """The only Python of images that the specifier allows; None if that is not one."""
    allowed = parse_specifiers(specifier or "")
    fitting = [python for python in SUITES if allowed is not None and allowed.contains(f"{python}.5")]
    return fitting[0] if len(fitting) == 1 else None


def _is_met(marker: str, target: Target) -> bool:
    try:
        return Marker(marker).evaluate(
            {**target.environment(), "extras": set(), "dependency_groups": set()},
            context="lock_file",
        )
    except (ValueError, KeyError):
        return True


def _url(package: _Package) -> str | None:
    """A commit of a git repository with a URL, as pip writes it; None for every other source."""
    vcs = package.vcs
    if vcs is None or vcs.type != "git" or vcs.url is None or not vcs.commit_id:
        return None
    below = f"#subdirectory={vcs.subdirectory}" if vcs.subdirectory is not None else ""
    return f"git+{without_password(vcs.url)}@{vcs.commit_id}{below}"


def _sdist(found: _File | None) -> UrlSource | None:
    """A source distribution, if it has a URL and a SHA-256."""
    try:
        if found is None or found.url is None:
            return None
        name = found.name or unquote(urlsplit(found.url).path.rsplit("/", 1)[-1])
        return UrlSource(url=without_password(found.url), sha256=found.hashes["sha256"].lower(), name=name)
    except (ValidationError, KeyError, ValueError):
        return None


def _files(package: _Package) -> Iterator[Wheel]:
    """The wheels that have a URL or a path, and a SHA-256."""
    for wheel in package.wheels:
        try:
            filename = wheel.name or unquote(urlsplit(wheel.url or wheel.path or "").path.rsplit("/", 1)[-1])
            name, version, _, _ = parse_wheel_filename(filename)
            yield Wheel(
                name=name,
                version=str(version),
                filename=filename,
                url=without_password(wheel.url or wheel.path or ""),
                sha256=wheel.hashes["sha256"].lower(),
                size=wheel.size or 0,
            )
        except (ValueError, KeyError):
            continue


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    """Write the lock of every platform of the environment in one file."""
    packages = [p for p in environment.packages if p.files or p.sdist is not None or _git(p) is not None]
    lost = [f"{p.pin}: neither a wheel nor a source is known" for p in environment.packages if p not in packages]
    lines = ['lock-version = "1.0"']
    if environment.platforms:
        lines.append(render_list("environments", (_marker((p,)) for p in sorted(environment.platforms))))
    if environment.python:
        lines.append(f'requires-python = "=={environment.python}.*"')
    lines.append('created-by = "pycomfy"')
    if not packages:
        lines.append("packages = []")
    for package in sorted(packages, key=lambda p: (p.name, p.version)):
        lines += ["", "[[packages]]", f"name = {render_value(package.name)}"]
        if package.version:
            lines.append(f"version = {render_value(package.version)}")
        if package.platforms and set(package.platforms) != set(environment.platforms):
            lines.append(f"marker = {render_value(_marker(package.platforms))}")
        lines += _contents(package)
    notes = []
    if not _FILENAME.fullmatch(target.filename):
        notes.append("pip and uv accept the file under the name pylock.toml, or pylock.NAME.toml")
    return RenderedFile(("\n".join(lines) + "\n").encode(), tuple(lost), tuple(notes))


def _contents(package: Package) -> Iterator[str]:
    """Yield the lines of a package's wheels and source distribution, or of the commit that it is built from."""
    if (git := _git(package)) is not None:
        below = f", subdirectory = {render_value(git['subdirectory'])}" if git["subdirectory"] else ""
        commit = render_value(git["commit"])
        yield f'vcs = {{ type = "git", url = {render_value(git["url"])}, commit-id = {commit}{below} }}'
        return
    if (sdist := package.sdist) is not None:
        about = f"name = {render_value(sdist.name)}, url = {render_value(sdist.url)}"
        yield f"sdist = {{ {about}, hashes = {{ sha256 = {render_value(sdist.sha256)} }} }}"
    if package.files:
        yield "wheels = ["
        yield from (f"    {_wheel(wheel)}," for wheel in sorted(package.files, key=lambda w: (w.filename, w.url)))
        yield "]"


def _git(package: Package) -> re.Match[str] | None:
    return _GIT_URL.fullmatch(package.url or "")


def _marker(platforms: Sequence[PlatformName]) -> str:
    machines = " or ".join(f"platform_machine == '{MACHINES[p]}'" for p in sorted(platforms))
    return f"sys_platform == 'linux' and {machines if len(platforms) == 1 else f'({machines})'}"


def _wheel(wheel: Wheel) -> str:
    size = f", size = {wheel.size}" if wheel.size else ""
    key = "path" if wheel.is_local else "url"
    about = f"name = {render_value(wheel.filename)}, {key} = {render_value(wheel.url)}{size}"
    return f"{{ {about}, hashes = {{ sha256 = {render_value(wheel.sha256)} }} }}"


PYLOCK = Format(
    name="pylock",
    title="a pylock.toml",
    filename="pylock.toml",
    parts=frozenset({"python", "packages", "hashes"}),
    detect=_is_pylock,
    parse=_parse,
    render=_render,
    all_platforms=True,
)
