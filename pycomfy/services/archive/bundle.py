"""Export a whole version to one file, a bundle, and import a bundle as a version."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.bundle.reader import BundleReader, open_bundle
from pycomfy.adapters.bundle.writer import BundleFile, write_bundle
from pycomfy.adapters.io.atomic_files import check_free_space, translate_disk_full
from pycomfy.adapters.nix.nar_reader import NarDigest, NarHasher
from pycomfy.adapters.nix.resources import templates_folder
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.adapters.versions.version import Version
from pycomfy.core.bundle.manifest import FIX, README, FileEntry, Manifest, render_manifest
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites
from pycomfy.core.nix.narinfo import CACHE_INFO, NarInfo
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.errors import BadInput, HashMismatch, NotFound, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.services.realise import host_platform
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace

MAX_TEXT = 1 << 20
"""Bytes of each other file: `.narinfo`, README."""

MAX_PROBLEMS = 20
"""Errors that are reported of one bundle."""


class BundleExport(VersionResult):
    """The bundle that was written. `size` is in bytes; `sources` counts store paths."""

    file: Path
    size: int
    sources: int
    models: int


class BundleImport(VersionResult):
    """The version that was taken in. `new` is False if the workflow has it already; `sources` counts the store paths
    that the archive now has of it, `models` the bundle's models."""

    new: bool
    sources: int
    models: int


def export_bundle(workspace: Workspace, reference: str, to: Path, *, models: bool = False) -> BundleExport:
    """Write a version with all its sources, and with `models` its models, to the file `to`. What the archive lacks is
    archived first, from this machine's Nix store. Raises `NotFound` for all that is missing at once."""
    stored = find_recorded_version(workspace, reference)
    platforms = _platforms(stored)
    requisites, archive = list_requisites(stored.lock, platforms), workspace.archive
    _fill_archive(workspace, stored, requisites, archive)
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


def import_bundle(workspace: Workspace, file: Path) -> BundleImport:
    """Take a bundle's version into the versions repository, the database and the archive. Nothing is kept before all of
    it was checked; after an end at any point, it can be done again. Raises `BadInput` or `HashMismatch` for a bundle
    that is damaged or malicious."""
    archive, store = workspace.archive, workspace.models
    size = file.stat().st_size if file.is_file() else 0
    with archive.workplace() as folder:
        with (
            operation.step(f"Read {file.name}", total=size, unit="bytes") as task,
            open_bundle(file, task.advance) as bundle,
        ):
            manifest = bundle.manifest
            total = sum(entry.size for entry in manifest.files.values())
            check_free_space(archive.folder, total, "the bundle's files")
            unpacked = _Unpacked.read(bundle, folder)
        lock = _check_project(manifest, unpacked.project, str(file))
        sources = _check_sources(manifest, lock, unpacked, str(file))
        with archive.lock():
            # With the lock held, no garbage collection finds the sources unused before the version is recorded.
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
    return BundleImport(
        name=version.name,
        version=version.number,
        commit=version.commit,
        new=new,
        sources=len(sources),
        models=len(unpacked.models),
    )


# — export —


def _platforms(stored: RecordedVersion) -> set[PlatformName]:
    """The platforms of its images, and this machine's; all that are locked if no image was built."""
    built = set(stored.images)
    return {p for p in stored.lock.platforms if p in built | {host_platform()}} if built else set(stored.lock.platforms)


def _fill_archive(
    workspace: Workspace, stored: RecordedVersion, requisites: tuple[Requisite, ...], archive: Archive
) -> None:
    missing = [requisite for requisite in requisites if archive.find(requisite.output) is None]
    if not missing:
        return
    settings = workspace.nix
    here = set(valid_paths(settings, [requisite.path for requisite in missing]))
    lost = [requisite for requisite in missing if requisite.path not in here]
    raise_all([_missing_source(requisite, stored.label) for requisite in filter_required(lost, requisites)])
    missing = [requisite for requisite in missing if requisite.path in here]
    total = sum(requisite.size or 0 for requisite in missing)
    with operation.step("Archive missing sources", total=total, unit="bytes") as task:
        for requisite in missing:
            archive.add(requisite.output, settings.local_path(requisite.path), task.advance)


