"""Write a folder as a tar, the same for the same files; and make a folder of it again."""

import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

TOP = "tree"
"""The name of the folder in the tar."""


def pack_tree(folder: Path, limit: int) -> bytes | None:
    """Return the files, links and folders in `folder` as a tar; None if it would have more than about `limit` bytes. Of
    modes it has whether a file is executable, and no times or owners: what a Nix store keeps of a tree."""
    paths = list(_walk(folder))
    if sum(path.lstat().st_size for path in paths) > limit:
        return None
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for path in paths:
            entry = tar.gettarinfo(path, f"{TOP}/{path.relative_to(folder)}")
            entry.type = tarfile.REGTYPE if entry.islnk() else entry.type  # files of a store may be linked
            entry.size = path.stat().st_size if entry.isreg() else 0
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as f:
                    tar.addfile(entry, f)
            else:
                tar.addfile(entry)
    return data.getvalue()


def unpack_tree(data: bytes, out: Path) -> None:
    """Make the folder `out` of the tar that `pack_tree` makes. Nothing is written outside of it, whatever the tar is.
    Raises `ValueError` for one of another kind."""
    out.mkdir()
    folders = {TOP}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as tar:
            for entry in tar:
                _unpack_entry(tar, entry, out, folders)
    # Python's module raises the last three for some malformed headers.
    except (tarfile.TarError, EOFError, OSError, KeyError, OverflowError, RecursionError) as e:
        raise ValueError(f"it cannot be unpacked: {e}") from e


def _unpack_entry(tar: tarfile.TarFile, entry: tarfile.TarInfo, out: Path, folders: set[str]) -> None:
    """`folders` are the names of the folders that were made: what is in another one may be behind a link."""
    top, *parts = entry.name.split("/")
    if top != TOP or not parts or not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError(f"{entry.name[:200]!r} is not below {TOP}/")
    if entry.name.rpartition("/")[0] not in folders:
        raise ValueError(f"{entry.name[:200]!r} comes before its folder, or is behind a link")
    to = out.joinpath(*parts)
    if entry.isdir():
        to.mkdir()
        folders.add(entry.name)
    elif entry.issym():
        to.symlink_to(entry.linkname)
    # A sparse file has more bytes than the tar; and Python's module follows a hard link.
    elif entry.isreg() and not entry.issparse() and (file := tar.extractfile(entry)) is not None:
        with file, to.open("xb") as f:
            shutil.copyfileobj(file, f)
        to.chmod(0o755 if entry.mode & 0o100 else 0o644)
    else:
        raise ValueError(f"{entry.name[:200]!r} is neither a plain file, a folder nor a link")


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all that is below `folder`, sorted by name in each folder; folders before what they hold."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
