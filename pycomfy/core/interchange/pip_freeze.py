"""Read and write Python packages as `pip freeze` lists them, which most tools store unchanged."""

from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement

from pycomfy.core.interchange.document import describe_names
from pycomfy.core.interchange.model import Package
from pycomfy.core.lockfile.git_url import without_password


def parse_freeze(lines: Iterable[str]) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """Return the packages, and a note on the lines that pin none, such as `-e` and options."""
    packages: list[Package] = []
    skipped: list[str] = []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        package = _parse_pin(line)
        if package is None:
            skipped.append(without_password(line))
        else:
            packages.append(package)
    return tuple(packages), describe_names("Python requirements that are not exact pins, left out", skipped)


def parse_pips(pips: Mapping[str, str]) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """Read ComfyUI-Manager's form: a pin with an empty value, or a name with the address that it came from. Returns
    what `parse_freeze` does."""
    return parse_freeze(f"{name} @ {url}" if url else name for name, url in pips.items())


def render_pips(packages: Iterable[Package]) -> dict[str, str]:
    """Return the inverse of `parse_pips`."""
    return {p.name if p.url is not None else p.pin: p.url or "" for p in packages}


def render_freeze(packages: Iterable[Package]) -> str:
    """Return a line for each package."""
    return "".join(f"{p.pin}\n" for p in packages)


def _parse_pin(line: str) -> Package | None:
    try:
        requirement = Requirement(line)
    except ValueError:
        return None
    if requirement.url is not None:
        return Package(requirement.name, url=without_password(requirement.url))
    pins = list(requirement.specifier)
    if len(pins) != 1 or pins[0].operator not in ("==", "===") or pins[0].version.endswith("*"):
        return None
    return Package(requirement.name, pins[0].version)
