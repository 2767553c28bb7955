"""`import`: take in a file, one of pycomfy's own as a version, one of another tool as a folder."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.core.interchange.registry import BUNDLE
from pycomfy.errors import BadArgument
from pycomfy.services.archive.bundle_import import BundleImport, import_bundle
from pycomfy.services.interchange.formats import choose_format
from pycomfy.services.interchange.import_foreign import (
    ForeignImport,
    ForeignImportRequest,
    import_foreign,
    read_head,
)
from pycomfy.services.workspace import Workspace

_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class ImportRequest:
    """What to import. `format` is what the file is, None to recognise it; `BUNDLE` is pycomfy's own. The rest is for
    other tools' files, as in `ForeignImportRequest`."""

    file: Path
    format: str | None = None
    to: Path | None = None
    workflow: Path | None = None
    name: str | None = None


def import_file(workspace: Workspace, request: ImportRequest) -> BundleImport | ForeignImport:
    """Import a bundle's version, or make a folder of another tool's file. Raises `NotFound`, `BadInput`, and
    `BadArgument` for an unknown format, or arguments that a bundle has no use for."""
    format_ = None if request.format in (None, BUNDLE) else choose_format(request.format)
    if request.format == BUNDLE or (format_ is None and read_head(request.file) == _ZSTANDARD):
        for argument, value in (("to", request.to), ("workflow", request.workflow), ("name", request.name)):
            if value is not None:
                raise BadArgument("a bundle has its own", where=str(request.file), argument=argument)
        return import_bundle(workspace, request.file)
    return import_foreign(ForeignImportRequest(request.file, request.to, format_, request.workflow, request.name))
