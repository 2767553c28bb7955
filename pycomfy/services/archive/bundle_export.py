"""Export a whole version to one file, a bundle."""

import hashlib
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.bundle.writer import BundleFile, write_bundle
from pycomfy.adapters.nix.resources import templates_folder
from pycomfy.core.bundle.manifest import README, FileEntry, Manifest, render_manifest
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.nix.narinfo import CACHE_INFO, NarInfo
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import BadLock, NotFound, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.services.archive.completeness import SourceEntry
from pycomfy.services.archive.fill import fill_requisites
from pycomfy.services.project import host_platform
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class BundleExport(VersionResult):
    """The bundle that was written. `size` is in bytes; `sources` counts store paths."""

    file: Path
    size: int
    sources: int
    models: int


def export_bundle(
    workspace: Workspace,
    reference: Reference | str,
    to: Path,
    *,
    models: bool = False,
    platform: PlatformName | None = None,
) -> BundleExport:
    """Write a version with all its sources, and with `models` its models, to the file `to`. What the archive lacks is
    archived first, from this machine's Nix store.

    Its images for `platform` can then be built, on that and on this machine's; None stands for all that were built, and
    this machine's. Raises `NotFound` for all that is missing at once, `BadLock` for a platform that is not locked.
    """
    stored = find_recorded_version(workspace, reference)
    platforms = _platforms(stored, platform)
    bootstrap, archive = find_bootstrap(stored.files), workspace.archive
    requisites = list_requisites(stored.lock, platforms, host_platform(), bootstrap)
    found = [archive.find(requisite.output) for requisite in requisites]
    if None in found:
        filled = fill_requisites(workspace, requisites, [bootstrap])
        raise_all([_missing_source(source, stored.label) for source in filled.absent])
    infos = [info for requisite in requisites if (info := archive.find(requisite.output)) is not None]
    blobs = _find_models(workspace, stored) if models else {}
    contents = [
        _bytes_entry(README, (templates_folder() / "bundle.md").read_bytes()),
        *(_bytes_entry(f"project/{path}", data) for path, data in sorted(stored.files.items())),
        _bytes_entry("cache/nix-cache-info", CACHE_INFO),
        *(_bytes_entry(f"cache/{info.file_name}", info.render()) for info in infos),
        *{info.nar_name: _nar_entry(info, archive) for info in infos}.values(),
        *(_model_entry(sha256, path) for sha256, path in blobs.items()),
    ]
    version = stored.version
    manifest = Manifest(
        name=version.name,
        number=version.number,
        commit=version.commit,
        message=version.message,
        author=version.author,
        created_at=version.created_at,
        platforms=tuple(sorted(platforms)),
        images=tuple(stored.images[p] for p in sorted(stored.images)),
        files={c.path: c.entry for c in contents},
    )
    total = sum(c.entry.size for c in contents)
    with operation.step(f"Export {stored.label}", total=total, unit="bytes") as task:
        size = write_bundle(to, render_manifest(manifest), contents, task.advance)
    return BundleExport(
        name=version.name,
        version=version.number,
        commit=version.commit,
        file=to,
        size=size,
        sources=len(infos),
        models=len(blobs),
    )


def _platforms(stored: RecordedVersion, platform: PlatformName | None) -> set[PlatformName]:
    """The requested platform, else those of its images, and this machine's; all that are locked if no image was
    built."""
    if platform is not None:
        if platform not in stored.lock.platforms:
            fixes = tuple(suggest("retry", platform=locked) for locked in sorted(stored.lock.platforms))
            raise BadLock(f"it is not locked for {platform}", where=stored.label, fix=fixes)
        return {platform}
    built = set(stored.images)
    return {p for p in stored.lock.platforms if p in built | {host_platform()}} if built else set(stored.lock.platforms)


def _missing_source(source: SourceEntry, label: str) -> NotFound:
    return NotFound(
        f"{source.title} cannot be exported: it is neither in the archive nor in this machine's Nix store",
        where=f"{label}; it came from {source.origin}",
        fix=(
            suggest("archive pull", "from an archive that has it", url=Placeholder("URL")),
            suggest("restore", "downloads it again", reference=label),
        ),
    )


def _find_models(workspace: Workspace, stored: RecordedVersion) -> dict[str, Path]:
    store = workspace.models
    found: dict[str, Path] = {}
    problems: list[PycomfyError] = []
    for model in stored.lock.models:
        path = store.find(model.sha256)
        if path is None:
            fix = (suggest("models pull", "downloads it", target=stored.label), suggest("retry", models=False))
            problems.append(NotFound(f"the model {model.location} is not on this machine", where=stored.label, fix=fix))
        else:
            found[model.sha256] = path
    raise_all(problems)
    return found


def _bytes_entry(path: str, data: bytes) -> BundleFile:
    return BundleFile(path, FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data)), data)


def _nar_entry(info: NarInfo, archive: Archive) -> BundleFile:
    entry = FileEntry(sha256=info.nar_sha256.hex(), size=info.nar_size)
    return BundleFile(f"cache/{info.nar_name}", entry, archive.nar_of(info))


def _model_entry(sha256: str, path: Path) -> BundleFile:
    return BundleFile(f"models/{sha256}", FileEntry(sha256=sha256, size=path.stat().st_size), path)
