"""`pycomfy.toml`: what the user decides about a workflow's image, beside the workflow itself."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from pycomfy.errors import BadConfig, raise_all
from pycomfy.flow.lock.address import parse_address
from pycomfy.flow.lock.direct import parse_direct
from pycomfy.flow.lock.families import unknown_choices
from pycomfy.flow.lock.indexes import ACCELERATOR, VARIABLE, Index, normalise, without_logins
from pycomfy.flow.lock.model import ModelFolder, Name, PlatformName, RelativePath, Sha256

COMFYUI_URL = "https://github.com/comfyanonymous/ComfyUI"
COMFYUI_REVISION = "v0.3.75"
"""The ComfyUI a lock gets when pycomfy.toml names none."""

SUITES: Mapping[str, str] = {"3.11": "bookworm", "3.13": "trixie"}
"""Which Debian suite carries which Python."""

AS_OF = "as-of"
"""For `snapshot`: the date that Python packages are taken as of."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

MOST_CHARACTERS = 1_000_000


def _check_requirement(text: str) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as e:
        raise ValueError(f"not a Python requirement: {e}".split("\n")[0]) from e
    if requirement.url is not None:
        raise ValueError("no URL can stand here: name a version of an index")
    return text


def _check_wanted(text: str) -> str:
    """As `_check_requirement`; it may say where its package is."""
    return text if parse_direct(text, own=True) is not None else _check_requirement(text)


def _check_pin(text: str) -> str:
    """`name==version`, so that the wheel is one file for ever."""
    _check_requirement(text)
    requirement = Requirement(text)
    operators: list[Specifier] = list(requirement.specifier)
    exact = len(operators) == 1 and operators[0].operator == "==" and not operators[0].version.endswith("*")
    if not exact or requirement.extras or requirement.marker:
        raise ValueError("write an exact version, like name==1.2.3")
    return text


def _check_address(text: str) -> str:
    try:
        parse_address(text)
    except BadConfig as e:
        raise ValueError(e.what) from e
    return text


def _check_revision(text: str) -> str:
    if text.startswith("-") or ".." in text or any(c in text for c in " ~^:?*[\\\x7f") or not text.isprintable():
        raise ValueError("not a branch, tag or commit")
    return text


def _check_mirror(text: str) -> str:
    """As `_check_web`; a mirror may be on a disk as well."""
    if not text.startswith("file:///"):
        return _check_web(text)
    return "file:///" + _check_web("https://" + text.removeprefix("file:///")).removeprefix("https://")


def _check_web(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.isprintable() or any(c in text for c in " \"'\\[]"):
        raise ValueError("write an http:// or https:// URL")
    return text


def _check_public(text: str) -> str:
    """As `_check_web`; what is in every lock, and so in git, must not hold a login."""
    if "@" in _check_web(text).split("/")[2]:
        raise ValueError("the URL must not hold a login, which belongs into ~/.netrc")
    return text


def _check_accelerator(text: str) -> str:
    if not ACCELERATOR.fullmatch(text):
        raise ValueError("write cpu, cu128 (CUDA 12.8), rocm6.4, or what else PyTorch calls its builds")
    return text


def _to_utc(value: object) -> datetime:
    """A TOML date is its first moment; a time without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as e:
            raise ValueError("write a date like 2025-12-05, or 2025-12-05T18:00:00Z") from e
    if isinstance(value, datetime):
        try:
            moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError as e:
            raise ValueError("no such date") from e
        return moment.replace(microsecond=0)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError("write a date like 2025-12-05, or 2025-12-05T18:00:00Z")


def _to_snapshot(value: object) -> object:
    return value if value == AS_OF else _to_utc(value)


def _check_snapshot_mirror(text: str) -> str:
    """As `_check_mirror`; a place in it that is to be filled is one that is known."""
    if unknown := sorted({*re.findall(r"\{[^{}]*\}?|\}", text)} - {"{archive}", "{time}"}):
        raise ValueError(f"{unknown[0]} means nothing: only {{archive}} and {{time}} are filled in")
    if ("{archive}" in text) != ("{time}" in text):
        raise ValueError("write both {archive} and {time} into it, or neither")
    return _check_mirror(text)


RequirementText = Annotated[str, AfterValidator(_check_requirement)]
WantedText = Annotated[str, AfterValidator(_check_wanted)]
Moment = Annotated[datetime, BeforeValidator(_to_utc)]
DebianName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{1,99}$")]
MirrorUrl = Annotated[str, AfterValidator(_check_mirror), StringConstraints(max_length=2000)]
SnapshotUrl = Annotated[str, AfterValidator(_check_snapshot_mirror), StringConstraints(max_length=2000)]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$")]
Accelerator = Annotated[str, AfterValidator(_check_accelerator)]
PublicUrl = Annotated[str, AfterValidator(_check_public), StringConstraints(max_length=2000)]
WebUrl = Annotated[str, AfterValidator(_check_web), StringConstraints(max_length=2000)]
LinksPlace = Annotated[str, StringConstraints(pattern=r"^[^-\x00-\x1f\x7f,][^\x00-\x1f\x7f,]*$", max_length=2000)]
"""A folder of wheels, or the URL of a page with links to them; uv separates several by commas."""
LocalPath = Annotated[str, StringConstraints(pattern=r"^[^-\x00-\x1f\x7f][^\x00-\x1f\x7f]*$", max_length=2000)]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=lambda field: field.replace("_", "-")
    )


class StepSpec(Section):
    """A command to run in a pack's folder while the image is built: a program and its arguments, no shell."""

    run: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=10_000)], ...],
        Field(min_length=1, strict=False),
    ]

    @model_validator(mode="after")
    def _check(self) -> "StepSpec":
        if not self.run[0] or self.run[0].startswith("-"):
            raise ValueError("the first word of run is the program to run")
        return self


