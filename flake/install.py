"""Lay out pycomfy and its wheels as a virtual environment with the program `pycomfy`. Standard library only.

    python install.py OUT SOURCE PATH WHEEL…

PATH is added to the end of the program's own: where git, Nix and others are that a user may not have.
"""

import re
import shutil
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import Any

PROGRAM = """#!{python}
import os
import sys

os.environ["PATH"] = ":".join(filter(None, [os.environ.get("PATH"), {path!r}]))

from {module} import {function}

sys.exit({function}())
"""


def install(out: Path, source: Path, path: str, wheels: list[Path]) -> None:
    """Make the folder `out`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    site = out / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    bin_ = out / "bin"
    bin_.mkdir()
    home = Path(sysconfig.get_config_var("BINDIR"))
    (out / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\n")
    (bin_ / "python").symlink_to(home / f"python{version}")
    for wheel in wheels:
        unpack(wheel, site, bin_)
    project = tomllib.loads((source / "pyproject.toml").read_text())
    copy_project(project, source, site)
    for name, target in project["project"]["scripts"].items():
        module, function = target.split(":")
        text = PROGRAM.format(python=bin_ / "python", path=path, module=module, function=function)
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)


def unpack(wheel: Path, site: Path, bin_: Path) -> None:
    """Unpack one wheel. Its programs are those of other packages: only such as are no Python are made, like uv's."""
    with zipfile.ZipFile(wheel) as z:
        for entry in z.infolist():
            if entry.is_dir():
                continue
            parts = entry.filename.split("/")
            to = site / entry.filename
            if parts[0].endswith(".data"):
                if parts[1] not in ("purelib", "platlib", "scripts"):
                    continue
                to = (bin_ if parts[1] == "scripts" else site).joinpath(*parts[2:])
            to.parent.mkdir(parents=True, exist_ok=True)
            if to.exists():
                raise SystemExit(f"{wheel.name}: {to} is there already")
            to.write_bytes(z.read(entry))
            if to.parent == bin_ or entry.external_attr >> 16 & 0o100:
                to.chmod(0o755)


def copy_project(project: dict[str, Any], source: Path, site: Path) -> None:
    """Copy what hatchling puts into pycomfy's wheel, as pyproject.toml says, and name it as installers do."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    targets = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in targets["packages"]:
        shutil.copytree(source / package, site / package, ignore=ignored)
    for folder, to in targets["force-include"].items():
        shutil.copytree(source / folder, site / to, ignore=ignored)
    about = project["project"]
    info = site / f"{re.sub('[-.]', '_', about['name'])}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")


if __name__ == "__main__":
    install(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], [Path(wheel) for wheel in sys.argv[4:]])
