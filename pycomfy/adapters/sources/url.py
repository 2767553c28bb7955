"""Single Python files as sources: ComfyUI takes one for a node pack."""

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from pycomfy.adapters.io import download
from pycomfy.adapters.sources.adapter import FileAdapter, PinnedSource, SourceContext
from pycomfy.adapters.sources.text_files import decode_text
from pycomfy.core.lockfile.lock_types import FileName
from pycomfy.core.lockfile.names import plain_name
from pycomfy.core.sources.url import UrlSource, UrlSpec
from pycomfy.errors import BadConfig

PACKAGE = "__init__.py"
"""What the file is called in the pack's folder: of a folder, ComfyUI loads the package."""


class UrlAdapter(FileAdapter[UrlSpec, UrlSource]):
    """A Python file at a URL."""

    spec_type = UrlSpec
    source_type = UrlSource

    def pin(self, spec: UrlSpec, context: SourceContext) -> PinnedSource:
        name = _file_name(spec.url)
        if not name.endswith(".py"):
            raise BadConfig(
                f"{context.owner}: {spec.url} is not a Python file",
                where="pycomfy.toml",
                fix="a url source is a node pack of one .py file; for anything larger write git = … or path = …",
            )
        path = download.fetch(spec.url, spec.sha256, name=name, cache=context.paths.cache)
        source = UrlSource(url=spec.url, sha256=spec.sha256, name=name)
        return PinnedSource(source, {PACKAGE: decode_text(path.read_bytes())})

    def unpack(self, source: UrlSource, file: Path, to: Path) -> None:
        shutil.copyfile(file, to / PACKAGE)


def _file_name(url: str) -> str:
    """The name of the file at `url`, as a store can have it; "" if none can be made of it."""
    name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    # Neither the Nix store nor a Python module cares for the spaces that some names have.
    name = plain_name(name, len(name))
    try:
        return TypeAdapter(FileName).validate_python(name)
    except ValidationError:
        return ""