def _missing_source(requisite: Requisite, label: str) -> NotFound:
    return NotFound(
        f"{requisite.title} cannot be exported: it is neither in the archive nor in this machine's Nix store",
        where=f"{label}; it came from {requisite.origin}",
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


# — import —


@dataclass(frozen=True)
class _Unpacked:
    """A bundle's files: the project's in memory, NARs and models in a folder, each with the hash that the manifest
    gives it."""

    project: Mapping[str, bytes]
    nars: Mapping[str, tuple[Path, NarDigest]]
    models: Mapping[str, Path]
    texts: Mapping[str, bytes]

    @classmethod
    def read(cls, bundle: BundleReader, folder: Path) -> "_Unpacked":
        """Unpack all of a bundle; its large files go into `folder`."""
        project: dict[str, bytes] = {}
        nars: dict[str, tuple[Path, NarDigest]] = {}
        models: dict[str, Path] = {}
        texts: dict[str, bytes] = {}
        for path, entry, chunks in bundle.entries():
            if path.startswith("project/"):
                project[path.removeprefix("project/")] = b"".join(chunks)
            elif path.startswith("cache/nar/"):
                nars[path.removeprefix("cache/")] = _unpack(chunks, folder / str(len(nars)))
            elif path.startswith("models/"):
                name = path.removeprefix("models/")
                models[name] = _unpack(chunks, folder / name)[0]
                if name != entry.sha256:
                    raise HashMismatch(f"{path} has another hash", where="the bundle", fix=FIX)
            else:
                texts[path.removeprefix("cache/")] = _read_text(path, entry, chunks)
        return cls(project, nars, models, texts)


def _unpack(chunks: Iterator[bytes], to: Path) -> tuple[Path, NarDigest]:
    hasher = NarHasher()
    with translate_disk_full(to), to.open("xb") as out:
        for chunk in chunks:
            out.write(chunk)
            hasher.update(chunk)
    return to, hasher.digest()


def _read_text(path: str, entry: FileEntry, chunks: Iterator[bytes]) -> bytes:
    if entry.size > MAX_TEXT:
        raise BadInput(f"{path} is larger than {MAX_TEXT >> 20} MiB", where="the bundle", fix=FIX)
    return b"".join(chunks)


def _check_project(manifest: Manifest, project: Mapping[str, bytes], where: str) -> Lock:
    missing = [name for name in (LOCK, WORKFLOW, "default.nix", "nix/default.nix") if name not in project]
    if missing:
        raise BadInput(f"the project lacks {', '.join(missing)}", where=where, fix=FIX)
    lock = parse_lock(project[LOCK].decode(errors="replace"), where=f"{LOCK} in {where}")
    if hashlib.sha256(project[WORKFLOW]).hexdigest() != lock.workflow.sha256:
        raise BadInput("the workflow is not the one that the lock was made for", where=where, fix=FIX)
    platforms = [p for p in (*manifest.platforms, *(i.platform for i in manifest.images)) if p not in lock.platforms]
    if platforms:
        raise BadInput(f"not locked for {', '.join(platforms)}", where=where, fix=FIX)
    return lock


def _check_sources(
    manifest: Manifest, lock: Lock, unpacked: _Unpacked, where: str
) -> dict[FixedOutput, tuple[Path, NarDigest]]:
    """Return the NAR of every source that the lock needs, checked by the lock's own hashes. Raises up to `MAX_PROBLEMS`
    of what is wrong."""
    infos: dict[str, bytes] = {"nix-cache-info": CACHE_INFO}
    found: dict[FixedOutput, tuple[Path, NarDigest]] = {}
    problems: list[PycomfyError] = []
    fix = "get the bundle again; if that does not help, do not trust its author"
    requisites = list_requisites(lock, manifest.platforms)
    missing: list[Requisite] = []
    for requisite in requisites:
        match = next((nar for nar in unpacked.nars.values() if nar[1].matches(requisite.output)), None)
        if match is None:
            missing.append(requisite)
            continue
        info = NarInfo(requisite.output, match[1].sha256, match[1].size)
        infos[info.file_name] = info.render()
        found[requisite.output] = match
    for requisite in filter_required(missing, requisites):
        problems.append(
            HashMismatch(f"{requisite.title} is missing, or is not what the lock says", where=where, fix=fix)
        )
    expected = {nar[1].sha256 for nar in found.values()}
    unexpected = [name for name, nar in unpacked.nars.items() if nar[1].sha256 not in expected]
    unexpected += [name for name, text in unpacked.texts.items() if name != README and infos.get(name) != text]
    problems += [BadInput(f"cache/{name} does not belong to the lock", where=where, fix=fix) for name in unexpected]
    raise_all(problems[:MAX_PROBLEMS])
    return found


def _record(workspace: Workspace, manifest: Manifest, project: Mapping[str, bytes]) -> tuple[Version, bool]:
    """Record the version, and the digests of its images beside it. Return it, and whether it is new: one with the same
    files anywhere on the workflow's branch stays the version that it is."""
    repository = workspace.versions
    tree = repository.write_tree(project)
    known = next((v for v in repository.versions(manifest.name) if v.tree == tree), None)
    if known is not None:
        version, new = known, False
    else:
        message = manifest.message or f"imported {manifest.name} {manifest.commit[:12]}"
        author, moment = manifest.author or None, workspace.clock()
        version, new = repository.commit(manifest.name, project, message=message, created_at=moment, author=author)
    images = repository.images(version.tree)
    for image in manifest.images:
        own = images.get(image.platform)
        if own is None:
            repository.add_image(version.tree, image)
        elif own.manifest_digest != image.manifest_digest:
            operation.report(
                f"warning: for {image.platform} the bundle claims the image {image.manifest_digest}, but"
                f" {own.manifest_digest} was recorded, and stays",
                suggest("verify", "shows which one is right", name=version.label),
            )
    return version, new