class SourceSpec(Section):
    """Where code comes from, not yet pinned.

    `requirements` replaces what the code itself declares; `types` are node types that it supplies although its source
    does not show them, because it makes them while it runs or in the browser; `steps` are run on a pack's files while
    the image is built.
    """

    requirements: tuple[WantedText, ...] | None = Field(default=None, strict=False)
    types: tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...] = Field(default=(), strict=False)
    steps: tuple[StepSpec, ...] = Field(default=(), strict=False)


class GitSpec(SourceSpec):
    """A git repository: a URL, or a path relative to pycomfy.toml. `rev`: branch, tag or commit; `patch`: the path of
    a patch that is applied to its files. Without `lfs`, pointers stay where large files should be."""

    git: Annotated[str, AfterValidator(_check_address)]
    rev: Annotated[str, AfterValidator(_check_revision), StringConstraints(min_length=1, max_length=200)] | None = None
    patch: LocalPath | None = None
    lfs: bool = True


class WheelSpec(SourceSpec):
    """A folder in a wheel of the Python index: `wheel` is an exact pin, `exclude` is relative to `folder`."""

    wheel: Annotated[str, AfterValidator(_check_pin)]
    folder: RelativePath
    exclude: tuple[RelativePath, ...] = Field(default=(), strict=False)


class PathSpec(SourceSpec):
    """A local folder, absolute or relative to pycomfy.toml."""

    path: LocalPath


class UrlSpec(SourceSpec):
    """One Python file: a node pack that consists of a single module."""

    url: PublicUrl
    sha256: Sha256


class RegistrySpec(SourceSpec):
    """A version of a node pack of the Comfy registry, by its id: its repository's commit of that version."""

    registry: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}$")]


KINDS = ("git", "wheel", "path", "url", "registry")


def _kind(value: object) -> str | None:
    """Which source a table is, by the one key that says so; None if it is none or several."""
    if isinstance(value, SourceSpec):
        return type(value).__name__.removesuffix("Spec").lower()
    found = [kind for kind in KINDS if isinstance(value, dict) and kind in value]
    return found[0] if len(found) == 1 else None


def _one_of(kinds: tuple[str, ...]) -> Discriminator:
    return Discriminator(
        _kind,
        custom_error_type="source",
        custom_error_message=f"name the source by exactly one of: {', '.join(kinds)}",
    )


InputName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""What a parameter of the workflow's API is called; its value says where it goes: `NODE.INPUT`."""

PackReference = Annotated[str, StringConstraints(pattern=r"^[^-\x00-\x20\x7f][^\x00-\x20\x7f]*$", max_length=1000)]
"""A node pack by its address, `owner/name` on GitHub, or the registry's id: the one meant where several may be."""

Spec = GitSpec | WheelSpec | PathSpec | UrlSpec | RegistrySpec

ComfySpec = Annotated[
    Annotated[GitSpec, Tag("git")] | Annotated[WheelSpec, Tag("wheel")] | Annotated[PathSpec, Tag("path")],
    _one_of(("git", "wheel", "path")),
]

