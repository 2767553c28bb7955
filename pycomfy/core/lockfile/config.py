"""Parse `pycomfy.toml`: what the user decides about a workflow's image, beside the workflow itself."""

import functools
import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from pycomfy.core.lockfile.alternatives import unknown_choices
from pycomfy.core.lockfile.config_types import (
    Accelerator,
    DebianName,
    DirectRequirementText,
    LinksLocation,
    LocalPath,
    MirrorUrl,
    Moment,
    PackageName,
    RequirementText,
    Section,
    Snapshot,
    SnapshotUrl,
    WebUrl,
)
from pycomfy.core.lockfile.lock_types import ModelFolder, Name, RelativePath, Sha256
from pycomfy.core.lockfile.package_indexes import VARIABLE, PackageIndex, normalise, strip_logins
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.workflow_names import SECTIONS
from pycomfy.core.lockfile.workflow_sections import find_key, merge_section, near
from pycomfy.core.loose_json import as_mapping
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.kinds import ComfySpec, PackSpec
from pycomfy.core.validation import KEY, describe_errors, explain_error
from pycomfy.errors import BadConfig, combine

COMFYUI_URL = "https://github.com/comfyanonymous/ComfyUI"
COMFYUI_REVISION = "v0.3.75"
"""The ComfyUI a lock gets when pycomfy.toml names none."""

SUITES: Mapping[str, str] = {"3.11": "bookworm", "3.13": "trixie"}
"""The Debian suite of each Python."""

NO_PYTHON_312 = (
    'no release of Debian has Python 3.12; take "3.11", for which there are wheels of nearly everything that has them '
    "for 3.12"
)
"""Nor has PyPI or npm a CPython 3.12 for Linux: what is there fetches one from elsewhere when it is installed."""

MAX_CHARACTERS = 1_000_000

InputName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""The name of a parameter of the workflow's API; the value says what it sets: `NODE.INPUT`."""

PackReference = Annotated[str, StringConstraints(pattern=r"^[^-\x00-\x20\x7f][^\x00-\x20\x7f]*$", max_length=1000)]
"""A node pack by its address, `owner/name` on GitHub, or the registry's id: the one to take where several may be
meant."""


class ModelSpec(Section):
    """A model: `name` below the model folder `folder`, from a `url` or a local file at `path`. Its hash must be
    `sha256`, which is required where `url` is neither Hugging Face's nor CivitAI's."""

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
    alone. `dated = false`: it does not say when files were uploaded, so its files are taken whatever the date."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
    url: WebUrl = Field(repr=False)
    packages: tuple[PackageName, ...] = Field(default=(), strict=False)
    dated: bool = True

    @model_validator(mode="after")
    def _check(self) -> "IndexSpec":
        if not self.dated and not self.packages:
            raise ValueError("dated = false needs packages: those for which the date does not matter")
        return self

    @property
    def index(self) -> PackageIndex:
        """The index with a lower-case name and normalised package names."""
        return PackageIndex(self.name.lower(), self.url, normalise(self.packages), self.dated)


class ImageSection(Section):
    """What the image has. `compiler` are a C compiler and Python's headers, which Triton needs while it runs; None
    decides by what the workflow uses."""

    compiler: bool | None = None


class WheelSection(Section):
    """A Python package that is built from its source, even where there are wheels.

    `requires` are build requirements beyond those that it declares, `apt` Debian packages. With `compiler` the build
    has a C and C++ compiler; without, only if it turns out to need one.
    """

    requires: tuple[RequirementText, ...] = Field(default=(), strict=False)
    compiler: bool = False
    apt: tuple[DebianName, ...] = Field(default=(), strict=False)


class DebianSection(Section):
    """The source of Debian packages, if not the mirror that this machine uses.

    With `snapshot` they are those that Debian had at that moment, or on the lock's own date; then they come from
    `snapshot_mirror`, which keeps the past states of the mirrors.
    """

    mirror: MirrorUrl | None = None
    security_mirror: MirrorUrl | None = None
    snapshot: Snapshot | None = None
    snapshot_mirror: SnapshotUrl | None = None

    @property
    def snapshot_id(self) -> str:
        """The moment as a snapshot service writes it; "" without a snapshot, or while its moment is not known."""
        return f"{self.snapshot:%Y%m%dT%H%M%SZ}" if isinstance(self.snapshot, datetime) else ""

    def matches_snapshot(self, archives: Sequence[str]) -> bool:
        """Return whether these archives are of the configured snapshot; always true without one."""
        return all(self.snapshot_id in url for url in archives)


