"""The ComfyUI that runs: the image's own, laid out in a writable folder, because node packs write beside their code.

The image stays as it is. What a pack writes is gone with the container, except below the data folder, to which
ComfyUI's `input`, `output`, `user` and `models` lead.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

from .events import Failure, error
from .model_links import link_models
from .places import Places

NAME = "ComfyUI"
MAX_CODE = 32 << 20
"""Bytes of a file of code that is copied, because packs ask for the real folder of their code; and of a file for
browsers, because ComfyUI serves no link that leads out of a pack's folder."""

MAX_SETTINGS = 1 << 20
"""Bytes of a text that is copied, because packs write their settings and lists. Larger ones are links to the image."""

MAX_OTHER = 64 << 10
"""Bytes of any other file that is copied."""

_CODE = re.compile(r"\.(py|pyi|js|mjs|css|html?)$", re.I)
_SETTINGS = re.compile(r"\.(json5?|jsonc|ya?ml|toml|ini|cfg|conf|txt|csv|tsv|md|xml|sql|db|sqlite3?)$|^\.env", re.I)
_SERVED = re.compile(r"web|js$|javascript$|dist$", re.I)
_LIBRARY = re.compile(r"\.so(\.\d+)*$")
"""Shared libraries are links: `/tmp` may be mounted so that nothing in it can be executed, as Docker does it."""

_BYTECODE = "__pycache__"


def prepare(places: Places) -> Places:
    """Make the folders that ComfyUI writes to, and a writable ComfyUI with links to them; return where it runs.

    Raises `Failure` where that cannot be written.
    """
    try:
        places.prepare()
        root = _claim(places.temp)
        linked = {name: places.data / name for name in ("input", "output", "user", "models")}
        for name, target in linked.items():
            (root / name).symlink_to(target)
        copy_tree(places.comfyui, root, frozenset({*linked, "temp"}))
        link_models(places)
    except OSError as e:
        raise Failure(error("not-writable", f"cannot lay out a writable ComfyUI: {e}")) from e
    return replace(places, comfyui=root, temp=root)


def copy_tree(source: Path, target: Path, without: frozenset[str] = frozenset()) -> None:
    """Fill the empty folder `target` with `source`, except its entries named in `without`.

    Folders become folders, code and small files copies with the same times, and large files links. Folders of bytecode
    become links too: it is unchecked, so Python takes it for the copies. What cannot be read becomes a link.
    """
    root = source.resolve()
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name not in without:
                _copy(entry, target / entry.name, root, served=False)


def _copy(entry: "os.DirEntry[str]", to: Path, root: Path, *, served: bool) -> None:
    try:
        if entry.is_symlink():
            to.symlink_to(_retarget(Path(entry.path), root))
        elif entry.name == _BYTECODE:
            to.symlink_to(entry.path)
        elif entry.is_dir():
            with os.scandir(entry.path) as entries:
                to.mkdir()
                for inner in entries:
                    _copy(inner, to / inner.name, root, served=served or bool(_SERVED.match(entry.name)))
        else:
            _copy_file(entry, to, MAX_CODE if served else _limit(entry.name))
    except PermissionError:
        to.symlink_to(entry.path)


def _limit(name: str) -> int:
    if _LIBRARY.search(name):
        return -1
    return MAX_CODE if _CODE.search(name) else MAX_SETTINGS if _SETTINGS.search(name) else MAX_OTHER


def _copy_file(entry: "os.DirEntry[str]", to: Path, limit: int) -> None:
    status = entry.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        to.symlink_to(entry.path)
        return
    to.write_bytes(Path(entry.path).read_bytes())
    os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns))
    if status.st_mode & 0o111:
        to.chmod(0o755)


def _retarget(link: Path, root: Path) -> Path:
    """Return what the copy of a link leads to: the copy of its target, or a target outside of `root` itself."""
    target = link.readlink()
    inside = Path(os.path.realpath(link)).is_relative_to(root)
    return target if inside and not target.is_absolute() else link.parent / target


def _claim(parent: Path) -> Path:
    """Return an empty folder that belongs to this process until it ends; the same one at each start, so that paths
    which packs remember or return are the same, too."""
    folder = parent / NAME
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.set_inheritable(held, True)  # `serve` becomes ComfyUI
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError:
        return Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=parent))
    return folder
