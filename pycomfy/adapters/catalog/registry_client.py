"""Ask the Comfy registry which pack has an id, and which packs have a node type. It never learns of an install."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pycomfy.adapters.io import download
from pycomfy.adapters.io.http_client import Refusal
from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.repository_url import parse_repository_url
from pycomfy.errors import PycomfyError

ADDRESS = "https://api.comfy.org"
MAX_BYTES = 8 << 20
MAX_CANDIDATES = 20


@dataclass
class Registry:
    """The registry at `address`. Once it has failed to answer, no more requests are sent; `remark` is the reason."""

    address: str = ADDRESS
    remark: str | None = None
    _answers: dict[str, Any] = field(default_factory=dict)

    def find(self, id_: str) -> Listing | None:
        """Return the pack with a registry id; None if there is none, or no answer."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,199}", id_):
            return None
        return _listing(self._get(f"nodes/{_part(id_)}"))

    def packs_with(self, type_: str) -> tuple[Listing, ...]:
        """Return the packs whose newest version has exactly this node type: the search also finds similar names."""
        found = self._get(f"nodes/search?limit={MAX_CANDIDATES}&comfy_node_search={_part(type_)}")
        nodes = found.get("nodes") if isinstance(found, dict) else None
        packs: dict[str, Listing] = {}
        for node in nodes[:MAX_CANDIDATES] if isinstance(nodes, list) else ():
            pack = _listing(node)
            latest = node.get("latest_version") if isinstance(node, dict) else None
            version = latest.get("version") if isinstance(latest, dict) else None
            if pack is not None and isinstance(version, str) and self._has(pack.registry_id or "", version, type_):
                packs[pack.identity] = pack
        return tuple(packs.values())

    def _has(self, id_: str, version: str, type_: str) -> bool:
        path = f"nodes/{_part(id_)}/versions/{_part(version)}/comfy-nodes/{_part(type_)}"
        found = self._get(path)
        return isinstance(found, dict) and found.get("comfy_node_name") == type_

    def _get(self, path: str) -> Any:
        """Return the parsed answer; None for what does not exist or cannot be fetched."""
        if self.remark is not None:
            return None
        if path not in self._answers:
            try:
                self._answers[path] = json.loads(download.read(f"{self.address}/{path}", limit=MAX_BYTES))
            except PycomfyError as e:
                if not (isinstance(e, Refusal) and e.status in (400, 404, 410)):
                    self.remark = f"the Comfy registry did not answer: {e.what}"
                    return None
                self._answers[path] = None
            except (ValueError, RecursionError):
                self.remark = f"the Comfy registry at {self.address} does not answer in JSON"
                return None
        return self._answers[path]


def _part(text: str) -> str:
    """A part of a path. JSON may have halves of characters, which have no bytes: nothing is called like that."""
    return quote(text, safe="", errors="replace")


def find_registry(environment: Mapping[str, str] | None = None) -> Registry:
    """Return the registry at `$PYCOMFY_REGISTRY`, such as a company's copy, or the public one."""
    variables = os.environ if environment is None else environment
    return Registry(variables.get("PYCOMFY_REGISTRY", ADDRESS).rstrip("/"))


def _listing(node: object) -> Listing | None:
    if not isinstance(node, Mapping):
        return None
    id_, url = node.get("id"), node.get("repository")
    repository = parse_repository_url(url) if isinstance(url, str) else None
    if not isinstance(id_, str) or repository is None or not repository.url.startswith("https://"):
        return None
    name, stars = node.get("name"), node.get("github_stars")
    return Listing(
        repository.identity,
        repository.url,
        title=name[:200] if isinstance(name, str) and name.isprintable() else "",
        registry_id=id_,
        stars=stars if isinstance(stars, int) and stars >= 0 else None,
    )