class AcceptSection(Section):
    """What the user acknowledges: types of `editor_only` nodes, which no node pack provides, and `lost_values`, which
    have no place in the prompt: `NODE.NAME`, `NODE[POSITION]`, or `NODE` for all of a node."""

    editor_only: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...], Field(strict=False)
    ] = ()
    lost_values: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...], Field(strict=False)
    ] = ()


class EditorSection(Section):
    """Who makes the image's prompt. ComfyUI's own editor, in a browser, does where packs of the workflow have code for
    it ("auto"), "always" or "never"; otherwise pycomfy's conversion."""

    use: Literal["auto", "always", "never"] = "auto"


class AppSection(Section):
    """What the page of the image has above its form."""

    title: Annotated[str, StringConstraints(max_length=200)] = ""
    description: Annotated[str, StringConstraints(max_length=2000)] = ""


class Config(Section):
    """All of pycomfy.toml. `as_of` is in UTC; each of `python` and `suite` determines the other. `alternatives` has the
    key that it was published with."""

    fix: ClassVar[str] = "docs/reference/pycomfy-toml.md lists every key"

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    as_of: Moment | None = None
    python: Literal["3.11", "3.13"] = "3.11"
    platforms: Annotated[tuple[PlatformName, ...], Field(min_length=1, strict=False)] = ("linux/amd64", "linux/arm64")
    apt: Annotated[tuple[DebianName, ...], Field(strict=False)] = ()
    suite: Literal["bookworm", "trixie"] = "bookworm"
    requirements: Annotated[tuple[DirectRequirementText, ...], Field(strict=False)] = ()
    overrides: Annotated[tuple[RequirementText, ...], Field(strict=False)] = ()
    accelerator: Accelerator | None = None
    index: Annotated[tuple[IndexSpec, ...], Field(strict=False)] = ()
    find_links: Annotated[tuple[LinksLocation, ...], Field(strict=False, repr=False)] = ()
    alternatives: dict[PackageName, PackageName] = Field(default_factory=dict, alias="families")
    wheels: dict[PackageName, WheelSection] = Field(default_factory=dict)
    preferred_wheels: Annotated[tuple[PackageName, ...], Field(strict=False, alias="wheels.prefer")] = ()
    comfyui: ComfySpec = GitSpec.model_validate({"git": COMFYUI_URL, "rev": COMFYUI_REVISION})
    packs: dict[Name, PackSpec] = Field(default_factory=dict)
    prefer: Annotated[tuple[PackReference, ...], Field(strict=False)] = ()
    inputs: dict[InputName, str] = Field(default_factory=dict)
    app: AppSection = AppSection()
    models: Annotated[tuple[ModelSpec, ...], Field(strict=False)] = ()
    debian: DebianSection = DebianSection()
    accept: AcceptSection = AcceptSection()
    image: ImageSection = ImageSection()
    editor: EditorSection = EditorSection()

    @model_validator(mode="before")
    @classmethod
    def _pair_python_with_suite(cls, data: Any) -> Any:
        """Fill in one of `python` and `suite` from the other: Debian's own Python runs the image, and each suite has
        one."""
        if not isinstance(data, dict):
            return data
        python, suite = data.get("python"), data.get("suite")
        if suite is None and isinstance(python, str) and python in SUITES:
            return {**data, "suite": SUITES[python]}
        if python is None and suite in SUITES.values():
            return {**data, "python": next(p for p, s in SUITES.items() if s == suite)}
        return data

    @model_validator(mode="before")
    @classmethod
    def _separate_preferred_wheels(cls, data: Any) -> Any:
        """Take the list `prefer` out of the table `wheels`, where all else are packages."""
        wheels = data.get("wheels") if isinstance(data, dict) else None
        if not isinstance(wheels, dict) or "prefer" not in wheels or isinstance(wheels["prefer"], dict):
            return data  # a table is of the package with that name
        others = {name: section for name, section in wheels.items() if name != "prefer"}
        return {**data, "wheels": others, "wheels.prefer": wheels["prefer"]}

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if SUITES[self.python] != self.suite:
            raise ValueError(f"{self.suite} has no Python {self.python}: bookworm carries 3.11, trixie 3.13")
        if self.comfyui.steps:
            raise ValueError("only node packs have steps, not ComfyUI")
        folded: dict[str, str] = {}
        for pack in self.packs:
            if pack.casefold() == "comfyui":
                raise ValueError(f"{pack} is not a name for a node pack: ComfyUI has its own section, [comfyui]")
            other = folded.setdefault(pack.casefold(), pack)
            if other != pack:
                raise ValueError(f"the packs {other} and {pack} differ only in upper and lower case")
        self._check_indexes()
        models = [f"{m.folder}/{m.name}" for m in self.models]
        if twice := sorted({model for model in models if models.count(model) > 1}):
            raise ValueError(f"the model {twice[0]} is listed twice")
        return self

    @property
    def known_locations(self) -> frozenset[str]:
        """The addresses of the configured indexes and pages, and the accelerator: a requirements file that names them
        asks for nothing new."""
        urls = [spec.url.replace(VARIABLE, self.accelerator or "") for spec in self.index]
        locations = {strip_logins(location).rstrip("/") for location in (*urls, *self.find_links)}
        return frozenset(locations | ({self.accelerator} if self.accelerator else set()))

    def _check_indexes(self) -> None:
        names = [spec.name.lower() for spec in self.index]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two indexes are called {twice[0]}")
        if wrong := unknown_choices(self.alternatives):
            raise ValueError(wrong[0])
        packages = [name for spec in self.index for name in normalise(spec.packages)]
        if twice := sorted({name for name in packages if packages.count(name) > 1}):
            raise ValueError(f"{twice[0]} is in the packages of two indexes")


