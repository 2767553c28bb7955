"""`restore --to`: a version as a plain ComfyUI folder that runs without Nix and without containers."""

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pycomfy.actions.realise import host_platform
from pycomfy.actions.restore import (
    RestoreRequest,
    check_folder,
    find_sources,
    lacking,
    missing_sources,
    say_missing_models,
)
from pycomfy.actions.stored import Stored, find_stored
from pycomfy.errors import BadInput, BadLock, HashMismatch, PycomfyError, raise_all
from pycomfy.flow.archive.needs import Need, list_wheels, need_of_source
from pycomfy.flow.lock.model import ModelFile, Source, UrlSource, WheelTreeSource
from pycomfy.outside.archive import Archive, find_archive
from pycomfy.outside.files import full_disk_is_an_error, new_folder
from pycomfy.outside.home import Home
from pycomfy.outside.models.store import ModelStore
from pycomfy.outside.nix.settings import NixSettings
from pycomfy.outside.nix.store import valid_paths
from pycomfy.outside.venv import Venv, find_python
from pycomfy.progress import Progress

VENV = ".venv"
_BATCH = 1 << 30  # bytes of wheels that lie unpacked from the archive at a time


@dataclass(frozen=True)
class PlainResult:
    """`folder` has `main.py`; `missing_models` are not on this machine."""

    version: Stored
    folder: Path
    packs: tuple[str, ...]
    packages: int
    missing_models: tuple[ModelFile, ...]


def restore_plain(request: RestoreRequest, to: Path, home: Home, progress: Progress) -> PlainResult:
    """Fill the new folder `to`: ComfyUI and the node packs at their commits, the workflow where ComfyUI lists it, a
    virtual environment of the archived wheels alone, models as links. Nothing is left of it if something fails.

    Raises everything that is missing at once, before anything is written.
    """
    version = find_stored(request.reference, home)
    platform = host_platform()
    if platform not in version.lock.platforms:
        raise BadLock(f"it is not locked for {platform}", where=version.label, fix="restore it on another machine")
    code = [need_of_source(version.lock), *(need_of_source(version.lock, p.name) for p in version.lock.packs)]
    wheels = list_wheels(version.lock, platform)
    python, shelf = _check(request, to, (*code, *wheels), version, home, progress)
    store = ModelStore(home, progress)
    missing = say_missing_models(version, home, progress)
    with new_folder(to) as folder:
        with progress.step("Place ComfyUI and the node packs", total=len(code)) as task:
            _place(shelf, code[0], version.lock.comfyui.source, folder)
            task.advance()
            for pack, need in zip(version.lock.packs, code[1:], strict=True):
                _place(shelf, need, pack.source, folder / "custom_nodes" / pack.name)
                task.advance()
        _write_workflow(version, folder)
        _link_models([m for m in version.lock.models if m not in missing], store, folder)
        _install(shelf, wheels, python, folder, progress)
    return PlainResult(version, to, tuple(p.name for p in version.lock.packs), len(wheels), missing)


def _check(
    request: RestoreRequest, to: Path, needs: Sequence[Need], version: Stored, home: Home, progress: Progress
) -> "tuple[Path, _Shelf]":
    """The Python to use, and where sources are. Raises all that is in the way at once."""
    problems: list[PycomfyError] = []
    python = Path()
    try:
        check_folder(to)
    except PycomfyError as e:
        problems.append(e)
    try:
        python = find_python(version.lock.python)
    except PycomfyError as e:
        problems.append(e)
    archive, settings = find_archive(home), request.nix
    has_nix = shutil.which("nix-store") is not None
    if not request.offline and request.source is not None:
        find_sources(needs, request, home, progress)
    absent = (
        missing_sources(needs, archive, settings) if has_nix else [n for n in needs if archive.find(n.output) is None]
    )
    problems += [lacking(need, request.reference, archive) for need in absent]
    raise_all(problems)
    here = valid_paths(settings, [n.path for n in needs]) if has_nix else []
    return python, _Shelf(archive, settings, frozenset(here))


