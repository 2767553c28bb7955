"""`export` and `import`: a whole version as one file, and that file as a version again."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.bundle.reader import BundleReader, open_bundle
from pycomfy.adapters.bundle.writer import BundleFile, write_bundle
from pycomfy.adapters.io.atomic_files import no_space, translate_disk_full
from pycomfy.adapters.nix.nar_reader import Digest, Hasher
from pycomfy.adapters.nix.resources import templates_folder
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.adapters.versions.repository import Version
from pycomfy.core.bundle.manifest import README, FileEntry, Manifest, render_manifest
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites
from pycomfy.core.nix.narinfo import CACHE_INFO, NarInfo
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.errors import BadInput, HashMismatch, NotFound, PycomfyError, raise_all
from pycomfy.services.archive.restore_sources import missing_source_error
from pycomfy.services.realise import host_platform
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.recorded_version import LOCK, RecordedVersion, find_recorded_version
from pycomfy.services.workspace import Workspace

MARGIN = 1 << 30
"""Bytes that stay free where a bundle is unpacked."""


@dataclass(frozen=True)
class ExportResult:
    """`size` is the bundle's, in bytes; `sources` counts store paths."""

    version: RecordedVersion
    file: Path
    size: int
    sources: int
    models: int


@dataclass(frozen=True)
class ImportResult:
    """`new` is False if the workflow's newest version is the same already; `sources` were put into the archive."""

    version: Version
    new: bool
    sources: int
    models: int


def export_version(workspace: Workspace, reference: str, to: Path, *, models: bool = False) -> ExportResult:
    """Write a version with all its sources, and with `models` its models, to the file `to`. What the archive lacks is
    archived first, from this machine's store. Raises all that cannot be had at once."""
    stored = find_recorded_version(workspace, reference)
    platforms = _platforms(stored)
    needs, archive = list_requisites(stored.lock, platforms), workspace.archive
    _archive(workspace, stored, needs, archive)
    infos = [info for need in needs if (info := archive.find(need.output)) is not None]
    blobs = _find_models(workspace, stored) if models else {}
    contents = [
        _of_bytes(README, (templates_folder() / "bundle.md").read_bytes()),
        *(_of_bytes(f"project/{path}", data) for path, data in sorted(stored.files.items())),
        _of_bytes("cache/nix-cache-info", CACHE_INFO),
        *(_of_bytes(f"cache/{info.file_name}", info.render()) for info in infos),
        *{info.nar_name: _of_nar(info, archive) for info in infos}.values(),
        *(_of_model(sha256, path) for sha256, path in blobs.items()),
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
    return ExportResult(stored, to, size, len(infos), len(blobs))


def import_bundle(workspace: Workspace, file: Path) -> ImportResult:
    """Take a bundle's version into library, record and archive. Nothing of it is kept before all of it was checked;
    ended at any point, it can be done again. Raises `BadInput` or `HashMismatch` for a bundle that is not right."""
    archive, store = workspace.archive, workspace.models
    size = file.stat().st_size if file.is_file() else 0
    with archive.workplace() as place:
        with (
            operation.step(f"Read {file.name}", total=size, unit="bytes") as task,
            open_bundle(file, task.advance) as bundle,
        ):
            manifest = bundle.manifest
            _check_space(archive.folder, manifest)
            unpacked = _Unpacked.read(bundle, place)
        lock = _check_project(manifest, unpacked.project, str(file))
        sources = _check_sources(manifest, lock, unpacked, str(file))
        with archive.lock():
            # One after the other with the clean-up's lock held: nobody may find them superfluous in between.
            for output, (nar, digest) in sources.items():
                archive.adopt(output, nar, digest)
            version, new = _record(workspace, manifest, unpacked.project)
        for sha256, path in unpacked.models.items():
            if store.find(sha256) is None:
                part = store.partial_path(sha256)
                part.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, part)
                store.finish(part, sha256)
    index(workspace)
    return ImportResult(version, new, len(sources), len(unpacked.models))