def config_fingerprint(config: Config) -> str:
    """Return the SHA-256 of the decisions, which does not depend on comments and order. The names of inputs, the
    app's texts and the lost values, which every build reads again, are not included."""
    accept = config.accept.model_copy(update={"lost_values": ()})
    config = config.model_copy(update={"accept": accept, "inputs": {}, "app": AppSection()})
    decisions = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()


def parse_config(
    text: str, where: str = "pycomfy.toml", file: str | None = None, *, main: Callable[[], bool] = lambda: True
) -> Config:
    """Parse pycomfy.toml, as it is for the workflow in `file`, by default without what is of single workflows (see
    `merge_section`). Raises `BadConfig` for every wrong key at once; `where` names the file."""
    data = load_config(text, where)
    try:
        return Config.model_validate(merge_section(data, file, main=main))
    except ValidationError as e:
        locate = functools.partial(find_key, data, file)
        problems = describe_errors(e, "the file", explain=_explain, locate=locate, limit=None)
        raise combine([BadConfig(what, where=where, fix=Config.fix) for what in problems]) from e


def load_config(text: str, where: str) -> dict[str, Any]:
    """Return pycomfy.toml as TOML has it, with tables below `workflows` if it has that. Raises `BadConfig`."""
    if len(text) > MAX_CHARACTERS:
        raise BadConfig(f"the file is larger than {MAX_CHARACTERS} characters", where=where, fix=Config.fix)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        why = "it is nested too deeply" if isinstance(e, RecursionError) else str(e)
        twice = why.startswith("Cannot overwrite")
        fix = "merge the two entries of that key into one" if twice else "correct the syntax at that position"
        raise BadConfig(f"not TOML: {why}", where=where, fix=fix) from e
    sections = data.get(SECTIONS, {})
    tables = {f"{SECTIONS}.{name}": one for name, one in as_mapping(sections).items()}
    wrong = [key for key, one in {SECTIONS: sections, **tables}.items() if not isinstance(one, dict)]
    if wrong:
        raise combine([BadConfig(f"{key} must have keys and values", where=where, fix=Config.fix) for key in wrong])
    return data


def _explain(error: ErrorDetails) -> str:
    """As `explain_error`, with what people often get wrong in this file."""
    key = error["loc"][-1] if len(error["loc"]) > 1 else ""
    top = [field.alias or name for name, field in Config.model_fields.items()]
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return explain_error(error) + near(str(error["loc"][0]), [*top, SECTIONS])
    if error["type"] == "extra_forbidden" and key in top:
        return "there is no such key here: it belongs at the top of the file, above the first [section]"
    if error["loc"] == ("python",) and error["input"] == "3.12":
        return f"{explain_error(error)}: {NO_PYTHON_312}"
    if KEY in error["loc"]:
        return "a name has only letters, digits and . _ + -, and begins with a letter or digit"
    return explain_error(error)
