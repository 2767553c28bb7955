"""The files that pycomfy brings along: the Nix library, the templates, the gateway's source."""

from pathlib import Path

from pycomfy.core.nix.project import Toolkit

_PACKAGE = Path(__file__).parents[2]


def nix_folder() -> Path:
    """The Nix library: beside the package in a checkout, inside it where it was installed."""
    return _find("nix")


def templates_folder() -> Path:
    """The templates, likewise."""
    return _find("templates")


def read_toolkit() -> Toolkit:
    """What travels in every project."""
    return Toolkit(
        nix=_read(nix_folder()), gateway=_read(_PACKAGE / "gateway"), templates=_read(templates_folder() / "project")
    )


def _find(name: str) -> Path:
    inside = _PACKAGE / "resources" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def _read(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` that is a source: no bytecode, no tests."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(("test_", "conftest", "."))
    }
