"""Define what an interchange format is: the file of another tool, how it is recognised, read and written.

To add one, write a module with a `Format`, and list it in `registry.FORMATS`. The file is a document (JSON, YAML or
TOML, an object at its top), or a zip file with such a document in it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import basename
from typing import Literal

from pycomfy.core.interchange.model import EnvironmentSpec

Document = Mapping[str, object]

Part = Literal["workflow", "comfyui", "packs", "python", "packages", "hashes", "models", "inputs"]


@dataclass(frozen=True)
class ZipLayout:
    """The members of a zip file. `manifest` is the document; `others` are read too, where they exist, at most
    `document.MAX_BYTES` each; what is in the folder `inputs`, which ends in a slash, are the workflow's input files."""

    manifest: str
    others: tuple[str, ...] = ()
    inputs: str = "input/"

    @property
    def texts(self) -> tuple[str, ...]:
        """The members that are read into memory."""
        return (self.manifest, *self.others)


@dataclass(frozen=True)
class ForeignFile:
    """A file of another tool. `document` is its value, or that of its layout's manifest; `members` are the other texts
    of a zip file, by path. `where` names the document in errors, `file` is the path of the file itself."""

    document: Document
    where: str
    file: str
    members: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """The last part of the file's path."""
        return basename(self.file)


@dataclass(frozen=True)
class RenderTarget:
    """What a file is written for. `label` names the version or the lock ("portrait@3"); `filename` is the file's."""

    label: str
    filename: str


@dataclass(frozen=True)
class RenderedFile:
    """The bytes of a file, or the members of a zip file by path. `lost` lists what the format could not express of the
    parts that it holds, as noun phrases; `notes` is what the user should know besides."""

    content: bytes | Mapping[str, bytes]
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A format. `name` is what programs call it, `title` what a sentence does: "a ComfyUI Desktop snapshot".

    `parts` are what its file can hold, `filename` what its tool calls it. `detect` says whether a document is one; of
    the formats that say so, the first in the registry is taken. `parse` raises `BadInput`; `render` too, for an
    environment that lacks what the format cannot be without. With `all_platforms` a file has the packages of every
    platform, else of one.
    """

    name: str
    title: str
    filename: str
    parts: frozenset[Part]
    detect: Callable[[Document], bool]
    parse: Callable[[ForeignFile], EnvironmentSpec]
    render: Callable[[EnvironmentSpec, RenderTarget], RenderedFile]
    zip_layout: ZipLayout | None = None
    all_platforms: bool = False

    def list_unsupported(self, environment: EnvironmentSpec) -> Iterator[str]:
        """Yield each part of an environment that the format cannot hold, as a noun phrase for the user."""
        if environment.workflow is not None and "workflow" not in self.parts:
            yield "the workflow"
        if environment.comfyui is not None and "comfyui" not in self.parts:
            yield "ComfyUI's version"
        counts: tuple[tuple[Part, int, str, str], ...] = (
            ("packs", len(environment.packs), "node pack", "node packs"),
            ("packages", len(environment.packages), "Python package", "Python packages"),
            ("models", len(environment.models), "model", "models"),
            ("inputs", len(environment.inputs), "input of the API", "inputs of the API"),
        )
        for part, count, singular, plural in counts:
            if count and part not in self.parts:
                yield f"{count} {singular if count == 1 else plural}"
        if environment.python is not None and "python" not in self.parts and "packages" in self.parts:
            yield f"the version of Python, {environment.python}"
        if environment.packages and "packages" in self.parts and "hashes" not in self.parts:
            yield "the hashes of the Python packages"
        if environment.debian:
            yield f"{environment.debian} Debian package{'' if environment.debian == 1 else 's'}"
