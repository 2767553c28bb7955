"""Runs the steps of a node pack on its files: in the Debian root and virtual environment of the image, without a
network. What they leave in the pack's folder is the output; whatever else they write is dropped.

The specification is

    {"name", "root", "venv": {"prefix", "python"}, "prefix", "pack": INPUT, "around": [INPUT…], "steps": [{"run": […]}]}

An INPUT is one of `layer.py`'s; `around` is all that the image has besides the pack, `prefix` the pack's place in it.
"""

import os
import posixpath
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from build_wheel import write
from derivation import output, specification
from enclosure import check_sandbox, run_inside
from layer import members
from member import Member, Refused, arrange, tree
from wheel import Venv, despite_records

SECONDS = 60 * 60
"""A step that takes longer is ended."""

_PROGRAMS = ("opt/venv/bin", "usr/local/bin", "usr/bin")
_EPOCH = 315532800  # 1980-01-01, the first that a zip can tell


def main() -> None:
    spec, out = specification(), output()
    owner = f"node pack {spec['name']}"
    try:
        check_sandbox()
        place = Path.cwd() / "place"
        venv = Venv(**spec["venv"])
        inputs = [*spec["around"], spec["pack"]]

        def fill(misrecorded: frozenset[str]) -> None:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            write(arrange(member for item in inputs for member in members(item, venv, misrecorded)), place)

        despite_records(fill)
        for step in spec["steps"]:
            run(step["run"], Path(spec["root"]), place, spec["prefix"])
        out.mkdir()
        write(arrange(made(place / spec["prefix"], owner)), out)
    except Refused as e:
        sys.exit(f"pycomfy: {owner}: {e}")


def run(command: Sequence[str], root: Path, place: Path, prefix: str) -> None:
    """Run one step in the pack's folder. Raises `Refused` if it fails."""
    shown = shlex.join(command)
    sys.stdout.write(f"$ {shown}\n")
    sys.stdout.flush()
    program = find_program(command[0], root, place, prefix)
    status = run_inside(root, place, [program, *command[1:]], environment(), f"/{prefix}", SECONDS)
    unmount(root, place)
    if status is None:
        raise Refused(f"the step `{shown}` took more than {SECONDS // 60} minutes")
    if status != 0:
        raise Refused(f"the step `{shown}` ended with status {status}")


def unmount(root: Path, place: Path) -> None:
    """Remove where the Debian root was mounted, which was for that program alone; the next one mounts it again."""
    for entry in root.iterdir():
        to = place / entry.name
        if to.is_symlink():
            to.unlink()
        elif to.is_dir() and not any(to.iterdir()):
            to.rmdir()


def find_program(name: str, root: Path, place: Path, prefix: str) -> str:
    """Where the image has a program, as a shell would look for it. Raises `Refused` for one that it has not."""
    folder = posixpath.dirname(name)
    if folder:
        paths = [posixpath.normpath(posixpath.join("/", prefix, name)).lstrip("/")]
    else:
        paths = [f"{folder}/{name}" for folder in _PROGRAMS]
    for path in paths:
        own = place / path
        if folder and own.is_file() and not own.is_symlink() and not os.access(own, os.X_OK):
            raise Refused(f"a step runs {name}, which is not marked as a program: name its interpreter too")
        if any(os.path.lexists(top / path) for top in (place, root)):
            return f"/{path}"
    raise Refused(f"a step runs {name}, which is not in the image: a Debian package may have it (`apt = […]`)")


def environment() -> dict[str, str]:
    """All that a step knows of the world: the same everywhere, and as near to the image's as can be."""
    return {
        "PATH": "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/data",
        "TMPDIR": "/tmp",  # noqa: S108  (the image's own)
        "XDG_CACHE_HOME": "/tmp/cache",  # noqa: S108
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(_EPOCH),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def made(folder: Path, owner: str) -> Iterator[Member]:
    """What the steps left, without bytecode and git's folder. Raises `Refused` for what no image should have."""
    if not folder.is_dir() or folder.is_symlink():
        raise Refused("its steps removed its folder")
    top = folder.resolve()
    for member in tree(folder, ".", owner):
        parts = member.path.split("/")
        if "__pycache__" in parts or ".git" in parts or member.path.endswith(".pyc"):
            continue
        path = folder / member.path
        if path.is_symlink():
            if path.readlink().is_absolute() or not Path(os.path.realpath(path)).is_relative_to(top):
                raise Refused(f"its steps made the link {member.path}, which leads out of its folder")
        elif not path.is_file() and not path.is_dir():
            raise Refused(f"its steps made {member.path}, which is neither file, folder nor link")
        yield member


if __name__ == "__main__":
    main()
