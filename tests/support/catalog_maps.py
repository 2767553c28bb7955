"""Small lists of packs in the Manager's form."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pycomfy.core.catalog.manager_lists import LIST, MAP, STATS, parse_catalog
from pycomfy.core.catalog.match import Claims
from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.name_patterns import parse_pattern

CORE = "https://github.com/comfyanonymous/ComfyUI"
A, B, C = (f"https://github.com/{owner}/ComfyUI-{name}" for owner, name in (("ann", "A"), ("bob", "B"), ("cid", "C")))


def code(*types: str) -> str:
    """The source of a pack with these node types."""
    return "class N: pass\nNODE_CLASS_MAPPINGS = {" + ", ".join(f"{t!r}: N" for t in types) + "}\n"


def lists(
    packs: Mapping[str, Sequence[Any]],
    listed: Sequence[Mapping[str, object]] = (),
    stats: Mapping[str, Mapping[str, object]] | None = None,
) -> dict[str, bytes]:
    """`packs`: URL -> (types,) or (types, about)."""
    map_ = {url: [list(value[0]), dict(value[1]) if len(value) > 1 else {}] for url, value in packs.items()}
    values = {MAP: map_, LIST: {"custom_nodes": list(listed)}, STATS: stats or {}}
    return {name: json.dumps(value).encode() for name, value in values.items()}


def claim(listings: Sequence[Listing], type_: str) -> Claims:
    """What the catalog's database finds, by looking at every listing."""
    patterns = [p for p in listings if p.pattern and (found := parse_pattern(p.pattern)) and found.matches(type_)]
    return Claims(
        tuple(p for p in listings if type_ in p.types),
        tuple(p for p in listings if type_ in p.preempts),
        tuple(patterns),
    )


def some() -> tuple[Listing, ...]:
    """Three packs and ComfyUI: X is of A, Y of A and B, Z of A and B but given to B; `… (cc)` is like C's names."""
    return parse_catalog(
        lists(
            {
                CORE: (["KSampler", "Upscale"],),
                A: (["X", "Y", "Z", "Upscale"], {"title_aux": "Pack A"}),
                B: (["Y", "Z", "W"], {"preemptions": ["Z"]}),
                C: (["Old (cc)"], {"nodename_pattern": r" \(cc\)$"}),
            },
            [
                {
                    "reference": A,
                    "files": [A],
                    "install_type": "git-clone",
                    "id": "pack-a",
                    "reference2": "https://github.com/old/A",
                }
            ],
            {A: {"stars": 5, "last_update": "2025-11-17 17:49:31"}, B + ".git": {"stars": 50}},
        )
    )
