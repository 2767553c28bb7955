"""Import a bundle as a version; nothing in it is believed before it was checked."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.bundle.reader import BundleReader, open_bundle
from pycomfy.adapters.io.atomic_files import check_free_space, translate_disk_full
from pycomfy.adapters.nix.nar_reader import NarDigest, NarHasher
from pycomfy.adapters.versions.version import Version
from pycomfy.core.bundle.manifest import FIX, README, FileEntry, Manifest
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites
from pycomfy.core.nix.narinfo import CACHE_INFO, NarInfo
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.errors import BadInput, HashMismatch, PycomfyError, raise_all, suggest
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace

MAX_TEXT = 1 << 20
"""Bytes of each other file: `.narinfo`, README."""

MAX_PROBLEMS = 20
"""Errors that are reported of one bundle."""


class BundleImport(VersionResult):
    """The version that was taken in. `new` is False if the workflow has it already; `sources` counts the store paths
    that the archive now has of it, `models` the bundle's models."""

    new: bool
    sources: int
    models: int


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
    bootstrap = find_bootstrap(unpacked.project)
    requisites = list_requisites(lock, manifest.platforms, bootstrap=bootstrap)
    # What runs the builders on machines of other platforms may be there, too.
    spare = [r for p in sorted(lock.platforms) for r in list_requisites(lock, manifest.platforms, p, bootstrap)]
    spare = [requisite for requisite in dict.fromkeys(spare) if requisite not in requisites]
    missing: list[Requisite] = []
    for requisite in (*requisites, *spare):
        match = next((nar for nar in unpacked.nars.values() if nar[1].matches(requisite.output)), None)
        if match is None:
            missing.append(requisite)
            continue
        info = NarInfo(requisite.output, match[1].sha256, match[1].size)
        infos[info.file_name] = info.render()
        found[requisite.output] = match
    for requisite in filter_required([r for r in missing if r not in spare], requisites):
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
