"""Parse ComfyUI-Manager's lists into a catalog: its map of node types, its list of packs, and GitHub's numbers.

The lists are untrusted: malformed entries are left out, and everything is bounded.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pycomfy.core.catalog.model import CORE_URL, Listing
from pycomfy.core.catalog.name_patterns import parse_pattern
from pycomfy.core.catalog.repository_url import RepositoryUrl, parse_repository_url
from pycomfy.errors import BadInput

MAP, LIST, STATS = "extension-node-map.json", "custom-node-list.json", "github-stats.json"
"""The files of the Manager that are read."""

MAX_BYTES = 64 << 20
MAX_LISTINGS = 100_000
MAX_TYPES = 20_000  # of one pack
MAX_TYPE_LENGTH = 500
MAX_TEXT_LENGTH = 2_000

# Characters that move a terminal's cursor, or change the direction of text.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass
class _Draft:
    """A listing while its entries are collected."""

    address: RepositoryUrl
    types: dict[str, None] = field(default_factory=dict)
    preempts: dict[str, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    repository: bool = False


def parse_catalog(files: Mapping[str, bytes], core: Iterable[str] = ()) -> tuple[Listing, ...]:
    """Return the packs in the Manager's files (by name: `MAP`, `LIST`, `STATS`), sorted by identity.

    `MAP` is required. `core` are further types of ComfyUI itself, which come to the map late. Entries of the same
    repository become one. Raises `BadInput` for a file that is not a JSON object, and for a map without packs.
    """
    drafts: dict[str, _Draft] = {}
    for url, entry in _objects(files, MAP).items():
        _read_types(drafts, url, entry)
    packs = _objects(files, LIST).get("custom_nodes", [])
    for pack in packs if isinstance(packs, list) else ():
        _read_pack(drafts, pack)
    if not drafts:
        raise BadInput("the file lists no node packs", where=MAP, fix="update the catalog from another version")
    if draft := _draft(drafts, CORE_URL):
        draft.types.update(dict.fromkeys(_types(list(core))))
    counts = {p.identity: v for u, v in _objects(files, STATS).items() if (p := parse_repository_url(u)) is not None}
    listings = [_finish(draft, counts.get(identity)) for identity, draft in sorted(drafts.items())]
    return _mark_loose(listings)


def _objects(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    data = files.get(name, b"{}")
    fix = "update the catalog again; if that does not help, from another version"
    if len(data) > MAX_BYTES:
        raise BadInput(f"the file is larger than {MAX_BYTES >> 20} MiB", where=name, fix=fix)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise BadInput(f"not JSON: {e}", where=name, fix=fix) from e
    if not isinstance(value, dict):
        raise BadInput("not a JSON object", where=name, fix=fix)
    return value


def _draft(drafts: dict[str, _Draft], url: object) -> _Draft | None:
    address = parse_repository_url(url) if isinstance(url, str) else None
    if address is None or (address.identity not in drafts and len(drafts) >= MAX_LISTINGS):
        return None
    draft = drafts.setdefault(address.identity, _Draft(address))
    if address.file is None:
        draft.repository = True
    else:
        draft.files[address.file] = None
    return draft


def _read_types(drafts: dict[str, _Draft], url: str, entry: object) -> None:
    """Read one entry of the map: `[[types], {title_aux, nodename_pattern, preemptions, …}]`."""
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], dict)):
        return
    draft = _draft(drafts, url)
    if draft is None:
        return
    attributes = entry[1]
    draft.types.update(dict.fromkeys(_types(entry[0])))
    draft.preempts.update(dict.fromkeys(_types(attributes.get("preemptions"))))
    _set_text(draft, "title", attributes.get("title_aux") or attributes.get("title"))
    _set_text(draft, "author", attributes.get("author"))
    _set_text(draft, "description", attributes.get("description"))
    _set_text(draft, "pattern", attributes.get("nodename_pattern"))


def _read_pack(drafts: dict[str, _Draft], pack: object) -> None:
    """Read one entry of the list; `reference` and `reference2` are addresses of the same pack, one often outdated."""
    if not isinstance(pack, dict):
        return
    files = pack.get("files")
    urls = [u for u in files if isinstance(u, str)] if isinstance(files, list) else []
    addresses = [
        address
        for u in (*urls, pack.get("reference"), pack.get("reference2"))
        if isinstance(u, str) and (address := parse_repository_url(u))
    ]
    draft = next((drafts[a.identity] for a in addresses if a.identity in drafts), None)
    if draft is None and pack.get("install_type") == "git-clone":
        draft = next((d for u in urls if (d := _draft(drafts, u)) is not None), None)
    if draft is None:
        return
    if pack.get("install_type") == "copy":
        draft.files.update((a.file, None) for a in addresses if a.file is not None)
    elif pack.get("install_type") == "git-clone":
        draft.repository = True
    _set_text(draft, "title", pack.get("title"))
    _set_text(draft, "author", pack.get("author"))
    _set_text(draft, "description", pack.get("description"))
    _set_text(draft, "registry_id", pack.get("id"))
    draft.aliases.update(a.identity for a in addresses if a.identity not in drafts)


def _types(value: object) -> Iterator[str]:
    for item in value[:MAX_TYPES] if isinstance(value, list) else ():
        if isinstance(item, str) and 0 < len(item) <= MAX_TYPE_LENGTH and not _UNSEEN.search(item):
            yield item


def _set_text(draft: _Draft, key: str, value: object) -> None:
    if isinstance(value, str) and value.strip():
        draft.texts.setdefault(key, value)


def _clean(text: str) -> str:
    return " ".join(_UNSEEN.sub(" ", text).split())[:MAX_TEXT_LENGTH]


def _finish(draft: _Draft, counts: object) -> Listing:
    numbers = counts if isinstance(counts, dict) else {}
    stars, updated = numbers.get("stars"), numbers.get("last_update")
    day = re.match(r"\d{4}-\d{2}-\d{2}", updated) if isinstance(updated, str) else None
    pattern = draft.texts.get("pattern")
    registry_id = draft.texts.get("registry_id", "")
    return Listing(
        identity=draft.address.identity,
        url=draft.address.url,
        title=_clean(draft.texts.get("title", "")),
        author=_clean(draft.texts.get("author", "")),
        description=_clean(draft.texts.get("description", "")),
        registry_id=registry_id if re.fullmatch(r"[a-zA-Z0-9][\w.-]{0,99}", registry_id) else None,
        stars=stars if isinstance(stars, int) and not isinstance(stars, bool) and 0 <= stars < 1 << 31 else None,
        updated=day[0] if day else None,
        types=tuple(sorted(draft.types)),
        preempts=tuple(sorted(draft.preempts)),
        pattern=pattern if pattern is not None and parse_pattern(pattern) is not None else None,
        files=() if draft.repository else tuple(sorted(f for f in draft.files if f.endswith(".py"))),
        aliases=tuple(sorted(draft.aliases)),
    )


def _mark_loose(listings: list[Listing]) -> tuple[Listing, ...]:
    """Mark the patterns that match types which only other packs list: they would be wrong about new types too."""
    owners: dict[str, set[str]] = {}
    for listing in listings:
        for type_ in listing.types:
            owners.setdefault(type_, set()).add(listing.identity)
    marked = []
    for listing in listings:
        pattern = parse_pattern(listing.pattern) if listing.pattern is not None else None
        if pattern is not None and any(listing.identity not in o and pattern.matches(t) for t, o in owners.items()):
            marked.append(replace(listing, loose=True))
        else:
            marked.append(listing)
    return tuple(marked)
