"""`export`: write a version to one file, pycomfy's own with all its sources, or one of another tool."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.core.interchange.registry import BUNDLE
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.errors import BadArgument, BadInput, Placeholder, suggest
from pycomfy.services.archive.bundle_export import BundleExport, export_bundle
from pycomfy.services.interchange.export_foreign import ForeignExport, ForeignExportRequest, export_foreign
from pycomfy.services.interchange.formats import choose_format
from pycomfy.services.versions.target import find_target
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class ExportRequest:
    """What to export: a version, by `reference`, or for another tool also the path of a lock (see `find_target`).
    `models` puts the models into a bundle. `platform` is that of a bundle's image, as in `export_bundle`, or of another
    tool's file, as in `ForeignExportRequest`."""

    reference: str
    to: Path
    format: str = BUNDLE
    platform: PlatformName | None = None
    models: bool = False


def export_file(workspace: Workspace, request: ExportRequest) -> BundleExport | ForeignExport:
    """Write the file. Raises `NotFound`, `BadInput`, and `BadArgument` for an unknown format, or an argument that the
    format has no use for."""
    if request.format != BUNDLE:
        format_ = choose_format(request.format)
        if request.models:
            raise BadArgument("only a bundle has models in it", where=format_.title, argument="models")
        return export_foreign(workspace, ForeignExportRequest(request.reference, request.to, format_, request.platform))
    target = find_target(workspace, request.reference)
    if isinstance(target, Path):
        fixes = (
            suggest("build", "then export its version", workflow=request.reference),
            suggest("retry", "for another tool", format_=Placeholder("FORMAT")),
        )
        raise BadInput("a bundle is made of a version that was built, not of files", where=str(target), fix=fixes)
    return export_bundle(workspace, target, request.to, models=request.models, platform=request.platform)