PackSpec = Annotated[
    Annotated[GitSpec, Tag("git")]
    | Annotated[WheelSpec, Tag("wheel")]
    | Annotated[PathSpec, Tag("path")]
    | Annotated[UrlSpec, Tag("url")]
    | Annotated[RegistrySpec, Tag("registry")],
    _one_of(KINDS),
]


class ModelSpec(Section):
    """A model: `name` below the model folder `folder`, from a `url` or a local file at `path`. `sha256` is what it must
    be; it is needed where `url` is neither Hugging Face's nor CivitAI's."""

    folder: ModelFolder
    name: RelativePath
    url: WebUrl | None = None
    path: LocalPath | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _check(self) -> "ModelSpec":
        if self.url is not None and self.path is not None:
            raise ValueError("give either url or path")
        return self


class IndexSpec(Section):
    """A Python package index besides the default one. With `packages` it is for these alone, and they come from it
    alone. `dated = false`: it does not say when files were uploaded, so what it has is taken whatever the date."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
    url: WebUrl = Field(repr=False)
    packages: tuple[PackageName, ...] = Field(default=(), strict=False)
    dated: bool = True

    @model_validator(mode="after")
    def _check(self) -> "IndexSpec":
        if not self.dated and not self.packages:
            raise ValueError("dated = false needs packages: for what is the date not to matter?")
        return self

    @property
    def index(self) -> Index:
        return Index(self.name.lower(), self.url, normalise(self.packages), self.dated)


class WheelSection(Section):
    """A Python package that is built from its source, even where there are wheels.

    `requires` is what building it needs besides what it says itself, `apt` Debian packages. With `compiler` there is
    a C and C++ compiler; without, only if the build turns out to need one.
    """

    requires: tuple[RequirementText, ...] = Field(default=(), strict=False)
    compiler: bool = False
    apt: tuple[DebianName, ...] = Field(default=(), strict=False)


class DebianSection(Section):
    """Where Debian packages come from, if not from where this machine gets its own.

    With `snapshot` they are those that Debian had at that moment, or as of the lock's own date; then they come from
    `snapshot_mirror`, which keeps the archives of the past.
    """

    mirror: MirrorUrl | None = None
    security_mirror: MirrorUrl | None = None
    snapshot: Annotated[datetime | Literal["as-of"], BeforeValidator(_to_snapshot)] | None = None
    snapshot_mirror: SnapshotUrl | None = None

    @property
    def snapshot_id(self) -> str:
        """How a snapshot service calls the moment; "" without a snapshot, or while its moment is not known."""
        return f"{self.snapshot:%Y%m%dT%H%M%SZ}" if isinstance(self.snapshot, datetime) else ""

    def is_of(self, archives: Sequence[str]) -> bool:
        """Whether these archives are of the snapshot that is asked for; always, where none is."""
        return all(self.snapshot_id in url for url in archives)


class Config(Section):
    """All of pycomfy.toml. `as_of` is in UTC; `python` and `suite` belong together and fill in for one another."""

    fix: ClassVar[str] = "see `pycomfy.toml` in the reference"

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    as_of: Moment | None = None
    python: Literal["3.11", "3.13"] = "3.11"
    platforms: Annotated[tuple[PlatformName, ...], Field(min_length=1, strict=False)] = ("linux/amd64", "linux/arm64")
    apt: Annotated[tuple[DebianName, ...], Field(strict=False)] = ()
    suite: Literal["bookworm", "trixie"] = "bookworm"
    requirements: Annotated[tuple[WantedText, ...], Field(strict=False)] = ()
    overrides: Annotated[tuple[RequirementText, ...], Field(strict=False)] = ()
    accelerator: Accelerator | None = None
    index: Annotated[tuple[IndexSpec, ...], Field(strict=False)] = ()
    find_links: Annotated[tuple[LinksPlace, ...], Field(strict=False, repr=False)] = ()
    families: dict[PackageName, PackageName] = {}
    wheels: dict[PackageName, WheelSection] = {}
    comfyui: ComfySpec = GitSpec.model_validate({"git": COMFYUI_URL, "rev": COMFYUI_REVISION})
    packs: dict[Name, PackSpec] = {}
    prefer: Annotated[tuple[PackReference, ...], Field(strict=False)] = ()
    inputs: dict[InputName, str] = {}
    models: Annotated[tuple[ModelSpec, ...], Field(strict=False)] = ()
    debian: DebianSection = DebianSection()

    @model_validator(mode="before")
    @classmethod
    def _pair_python_with_suite(cls, data: Any) -> Any:
        """Debian's own Python runs the image, so each suite has one."""
        if not isinstance(data, dict):
            return data
        python, suite = data.get("python"), data.get("suite")
        if suite is None and isinstance(python, str) and python in SUITES:
            return {**data, "suite": SUITES[python]}
        if python is None and suite in SUITES.values():
            return {**data, "python": next(p for p, s in SUITES.items() if s == suite)}
        return data

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if SUITES[self.python] != self.suite:
            raise ValueError(f"{self.suite} has no Python {self.python}: bookworm carries 3.11, trixie 3.13")
        if self.comfyui.steps:
            raise ValueError("only node packs have steps, ComfyUI has none")
        folded: dict[str, str] = {}
        for pack in self.packs:
            if pack.casefold() == "comfyui":
                raise ValueError(f"{pack} is no name for a node pack: ComfyUI itself has its own section, [comfyui]")
            other = folded.setdefault(pack.casefold(), pack)
            if other != pack:
                raise ValueError(f"packs {other} and {pack} differ only in upper and lower case")
        self._check_indexes()
        places = [f"{m.folder}/{m.name}" for m in self.models]
        if twice := sorted({place for place in places if places.count(place) > 1}):
            raise ValueError(f"the model {twice[0]} is there twice")
        return self

    @property
    def settled_places(self) -> frozenset[str]:
        """The addresses of indexes and pages that are named here, and the accelerator: a requirements file that names
        them says nothing new."""
        urls = [spec.url.replace(VARIABLE, self.accelerator or "") for spec in self.index]
        places = {without_logins(place).rstrip("/") for place in (*urls, *self.find_links)}
        return frozenset(places | ({self.accelerator} if self.accelerator else set()))

    def _check_indexes(self) -> None:
        names = [spec.name.lower() for spec in self.index]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two indexes are called {twice[0]}")
        if wrong := unknown_choices(self.families):
            raise ValueError(wrong[0])
        packages = [name for spec in self.index for name in normalise(spec.packages)]
        if twice := sorted({name for name in packages if packages.count(name) > 1}):
            raise ValueError(f"{twice[0]} is to come from two indexes")


