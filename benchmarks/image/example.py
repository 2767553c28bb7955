"""The example `hello` as a user edits it: its node pack is a folder, and a small requirement has a version."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pycomfy.core.lockfile.schema import Lock, parse_lock

ROOT = Path(__file__).parents[2]
NAME = "bench"
FIRST = f"{NAME}@1"
"""The version that is built first."""

PACK = "hello-card"
NODE = "HelloCard"
"""A node type of the pack: who answers with it has imported the pack."""

SMALL = "tabulate"
BEFORE, AFTER = "0.8.10", "0.9.0"
"""The small requirement, and the versions between which it is changed."""

_TITLE = "Hello from a pinned image"


@dataclass(frozen=True)
class Example:
    folder: Path

    def write(self) -> None:
        shutil.copytree(ROOT / "examples/packs" / PACK, self.pack, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "examples/hello/workflow.json", self.folder)
        config = (ROOT / "examples/hello/pycomfy.toml").read_text()
        config = _replace(config, f'git = "packs/{PACK}"', f'path = "packs/{PACK}"')
        config = _replace(config, '"requests"', f'"requests", "{SMALL}=={BEFORE}"')
        (self.folder / "pycomfy.toml").write_text(f'name = "{NAME}"\n{config}')

    @property
    def pack(self) -> Path:
        return self.folder / "packs" / PACK

    @property
    def workflow(self) -> bytes:
        return (self.folder / "workflow.json").read_bytes()

    def read_lock(self) -> Lock:
        return parse_lock((self.folder / "pycomfy.lock").read_text())

    def change_requirement(self) -> None:
        self._edit("pycomfy.toml", f"{SMALL}=={BEFORE}", f"{SMALL}=={AFTER}")

    @contextmanager
    def with_changed_requirement(self) -> Iterator[None]:
        """Change it for the block."""
        self.change_requirement()
        yield
        self._edit("pycomfy.toml", f"{SMALL}=={AFTER}", f"{SMALL}=={BEFORE}")

    def change_prompt(self) -> None:
        self._edit("workflow.json", _TITLE, f"Hello {secrets.token_hex(4)}")

    def _edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        path.write_text(_replace(path.read_text(), old, new))


def change_pack(pack: Path) -> None:
    """Change one file of a node pack."""
    with (pack / "card.py").open("a") as f:
        f.write(f"\n# {secrets.token_hex()}\n")


def _replace(text: str, old: str, new: str) -> str:
    assert old in text, f"the example has no {old} any more"
    return text.replace(old, new)
