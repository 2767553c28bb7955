"""`load`: put a version's image into the engine's own storage, or make its whole OCI layout for other programs."""

from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import find_loaded, image_tag, load
from pycomfy.adapters.nix.settings import check_store
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.services.project import Project, project_folder
from pycomfy.services.realise import realise_tars
from pycomfy.services.results import Result
from pycomfy.services.versions.lookup import find_image, layout_of
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.workspace import Workspace


class LoadedImage(Result):
    """An image that the engine has: its `id` there, and the name that it goes by. `loaded` says whether it was not
    there before; `size` is in bytes."""

    name: str
    version: int | None
    platform: str
    engine: str
    image: str
    id: str
    loaded: bool
    size: int


class WholeLayout(Result):
    """An OCI layout with the tars of its layers: `oci` is its path in the Nix store. Nothing protects it from Nix's
    garbage collector. `size` is in bytes."""

    name: str
    version: int | None
    platform: str
    oci: Path
    manifest_digest: str
    size: int


def load_version(workspace: Workspace, reference: str) -> LoadedImage:
    """Put a version's image into the engine's own storage. Raises `NotFound`, and as `containers.load.load`."""
    record, engine = find_image(workspace, parse_reference(reference)), workspace.engine
    found = find_loaded(engine, layout_of(record))
    with operation.step(f"Load {record.name}@{record.version} into {engine.kind}") as task:
        task.note("already loaded" if found else f"{record.size / 1e9:.2f} GB")
        identity = load(engine, layout_of(record) if found else read_layout(record.layout), record.name)
    return LoadedImage(
        name=record.name,
        version=record.version,
        platform=record.platform,
        engine=engine.kind,
        image=image_tag(record.name),
        id=identity,
        loaded=found is None,
        size=record.size,
    )


def make_whole_layout(workspace: Workspace, reference: str, platform: PlatformName | None = None) -> WholeLayout:
    """Make the whole OCI layout of a version's image for `platform`, None for this machine's. What of the image is not
    in the Nix store any more, is built again. Raises `NotFound`, and as `realise`."""
    record = find_image(workspace, parse_reference(reference), platform)
    version = find_recorded_version(workspace, Reference(record.name, record.version))
    check_store(workspace.nix)
    log = workspace.log_file(f"load-{version.label}")
    with project_folder(workspace, version.files) as folder:
        project = Project(folder, version.lock, record.platform, folder)
        made = workspace.nix.local_path(str(realise_tars(workspace, project, log=log)))
    return WholeLayout(
        name=record.name,
        version=record.version,
        platform=record.platform,
        oci=made,
        manifest_digest=read_layout(made).manifest_digest,
        size=record.size,
    )
