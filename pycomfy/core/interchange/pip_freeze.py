"""Python packages as `pip freeze` lists them, which most tools keep as it is."""

from collections.abc import Iterable, Mapping

from packaging.requirements import InvalidRequirement, Requirement

from pycomfy.core.interchange.model import Package
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.workflow.untrusted_json import shown


def parse_freeze(lines: Iterable[str]) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """The packages of the lines, and a remark on those that pin nothing, such as `-e` and options."""
    packages: list[Package] = []
    strange: list[str] = []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        package = _read_pin(line)
        if package is None:
            strange.append(shown(without_password(line)))
        else:
            packages.append(package)
    remarks = (f"no pin of a package of the index: {', '.join(strange[:20])}",) if strange else ()
    return tuple(packages), remarks


def parse_pips(pips: Mapping[str, str]) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """ComfyUI-Manager's form: a pin with an empty value, or a name with the address that it came from."""
    return parse_freeze(f"{name} @ {url}" if url else name for name, url in pips.items())


def render_pips(packages: Iterable[Package]) -> dict[str, str]:
    """The inverse of `parse_pips`."""
    return {p.name if p.url is not None else p.pin: p.url or "" for p in packages}


def _read_pin(line: str) -> Package | None:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    if requirement.url is not None:
        return Package(requirement.name, url=without_password(requirement.url))
    pins = list(requirement.specifier)
    if len(pins) != 1 or pins[0].operator not in ("==", "===") or pins[0].version.endswith("*"):
        return None
    return Package(requirement.name, pins[0].version)
