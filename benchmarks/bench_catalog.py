"""How fast the catalog is made and asked, and how often it is right. It needs a Python index.

Run: `python -m benchmarks.bench_catalog`.
"""

import json
import random
import sqlite3
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, render
from pycomfy.adapters.catalog.database import Catalog, catalog_path
from pycomfy.adapters.catalog.fetch import TEMPLATES
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.core.catalog.match import answer_type
from pycomfy.core.nodes.pack_resolution import Knowledge, PackPreferences, ProviderChoice, UnresolvedType
from pycomfy.core.nodes.pack_resolver import resolve_packs
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import Provenance, RequiredNode
from pycomfy.core.requirements.providers import running_types
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import PycomfyError

NOTE = "All rows measure inner functions: how long they take, and how often they are right.\n"


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder), Path(folder, "cache"))
        start = time.perf_counter()
        update_catalog(paths)
        update = time.perf_counter() - start
        packs = all_packs(paths)
        types = sorted({type_ for _, own in packs.values() for type_ in own})
        chosen = random.Random(1).sample(types, 1000)
        return [
            Row("the catalog fetched and made", update),
            Row("1,000 node types answered", sorted(ask(paths, chosen) for _ in range(5))[2], goal="under 0.5 s"),
            *_precision(paths, packs),
            *_templates(paths),
        ]


def ask(paths: Paths, types: list[str]) -> float:
    start = time.perf_counter()
    with Catalog(paths) as catalog:
        for type_, claims in catalog.claims(types).items():
            answer_type(type_, claims)
    return time.perf_counter() - start


def all_packs(paths: Paths) -> dict[str, tuple[str | None, list[str]]]:
    """Identity -> registry id and types."""
    connection = sqlite3.connect(catalog_path(paths))
    found = connection.execute("SELECT identity, registry_id, types FROM packs").fetchall()
    connection.close()
    return {identity: (id_, json.loads(types)) for identity, id_, types in found}


def _precision(paths: Paths, packs: dict[str, tuple[str | None, list[str]]]) -> Iterator[Row]:
    """Every type of every pack with a registry id, as a workflow would have it: with the id, and without."""
    for stated in (True, False):
        counts: Counter[str] = Counter()
        with Catalog(paths) as catalog:
            for identity, (id_, types) in packs.items():
                if id_ is None or not types:
                    continue
                pack = Provenance(id_) if stated else None
                wanted = [UnresolvedType(t, (RequiredNode("1", t, t, "runs", pack),)) for t in types]
                found = catalog.find(id_)
                named = {id_: found} if found is not None else {}
                chosen = resolve_packs(wanted, Knowledge(catalog.claims(types), named), PackPreferences())
                for choice in chosen.choices:
                    counts[_judge(choice, identity)] += 1
                counts["asked"] += len(chosen.questions)
        how = "the workflow states it" if stated else "the workflow states no pack"
        for kind, text in _KINDS.items():
            yield Row(
                f"types of packs with a registry id, {how}: {text}", 100 * counts[kind] / counts.total(), unit="%"
            )


_KINDS = {
    "right": "taken from this pack",
    "asked": "a question",
    "origin": "taken from the pack that the map calls its origin",
    "another": "taken from another pack",
}


def _judge(choice: ProviderChoice, identity: str) -> str:
    """A few packs carry copies of another's nodes; the map says which pack is the origin, and that lists them, too."""
    if choice.pack.identity == identity:
        return "right"
    return "origin" if choice.reason == "preemption" and choice.type in choice.pack.types else "another"


def _templates(paths: Paths) -> Iterator[Row]:
    """A template is ComfyUI's alone if each of its types is stated, or listed, to be; whichever ComfyUI has it."""
    wheel, _ = pin_wheel(TEMPLATES, Target("linux/amd64", "3.11"), paths.cache)
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, cache=paths.cache)
    counts: Counter[str] = Counter()
    with zipfile.ZipFile(path) as archive, Catalog(paths) as catalog:
        for name in archive.namelist():
            if not name.endswith(".json"):
                continue
            try:
                types = running_types(collect_requirements(parse_workflow(archive.read(name), where=name)).nodes)
            except PycomfyError:
                continue  # an index, not a template
            wanted = [UnresolvedType(type_, tuple(nodes)) for type_, nodes in types.items()]
            claims = catalog.claims(types)
            chosen = resolve_packs(wanted, Knowledge(claims), PackPreferences())
            asked = any(question.core is None for question in chosen.questions)
            listed = all(claims[type_].owners for type_ in types)
            kind = "packs" if chosen.choices else "asked" if asked else "alone" if listed else "newest"
            counts[kind] += 1
    total = counts.total()
    alone = counts["alone"] + counts["newest"]
    yield Row(f"{total} official templates: ComfyUI alone", 100 * alone / total, goal="all", unit="%")
    yield Row("of these, with types that only templates know yet", 100 * counts["newest"] / total, unit="%")
    yield Row(f"{total} official templates: with types of node packs", 100 * counts["packs"] / total, unit="%")
    yield Row(f"{total} official templates: a question", 100 * counts["asked"] / total, unit="%")


def main() -> None:
    print(render("Choosing node packs", rows(), "–", NOTE))


if __name__ == "__main__":
    main()
