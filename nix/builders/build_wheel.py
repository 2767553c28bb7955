"""Builds a wheel from its source, in a Debian root of its own, with pinned packages and without a network.

The specification is

    {"name", "python", "root", "source": {"kind": "git" | "url", "path"}, "subdirectory", "requires": [PATH…]}

`root` is the Debian that the build sees, `requires` are wheels. The output is a folder with the wheel.
"""

import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import git_tree
import hooks
from archive import Archive, folder
from derivation import output, specification
from enclosure import check_sandbox, run_inside
from member import Member, Refused, arrange, safe_path, tree
from rewrap import rewrap
from wheel import Venv, despite_records, install

SECONDS = 2 * 60 * 60
"""A build that takes longer than all sane ones is ended."""

_EPOCH = 315532800  # 1980-01-01, the first that a zip can tell
_VENV = "opt/build"


def main() -> None:
    spec, out = specification(), output()
    try:
        check_sandbox()
        place = Path.cwd() / "place"
        made = _build(spec, place)
        out.mkdir()
        rewrap(made, out)
    except Refused as e:
        sys.exit(f"pycomfy: {spec['name']}: {e}")


def _build(spec: dict[str, Any], place: Path) -> Path:
    """The wheel as the source's own build makes it."""
    for name in ("tmp", "home", "wheel"):
        (place / "build" / name).mkdir(parents=True)
    place_source(spec["source"]["kind"], Path(spec["source"]["path"]), place / "build" / "source")
    place_packages([Path(path) for path in spec["requires"]], spec["python"], place)
    shutil.copyfile(hooks.__file__, place / "build" / "hooks.py")
    at = "/build/source" + (f"/{safe_path(spec['subdirectory'], spec['name'])}" if spec["subdirectory"] else "")
    command = [f"/{_VENV}/bin/python", "/build/hooks.py", "/build/wheel"]
    status = run_inside(Path(spec["root"]), place, command, environment(), at, SECONDS)
    if status is None:
        raise Refused(f"building took more than {SECONDS // 3600} hours")
    if status != 0:
        sys.exit(status)
    wheels = [p for p in (place / "build" / "wheel").iterdir() if p.suffix == ".whl" and not p.is_symlink()]
    if len(wheels) != 1 or not wheels[0].is_file():
        raise Refused(f"the build made {len(wheels)} wheels instead of one")
    return wheels[0]


def environment() -> dict[str, str]:
    """All that a build knows of the world: the same everywhere."""
    cores = os.environ.get("NIX_BUILD_CORES", "1")
    return {
        "PATH": f"/{_VENV}/bin:/usr/bin:/bin",
        "HOME": "/build/home",
        "USER": "build",
        "TMPDIR": "/build/tmp",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(_EPOCH),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        # Debian's Python has no distutils; older setuptools have to be told to bring their own.
        "SETUPTOOLS_USE_DISTUTILS": "local",
        "MAKEFLAGS": f"-j{cores}",
        "MAX_JOBS": cores,
    }


def place_source(kind: str, path: Path, to: Path) -> None:
    """Make the folder `to` of a tree or of a source distribution, without the latter's one folder at the top."""
    if kind == "git":
        write(arrange(tree(path, to.name, "the source")), to.parent)
    elif zipfile.is_zipfile(path):
        archive = Archive(path, "the source")
        tops = {name.partition("/")[0] for name in archive.files}
        if len(tops) != 1:
            raise Refused("the source distribution has not one folder at its top")
        write(arrange(folder(archive, tops.pop(), to.name, frozenset())), to.parent)
    else:
        to.mkdir()
        try:
            git_tree.unpack(path, to)
        except (tarfile.TarError, EOFError, OSError) as e:
            raise Refused(f"the source distribution cannot be unpacked: {e}") from e
    for parent, names, files in os.walk(to):
        for name in (*names, *files):
            os.utime(Path(parent, name), (_EPOCH, _EPOCH), follow_symlinks=False)


def place_packages(wheels: list[Path], python: str, place: Path) -> None:
    """Install the packages of the build into a virtual environment of its own."""
    venv = Venv(_VENV, python)

    def fill(misrecorded: frozenset[str]) -> None:
        write(arrange(m for w in wheels for m in install(w, w.name, venv, misrecorded=w.name in misrecorded)), place)

    despite_records(fill)
    top = place / _VENV
    (top / "bin").mkdir(parents=True, exist_ok=True)
    (top / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")
    for name in ("python", "python3", f"python{python}"):
        (top / "bin" / name).symlink_to(f"/usr/bin/python{python}")


def write(members: list[Member], to: Path) -> None:
    """Write members to the disk, parents first."""
    for member in members:
        path = to / member.path
        if member.is_folder:
            path.mkdir(exist_ok=True)
        elif member.target is not None:
            path.symlink_to(member.target)
        elif member.content is not None:
            with path.open("wb") as f:
                for chunk in member.content.chunks():
                    f.write(chunk)
            path.chmod(member.mode)


if __name__ == "__main__":
    main()