# — export —


def _platforms(stored: RecordedVersion) -> set[PlatformName]:
    """Those of its images, and that of the machine that builds; all that are locked where none was built."""
    built = set(stored.images)
    return {p for p in stored.lock.platforms if p in built | {host_platform()}} if built else set(stored.lock.platforms)


def _archive(workspace: Workspace, stored: RecordedVersion, needs: tuple[Requisite, ...], archive: Archive) -> None:
    missing = [need for need in needs if archive.find(need.output) is None]
    if not missing:
        return
    settings = workspace.nix
    here = set(valid_paths(settings, [need.path for need in missing]))
    lost = [need for need in missing if need.path not in here]
    raise_all([missing_source_error(need, stored.label) for need in filter_required(lost, needs)])
    missing = [need for need in missing if need.path in here]
    total = sum(need.size or 0 for need in missing)
    with operation.step("Archive what is missing", total=total, unit="bytes") as task:
        for need in missing:
            archive.add(need.output, settings.place(need.path), task.advance)


def _find_models(workspace: Workspace, stored: RecordedVersion) -> dict[str, Path]:
    store = workspace.models
    found: dict[str, Path] = {}
    problems: list[PycomfyError] = []
    for model in stored.lock.models:
        path = store.find(model.sha256)
        if path is None:
            fix = "`pycomfy models pull` fetches it; or export without --models"
            problems.append(NotFound(f"the model {model.place} is not here", where=stored.label, fix=fix))
        else:
            found[model.sha256] = path
    raise_all(problems)
    return found


def _of_bytes(path: str, data: bytes) -> BundleFile:
    return BundleFile(path, FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data)), data)


def _of_nar(info: NarInfo, archive: Archive) -> BundleFile:
    entry = FileEntry(sha256=info.nar_sha256.hex(), size=info.nar_size)
    return BundleFile(f"cache/{info.nar_name}", entry, archive.nar_of(info))


def _of_model(sha256: str, path: Path) -> BundleFile:
    return BundleFile(f"models/{sha256}", FileEntry(sha256=sha256, size=path.stat().st_size), path)


# — import —


@dataclass(frozen=True)
class _Unpacked:
    """A bundle's files: the project's in memory, the others in a folder, each of the hash that the list says."""

    project: Mapping[str, bytes]
    nars: Mapping[str, tuple[Path, Digest]]
    models: Mapping[str, Path]
    texts: Mapping[str, bytes]

    @classmethod
    def read(cls, bundle: BundleReader, place: Path) -> "_Unpacked":
        project: dict[str, bytes] = {}
        nars: dict[str, tuple[Path, Digest]] = {}
        models: dict[str, Path] = {}
        texts: dict[str, bytes] = {}
        for path, entry, pieces in bundle.entries():
            if path.startswith("project/"):
                project[path.removeprefix("project/")] = b"".join(pieces)
            elif path.startswith("cache/nar/"):
                nars[path.removeprefix("cache/")] = _unpack(pieces, place / str(len(nars)))
            elif path.startswith("models/"):
                name = path.removeprefix("models/")
                models[name] = _unpack(pieces, place / name)[0]
                if name != entry.sha256:
                    raise HashMismatch(f"{path} has another hash", where="the bundle", fix="get it again")
            else:
                texts[path.removeprefix("cache/")] = _small(path, entry, pieces)
        return cls(project, nars, models, texts)


def _unpack(pieces: Iterator[bytes], to: Path) -> tuple[Path, Digest]:
    hasher = Hasher()
    with translate_disk_full(to), to.open("xb") as out:
        for piece in pieces:
            out.write(piece)
            hasher.update(piece)
    return to, hasher.digest()


def _small(path: str, entry: FileEntry, pieces: Iterator[bytes]) -> bytes:
    if entry.size > 1 << 20:
        raise BadInput(f"{path} is too large", where="the bundle", fix="get it again")
    return b"".join(pieces)


