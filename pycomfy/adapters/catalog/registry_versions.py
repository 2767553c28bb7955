"""Find the commit of a published version of a node pack: the registry's files have no hash, commits do."""

import json
from collections.abc import Mapping

from pycomfy.adapters.catalog.commit_search import find_version
from pycomfy.adapters.catalog.database import Catalog
from pycomfy.adapters.catalog.registry_client import find_registry
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.catalog.model import Listing
from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSpec
from pycomfy.errors import BadInput, NotFound, UnpinnedPack, suggest


def find_registered(
    spec: RegistrySpec, owner: str, paths: Paths, environment: Mapping[str, str] | None = None
) -> GitSpec:
    """Return the repository and the commit that a version in the registry was published from: the commit of its tag,
    else the first whose pyproject.toml has the number. A published version does not change, so the result is kept.

    Raises `UnpinnedPack` if repository or commit are unknown: nothing else is taken for it.
    """
    known = paths.cache / "registered" / f"{spec.registry.lower()}@{spec.version}.json"
    given = {"types": spec.types, "requirements": spec.requirements}
    try:
        return GitSpec.model_validate({**given, **json.loads(known.read_bytes())})
    except (OSError, ValueError, TypeError):
        pass
    pack, remark = _find_pack(spec.registry, paths, environment)
    where = f"[packs.{owner}]"
    by_hand = f'name its commit: [packs.{owner}] git = "URL", rev = "COMMIT"'
    if pack is None:
        why = f" ({remark})" if remark else ""
        raise UnpinnedPack(
            f'unknown node pack "{spec.registry}" of the Comfy registry{why}',
            where=where,
            fix=(by_hand, suggest("catalog update", "fetches newer lists")),
        )
    commit = find_version(GitMirror(pack.url, owner=owner, cache=paths.cache / "git"), spec.version)
    if commit is None:
        raise UnpinnedPack(
            f"{pack.url} has no commit for version {spec.version} of {spec.registry}: no tag has that name, and no"
            " commit has written that number into pyproject.toml",
            where=where,
            fix=by_hand,
        )
    found = {"git": pack.url, "rev": commit}
    write_file(known, json.dumps(found))
    return GitSpec.model_validate({**given, **found})


def _find_pack(id_: str, paths: Paths, environment: Mapping[str, str] | None) -> tuple[Listing | None, str | None]:
    """Return the pack with an id, from the catalog, else from the registry; and why the registry did not answer."""
    try:
        with Catalog(paths) as catalog:
            if (pack := catalog.find(id_)) is not None:
                return pack, None
    except (NotFound, BadInput):
        pass
    registry = find_registry(environment)
    return registry.find(id_), registry.remark