def meaning(config: Config) -> str:
    """SHA-256 of what is decided: files that say the same have the same, whatever their comments and order. What is
    read anew by every build is not in it."""
    said = config.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"inputs"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def parse_config(text: str, where: str = "pycomfy.toml") -> Config:
    """Read pycomfy.toml. Raises `BadConfig` for every wrong key at once; `where` names the file."""
    if len(text) > MOST_CHARACTERS:
        raise BadConfig(f"the file is larger than {MOST_CHARACTERS} characters", where=where, fix=Config.fix)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        why = "it is nested too deeply" if isinstance(e, RecursionError) else str(e)
        twice = why.startswith("Cannot overwrite")
        fix = "that key is there twice: put its values into one" if twice else "correct the syntax at that place"
        raise BadConfig(f"not TOML: {why}", where=where, fix=fix) from e
    try:
        return Config.model_validate(data)
    except ValidationError as e:
        raise_all([_problem(error, where) for error in e.errors(include_url=False)])
        raise


def _problem(error: ErrorDetails, where: str) -> BadConfig:
    """One wrong key. Pydantic puts the chosen kind of source into the path, where no key of the file stands."""
    loc = [part for part in error["loc"] if part != "[key]"]
    place = 1 if loc[:1] == ["comfyui"] else 2 if loc[:1] == ["packs"] else len(loc)
    if len(loc) > place and loc[place] in KINDS and error["type"] != "source":
        del loc[place]
    key = ""
    for part in loc:
        if isinstance(part, int):
            key += f"[{part}]"
            continue
        bare = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
        key += f".{bare}" if key else bare
    if error["type"] == "extra_forbidden":
        message = "there is no such key"
        if len(loc) > 1 and loc[-1] in {field.replace("_", "-") for field in Config.model_fields}:
            message += " here: it belongs at the top of the file, above the first [section]"
    elif "[key]" in error["loc"]:
        message = "a name has only letters, digits and . _ + -, and begins with a letter or digit"
    else:
        message = error["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
    return BadConfig(f"{key}: {message}" if key else message, where=where, fix=Config.fix)