def _check_project(manifest: Manifest, project: Mapping[str, bytes], where: str) -> Lock:
    fix = "get the bundle again, or make it anew with `pycomfy export`"
    lacking = [name for name in (LOCK, "workflow.json", "default.nix", "nix/default.nix") if name not in project]
    if lacking:
        raise BadInput(f"its project lacks {', '.join(lacking)}", where=where, fix=fix)
    lock = parse_lock(project[LOCK].decode(errors="replace"), where=f"{LOCK} in {where}")
    if hashlib.sha256(project["workflow.json"]).hexdigest() != lock.workflow.sha256:
        raise BadInput("its workflow is not the one that its lock was made for", where=where, fix=fix)
    absent = [p for p in (*manifest.platforms, *(i.platform for i in manifest.images)) if p not in lock.platforms]
    if absent:
        raise BadInput(f"its lock knows nothing of {', '.join(absent)}", where=where, fix=fix)
    return lock


def _check_sources(
    manifest: Manifest, lock: Lock, unpacked: _Unpacked, where: str
) -> dict[FixedOutput, tuple[Path, Digest]]:
    """The NAR of every source that the lock needs; each proves itself by the lock's hash. Raises all that is wrong."""
    infos: dict[str, bytes] = {"nix-cache-info": CACHE_INFO}
    found: dict[FixedOutput, tuple[Path, Digest]] = {}
    problems: list[PycomfyError] = []
    fix = "get the bundle again; if it stays so, do not trust whom it comes from"
    needs = list_requisites(lock, manifest.platforms)
    missing: list[Requisite] = []
    for need in needs:
        match = next((nar for nar in unpacked.nars.values() if nar[1].holds(need.output)), None)
        if match is None:
            missing.append(need)
            continue
        info = NarInfo(need.output, match[1].sha256, match[1].size)
        infos[info.file_name] = info.render()
        found[need.output] = match
    for need in filter_required(missing, needs):
        problems.append(HashMismatch(f"{need.title} is not in it as the lock has it", where=where, fix=fix))
    wanted = {nar[1].sha256 for nar in found.values()}
    strange = [name for name, nar in unpacked.nars.items() if nar[1].sha256 not in wanted]
    strange += [name for name, text in unpacked.texts.items() if name != README and infos.get(name) != text]
    problems += [BadInput(f"cache/{name} does not belong in it", where=where, fix=fix) for name in strange]
    raise_all(problems[:20])
    return found


def _record(workspace: Workspace, manifest: Manifest, project: Mapping[str, bytes]) -> tuple[Version, bool]:
    """The version in the library, and its images' digests beside it. Whether it is a new one; one that the workflow has
    already, wherever along its branch, stays the one it is."""
    library = workspace.versions
    tree = library.write_tree(project)
    there = [v for v in library.versions(manifest.name) if v.tree == tree]
    if there:
        version, new = there[0], False
    else:
        message = manifest.message or f"imported {manifest.name} {manifest.commit[:12]}"
        version, new = library.commit(manifest.name, project, message=message, author=manifest.author or None)
    known = library.images(version.tree)
    for image in manifest.images:
        own = known.get(image.platform)
        if own is None:
            library.add_image(version.tree, image)
        elif own.manifest_digest != image.manifest_digest:
            operation.report(
                f"warning: for {image.platform} the bundle claims the image {image.manifest_digest}, but"
                f" {own.manifest_digest} was recorded and stays: `pycomfy verify {version.label}` shows who is right"
            )
    return version, new


def _check_space(folder: Path, manifest: Manifest) -> None:
    needed = sum(entry.size for entry in manifest.files.values())
    if shutil.disk_usage(folder).free < needed + MARGIN:
        error = no_space(folder)
        error.what = f"{error.what}; the bundle's files take {needed / 1e9:.2f} GB, and 1 GB is left alone"
        raise error
