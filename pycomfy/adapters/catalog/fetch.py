"""Fetch what the catalog is made of: the Manager's lists, help pages of ComfyUI's nodes, official templates."""

import contextlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from pycomfy.adapters.catalog.database import Origin
from pycomfy.adapters.git.checkout import list_entries
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.core.catalog.manager_lists import LIST, MAP, MAX_BYTES, STATS
from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.templates import MAX_TEMPLATES, parse_templates
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.lockfile.package_indexes import IndexConfig
from pycomfy.core.models.manager_list import MODELS
from pycomfy.core.python.wheel_selection import Target
from pycomfy.errors import BadInput, NotFound, suggest

WHEEL = "comfyui-manager"
FOLDER = "comfyui_manager"
_DOCS_FOLDER = "comfyui_embedded_docs/docs"
DOCS = "comfyui-embedded-docs"
"""The help pages that ComfyUI ships: they name its own node types, newer ones than the Manager's map has."""
TEMPLATES = "comfyui-workflow-templates-json"
"""ComfyUI's official templates: they say since which version ComfyUI has its types, also the newest ones."""
_TEMPLATES_FOLDER = "comfyui_workflow_templates_json/templates/"
REPOSITORY = "https://github.com/Comfy-Org/ComfyUI-Manager"
FILES = (MAP, LIST, STATS)

_FIX = suggest("catalog update")


def read_wheel_lists(pin: str, paths: Paths, indexes: IndexConfig) -> tuple[Origin, Mapping[str, bytes]]:
    """Return the Manager's lists from its wheel on the Python index, by file name."""
    files: dict[str, bytes] = {}
    with _open_wheel(pin, paths, indexes) as (origin, archive):
        for name in FILES:
            if archive.getinfo(f"{FOLDER}/{name}").file_size > MAX_BYTES:
                raise BadInput(f"{name} is larger than {MAX_BYTES >> 20} MiB", where=origin.name, fix=_FIX)
            files[name] = archive.read(f"{FOLDER}/{name}")
        models = f"{FOLDER}/{MODELS}"
        if models in archive.namelist() and archive.getinfo(models).file_size <= MAX_BYTES:
            files[MODELS] = archive.read(models)
    return origin, files


def read_core_types(pin: str, paths: Paths, indexes: IndexConfig) -> tuple[Origin, frozenset[str]]:
    """Return the types that have a help page: `docs/TYPE/en.md`, formerly `docs/TYPE.md`."""
    with _open_wheel(pin, paths, indexes) as (origin, archive):
        pages = [re.fullmatch(rf"{_DOCS_FOLDER}/([^/]+)/[^/]+\.md", name) for name in archive.namelist()]
    return origin, frozenset(page[1] for page in pages if page is not None)


def read_templates(listings: Sequence[Listing], paths: Paths, indexes: IndexConfig) -> tuple[Origin, Mapping[str, str]]:
    """Return the oldest ComfyUI that has each node type, as far as official templates show it. `listings` say which
    pack has which types."""
    core = {t for listing in listings if listing.is_core for t in listing.types}
    others = {t for listing in listings if not listing.is_core for t in listing.types}
    files: dict[str, bytes] = {}
    with _open_wheel(TEMPLATES, paths, indexes) as (origin, archive):
        for member in archive.infolist()[:MAX_TEMPLATES]:
            name = member.filename.removeprefix(_TEMPLATES_FOLDER)
            if name != member.filename and name.endswith(".json") and member.file_size <= MAX_BYTES:
                files[name] = archive.read(member)
    return origin, parse_templates(files, core.__contains__, others.__contains__)


@contextlib.contextmanager
def _open_wheel(pin: str, paths: Paths, indexes: IndexConfig) -> Iterator[tuple[Origin, zipfile.ZipFile]]:
    wheel, _ = pin_wheel(pin, Target("linux/amd64", "3.11"), paths.cache, indexes)
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=paths.cache)

    def refuse(why: str) -> BadInput:
        return BadInput(f"not a wheel: {why}", where=wheel.filename, fix="name another version")

    try:
        with open_zip(path, refuse) as archive:
            yield Origin("wheel", wheel.filename, without_password(wheel.url), wheel.sha256, _now()), archive
    except KeyError as e:
        raise NotFound(f"the wheel lacks a file: {e.args[0]}", where=wheel.filename, fix="name another version") from e


def read_repository_lists(url: str, paths: Paths) -> tuple[Origin, Mapping[str, bytes]]:
    """Return the Manager's lists from the default branch of its repository, by file name."""
    repository = GitMirror(url, owner="ComfyUI-Manager", cache=paths.cache / "git")
    commit = repository.resolve()
    entries = {e.path: e for e in list_entries(repository, commit) if e.is_file and e.size <= MAX_BYTES}
    files: dict[str, bytes] = {}
    with repository.objects() as objects:
        for name in (*FILES, MODELS):
            found = entries.get(name) or entries.get(f"{FOLDER}/{name}")
            if found is not None:
                files[name] = objects.read(found.object)
    if MAP not in files:
        raise NotFound(
            f"the repository has no file {MAP}", where=repository.address.public, fix="name another repository"
        )
    return Origin("git", "ComfyUI-Manager", repository.address.public, commit, _now()), files


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
