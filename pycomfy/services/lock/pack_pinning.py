"""Pin the node packs that were chosen, each at a commit that has the types it was chosen for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pycomfy.adapters.catalog.commit_search import CommitQuery, FoundCommit, find_commit, pin_file_address
from pycomfy.adapters.git.checkout import MAX_TEXT
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.download import read
from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.analysis.node_types import class_types
from pycomfy.core.lockfile.names import plain_name
from pycomfy.core.nodes.pack_resolution import ProviderChoice
from pycomfy.core.nodes.provenance import sort_versions
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.sources.url import UrlSpec
from pycomfy.errors import NotFound, Placeholder, UnknownNode, UnpinnedPack, raise_all, suggest
from pycomfy.services.lock.pack_search import PackSearch
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PinnedPack:
    """A node pack at the commit that was found for it."""

    name: str
    spec: SourceSpec
    source: PinnedSource
    found: FoundCommit


def pin_pack(
    workspace: Workspace, name: str, choices: Sequence[ProviderChoice], search: PackSearch
) -> list[PinnedPack]:
    """Pin the pack of `choices`, which all name the same one; several packs if it is single files. Raises
    `UnknownNode` for every type that it turns out not to have, and what pinning raises. Nothing is pinned for nodes
    that nothing can be linked to, if the pack does not define their types."""
    pack = choices[0].pack
    if pack.files:
        return _pin_files(workspace, name, choices, search)
    choices = _leave_out_apart(workspace, name, choices, search)
    if not choices:
        return []
    found = find_pack_commit(workspace, name, choices, search)
    raise_all([_explain_missing(name, c, found.reason, search) for c in choices if c.type in found.missing])
    _check_version(workspace, name, choices, search, found)
    spec = GitSpec.model_validate({"git": pack.url, "rev": found.commit, "types": found.dynamic})
    return [PinnedPack(name, spec, pin_source(spec, Path(), name, workspace.paths), found)]


def _leave_out_apart(
    workspace: Workspace, name: str, choices: Sequence[ProviderChoice], search: PackSearch
) -> list[ProviderChoice]:
    """The choices without those types of nodes that nothing can be linked to, unless the pack defines all of them at
    the commit that it would have anyway: lists have the types of editors' scripts, too."""
    needed = [choice for choice in choices if choice.type not in search.apart]
    if len(needed) == len(choices):
        return needed
    found = find_pack_commit(workspace, name, choices, search)
    if search.apart & {*found.missing, *found.dynamic}:
        return needed
    same = not needed or find_pack_commit(workspace, name, needed, search).commit == found.commit
    return list(choices) if same else needed


def _check_version(
    workspace: Workspace, name: str, choices: Sequence[ProviderChoice], search: PackSearch, found: FoundCommit
) -> None:
    """Raise `UnknownNode` where types that are only taken from this pack because others need it anyway would move it
    from the version that the workflow names: at that version they may be another pack's."""
    own = [choice for choice in choices if choice.reason != "together"]
    together = [choice for choice in choices if choice.reason == "together"]
    if not together or not any(choice.versions for choice in own):
        return
    if find_pack_commit(workspace, name, own, search).commit == found.commit:
        return
    url = choices[0].pack.url
    other = suggest("lock", "if another pack provides it", workflow=search.workflow, prefer=Placeholder("PACK"))
    moved = f"{name}={url}@{found.commit}"
    raise_all(
        [
            UnknownNode(
                f'the node pack {name} is needed anyway and is listed with the node type "{choice.type}", but the'
                " version of it that the workflow names does not have that",
                where=search.describe_nodes(choice.type),
                fix=(other, suggest("lock", "takes a commit that has it", workflow=search.workflow, pack=moved)),
            )
            for choice in together
        ]
    )


def find_pack_commit(
    workspace: Workspace, name: str, choices: Sequence[ProviderChoice], search: PackSearch
) -> FoundCommit:
    """Return the commit of the pack of `choices` that is to be pinned: that of the lock, else of a version that the
    workflow names, else by date, each with the types if there is one."""
    pack = choices[0].pack
    repository = GitMirror(pack.url, owner=name, cache=workspace.paths.cache / "git")
    types = tuple(sorted(c.type for c in choices))
    listed = frozenset(pack.types)
    locked = search.locked_commit(pack.identity)
    if locked is not None:
        found = find_commit(repository, CommitQuery((locked,), None, types, listed), workspace.paths.cache)
        stated, kept = "the workflow's commit", "the lock's commit"
        remarks = tuple(remark.replace(stated, kept) for remark in found.remarks)
        found = replace(found, reason=found.reason.replace(stated, kept), remarks=remarks)
    else:
        versions = sort_versions(v for c in choices for v in c.versions)
        try:
            found = find_commit(repository, CommitQuery(versions, search.before, types, listed), workspace.paths.cache)
        except UnpinnedPack as e:
            if not versions:
                raise
            named = f"; the workflow names version {' and '.join(versions)} of it"
            note = "at a commit that it has; without one, the newest"
            pack_at = Placeholder(f"{name}={pack.url}[@COMMIT]")
            raise UnpinnedPack(
                f"{e.what}{named}", where=e.where, fix=suggest("lock", note, workflow=search.workflow, pack=pack_at)
            ) from e
        except NotFound as e:
            # The address is that of a list, or of the workflow: it cannot be corrected there.
            pack_at = Placeholder(f"{name}=URL")
            raise NotFound(
                e.what,
                where=e.where,
                fix=suggest("lock", "at the address that it has now", workflow=search.workflow, pack=pack_at),
            ) from e
    return found


def _pin_files(
    workspace: Workspace, name: str, choices: Sequence[ProviderChoice], search: PackSearch
) -> list[PinnedPack]:
    """Pin a pack that consists of single Python files: those that have the types, at the newest commit."""
    missing = {c.type: c for c in choices}
    pinned = []
    for address in choices[0].pack.files:
        url, date = pin_file_address(address, name, workspace.paths.cache / "git")
        data = read(url, limit=MAX_TEXT)
        types = class_types({"__init__.py": data.decode(errors="replace")}).keys() & missing.keys()
        if not types:
            continue
        for type_ in types:
            del missing[type_]
        spec = UrlSpec.model_validate({"url": url, "sha256": hashlib.sha256(data).hexdigest()})
        stem = unquote(urlsplit(url).path).rsplit("/", 1)[-1].removesuffix(".py")
        source = replace(pin_source(spec, Path(), name, workspace.paths), date=date)
        pinned.append(
            PinnedPack(plain_name(stem) or name, spec, source, FoundCommit("", "the newest version of the file"))
        )
    why = "the newest version of its files"
    raise_all([_explain_missing(name, choice, why, search) for choice in missing.values()])
    return pinned


def _explain_missing(name: str, choice: ProviderChoice, why: str, search: PackSearch) -> UnknownNode:
    declare = f'packs.{name} = {{ git = "{choice.pack.url}", types = ["…"] }}'
    return UnknownNode(
        f'the node pack {name} does not have the node type "{choice.type}": neither {why} nor another commit that'
        f" changed it ({choice.evidence})",
        where=search.describe_nodes(choice.type),
        fix=(
            suggest(
                "lock",
                "if another pack provides it",
                workflow=search.workflow,
                pack=Placeholder("NAME=URL[@COMMIT]"),
            ),
            f"if this pack creates the type while it runs, declare it in pycomfy.toml: {declare}",
        ),
    )
