"""Find the files that come with pycomfy: its Nix code, the templates, the gateway's source."""

from pathlib import Path

from pycomfy.core.nix.project import Toolkit

_PACKAGE = Path(__file__).parents[2]


def nix_folder() -> Path:
    """Return the folder of the Nix code: beside the package in a checkout, inside it where it was installed."""
    return _find("nix")


def templates_folder() -> Path:
    """Return the folder of the templates, likewise."""
    return _find("templates")


def read_toolkit() -> Toolkit:
    """Read what every emitted project contains."""
    return Toolkit(
        nix=_read(nix_folder()), gateway=_read(_PACKAGE / "gateway"), templates=_read(templates_folder() / "project")
    )


def _find(name: str) -> Path:
    inside = _PACKAGE / "resources" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def _read(folder: Path) -> dict[str, bytes]:
    """Read every source file below `folder`: no bytecode, no tests."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(("test_", "conftest", "."))
    }
