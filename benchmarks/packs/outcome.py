"""What an installation says of its node packs."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FAILED = re.compile(r"Cannot import (?P<path>.+?) module for custom nodes: (?P<why>.*)")
_TABLE = re.compile(r"seconds \(IMPORT FAILED\): (?P<path>.+)")


@dataclass(frozen=True)
class Outcome:
    """`types` has the node types of each pack, `failures` says why a pack was not imported."""

    types: Mapping[str, frozenset[str]]
    failures: Mapping[str, str]

    @classmethod
    def of(cls, object_info: Mapping[str, Any], failures: Mapping[str, str]) -> "Outcome":
        """`object_info` is what ComfyUI answers to a request for it."""
        types: dict[str, set[str]] = defaultdict(set)
        for name, node in object_info.items():
            types[str(node.get("python_module")).removeprefix("custom_nodes.")].add(name)
        return cls({pack: frozenset(names) for pack, names in types.items()}, dict(failures))

    def imported(self, pack: str) -> bool:
        return pack not in self.failures

    def cell(self, pack: str, other: "Outcome | None" = None) -> str:
        """What a table says of a pack, with the node types that only the other has."""
        if not self.imported(pack):
            return re.sub(r" \(/\S+\)", "", f"fails: {self.failures[pack]}").replace("|", "\\|")
        mine = self.types.get(pack, frozenset())
        lacking = sorted(other.types.get(pack, frozenset()) - mine) if other else []
        return f"{len(mine)}" + (f", not {', '.join(lacking)}" if lacking else "")


def read_log(log: str) -> Mapping[str, str]:
    """Pack → why ComfyUI could not import it."""
    found: dict[str, str] = {}
    for pattern in (_FAILED, _TABLE):
        for match in pattern.finditer(log):
            name = match["path"].strip().rsplit("/", 1)[-1]
            found.setdefault(name, match.groupdict().get("why", "it could not be imported").strip())
    return found


def write_outcome(path: Path, outcome: Outcome) -> None:
    types = {pack: sorted(names) for pack, names in sorted(outcome.types.items())}
    path.write_text(json.dumps({"types": types, "failures": outcome.failures}, indent=1))


def read_outcome(path: Path) -> Outcome:
    kept = json.loads(path.read_bytes())
    return Outcome({pack: frozenset(names) for pack, names in kept["types"].items()}, kept["failures"])