@dataclass(frozen=True)
class _Shelf:
    """Where sources are taken from: this machine's store, for what is in `here`, else the archive."""

    archive: Archive
    settings: NixSettings
    here: frozenset[str]

    def take(self, need: Need, to: Path) -> None:
        """A copy at `to`, which must not exist; it can be written."""
        if need.path not in self.here:
            self.archive.take(need.output, to)
            return
        place = self.settings.place(need.path)
        if not place.is_dir():
            shutil.copyfile(place, to)
            return
        shutil.copytree(place, to, symlinks=True)
        for parent, _, files in os.walk(to):
            Path(parent).chmod(0o755)
            for path in (Path(parent, name) for name in files):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

    def lend(self, need: Need, folder: Path) -> Path:
        """The file, under its own name in `folder`; it must not be changed."""
        to = folder / need.output.name
        if need.path in self.here:
            to.symlink_to(self.settings.place(need.path))
        else:
            self.archive.take(need.output, to)
        return to


def _place(shelf: _Shelf, need: Need, source: Source, to: Path) -> None:
    """The files of `source` in the folder `to`."""
    if to.exists() and any(to.iterdir()):
        raise BadInput(f"{need.title} would cover files of another", where=to.name, fix="restore the image instead")
    with full_disk_is_an_error(to):
        to.mkdir(parents=True, exist_ok=True)
        match source:
            case UrlSource():
                shelf.take(need, to / source.name)
            case WheelTreeSource():
                with tempfile.TemporaryDirectory(dir=to.parent, prefix=".wheel-") as place:
                    _unzip(shelf.lend(need, Path(place)), source, to)
            case _:
                with tempfile.TemporaryDirectory(dir=to.parent, prefix=".tree-") as place:
                    shelf.take(need, Path(place, "tree"))
                    for path in Path(place, "tree").iterdir():
                        path.rename(to / path.name)


def _unzip(wheel: Path, source: WheelTreeSource, to: Path) -> None:
    """The folder that `source` names, as in the image: files alone, of the two modes there are."""
    prefix = source.folder + "/"
    try:
        with zipfile.ZipFile(wheel) as z:
            for member in z.infolist():
                name = member.filename.removeprefix(prefix)
                if not member.filename.startswith(prefix) or member.is_dir() or name in source.exclude:
                    continue
                parts = PurePosixPath(name).parts
                if name.startswith("/") or "\\" in name or ".." in parts or not parts:
                    raise HashMismatch(f"{name!r} leads out of its folder", where=wheel.name, fix="lock again")
                path = to.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                with z.open(member) as data, path.open("xb") as out:
                    shutil.copyfileobj(data, out, 1 << 20)
                path.chmod(0o755 if member.external_attr >> 16 & 0o111 else 0o644)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, FileExistsError) as e:
        raise HashMismatch(f"the wheel cannot be unpacked: {e}", where=wheel.name, fix="lock again") from e


def _write_workflow(version: Stored, folder: Path) -> None:
    place = folder / "user" / "default" / "workflows"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{version.version.name}.json").write_bytes(version.files["workflow.json"])
    for path, data in version.files.items():
        if path.startswith("input/"):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def _link_models(models: Sequence[ModelFile], store: ModelStore, folder: Path) -> None:
    for model in models:
        link = folder / "models" / model.place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(store.place(model.sha256))


def _install(shelf: _Shelf, wheels: Sequence[Need], python: Path, folder: Path, progress: Progress) -> None:
    total = sum(w.size or 0 for w in wheels)
    with (
        progress.step("Install the wheels", total=total, unit="bytes") as task,
        tempfile.TemporaryDirectory(dir=folder, prefix=".uv-") as place,
        full_disk_is_an_error(folder),
    ):
        cache = Path(place, "cache")
        venv = Venv(folder / VENV, cache)
        venv.make(python)
        for batch in _batches(wheels):
            with _lent(shelf, batch, Path(place)) as files:
                venv.install(files)
            # Installed files are links to it, and nothing is installed twice.
            shutil.rmtree(cache, ignore_errors=True)
            task.advance(sum(w.size or 0 for w in batch))


@contextlib.contextmanager
def _lent(shelf: _Shelf, wheels: Sequence[Need], beside: Path) -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        yield [shelf.lend(need, Path(folder)) for need in wheels]


def _batches(wheels: Sequence[Need]) -> list[list[Need]]:
    groups: list[list[Need]] = [[]]
    for wheel in wheels:
        if groups[-1] and sum(w.size or 0 for w in (*groups[-1], wheel)) > _BATCH:
            groups.append([])
        groups[-1].append(wheel)
    return [g for g in groups if g]
