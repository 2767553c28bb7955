"""A published version of a node pack as a commit: the registry's archives have no hash, a repository's commits do."""

import json

from pycomfy.adapters.catalog.commit_search import commit_of_version
from pycomfy.adapters.catalog.database import Catalog
from pycomfy.adapters.catalog.registry_client import find_registry
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.catalog.model import Listing
from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSpec
from pycomfy.errors import BadInput, NotFound, UnpinnedPack


def find_registered(spec: RegistrySpec, owner: str, paths: Paths) -> GitSpec:
    """The repository and the commit that a version of the registry was published from: that of its tag, else the first
    whose pyproject.toml has the number. A published version does not change, so what was found once stays.

    Raises `UnpinnedPack` where nobody knows repository or commit: nothing else is taken for it.
    """
    known = paths.cache / "registered" / f"{spec.registry.lower()}@{spec.version}.json"
    said = {"types": spec.types, "requirements": spec.requirements}
    try:
        return GitSpec.model_validate({**said, **json.loads(known.read_bytes())})
    except (OSError, ValueError, TypeError):
        pass
    pack, remark = _find(spec.registry, paths)
    where = f"[packs.{owner}]"
    by_hand = f'name it yourself: [packs.{owner}] git = "URL", rev = "COMMIT"'
    if pack is None:
        why = f" ({remark})" if remark else ""
        raise UnpinnedPack(
            f"it is not known whose the node pack {spec.registry} of the Comfy registry is{why}",
            where=where,
            fix=f"{by_hand}; or fetch newer lists: `pycomfy catalog update`",
        )
    commit = commit_of_version(GitMirror(pack.url, owner=owner, cache=paths.cache / "git"), spec.version)
    if commit is None:
        raise UnpinnedPack(
            f"no commit of {pack.url} is known as version {spec.version} of {spec.registry}: no tag is called so, and"
            " no commit wrote that number into pyproject.toml",
            where=where,
            fix=by_hand,
        )
    found = {"git": pack.url, "rev": commit}
    write_file(known, json.dumps(found))
    return GitSpec.model_validate({**said, **found})


def _find(id_: str, paths: Paths) -> tuple[Listing | None, str | None]:
    """The pack of an id, from the catalog, else from the registry; and what kept the registry from answering."""
    try:
        with Catalog(paths) as catalog:
            if (pack := catalog.find(id_)) is not None:
                return pack, None
    except (NotFound, BadInput):
        pass
    registry = find_registry()
    return registry.find(id_), registry.remark
