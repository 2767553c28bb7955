"""Wheels that have to be built: what is built from what, and what is remembered of it."""

import hashlib
import json
from dataclasses import dataclass

from pycomfy.flow.lock.model import Built, PlatformName, Root


@dataclass(frozen=True)
class Recipe:
    """How `name` is built on `platform`; `root` is the Debian whose Python builds, `compilers` the one that a build
    with a compiler sees."""

    name: str
    version: str
    platform: PlatformName
    python: str
    built: Built
    root: Root
    compilers: Root | None = None

    def render(self) -> str:
        """`recipe.json`, which `nix/recipe.nix` reads."""
        pins = {"root": self.root.model_dump(mode="json")}
        if self.compilers is not None:
            pins["compilers"] = self.compilers.model_dump(mode="json")
        data = {
            "name": self.name,
            "version": self.version,
            "platform": self.platform,
            "python": self.python,
            "built": self.built.model_dump(mode="json"),
            "pins": pins,
        }
        return json.dumps(data, sort_keys=True)

    def key(self, builders: str) -> str:
        """A name for all that the wheel depends on; `builders` stands for the programs that build. Where things come
        from does not matter, only what they are."""
        source = self.built.source
        root = self.compilers if self.compilers is not None and self.built.compiler else self.root
        data = [
            self.name,
            self.platform,
            self.python,
            source.tree if source.kind == "git" else source.sha256,
            self.built.subdirectory,
            sorted((w.filename, w.sha256) for w in self.built.requires),
            root.tree,
            builders,
        ]
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()
