"""What repositories with a hostile history do to the search for earlier definitions: nothing, and they are read or not.

Git is real, and so are the repositories.
"""

from pathlib import Path

import pytest

from pycomfy.adapters.catalog import pack_definitions
from pycomfy.adapters.catalog.pack_definitions import (
    MAX_BYTES,
    MAX_DEFINITIONS,
    MAX_PATHS,
    PackDefinitions,
    earlier_shapes,
    first_commit_date,
    read_pack_definitions,
)
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.process import Limit
from tests.support.repositories import commit, git


def define(type_: str, name: str = "Node", inputs: str = "'a': ('INT',)") -> str:
    return (
        f"class {name}:\n    @classmethod\n    def INPUT_TYPES(cls):\n        return {{'required': {{{inputs}}}}}\n"
        f"NODE_CLASS_MAPPINGS = {{{type_!r}: {name}}}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pack"


def read(folder: Path, type_: str = "Type") -> PackDefinitions:
    cache = folder.parent / "cache"
    return read_pack_definitions(GitMirror(str(folder), owner="pack", cache=cache / "git"), (type_,), cache)


def names(definitions: PackDefinitions, type_: str = "Type") -> list[list[str]] | None:
    shapes = earlier_shapes(definitions, type_)
    return None if shapes is None else [sorted(shape.inputs) for shape in shapes]


def test_every_definition_of_the_history_is_found_also_under_another_class_and_file(folder: Path) -> None:
    commit(
        folder, {"old.py": define("Type", "Old", "'b': ('INT',)") + "x = 1\n", "__init__.py": "from .old import *\n"}
    )
    commit(folder, {"__init__.py": define("Type"), "old.py": None})
    assert names(read(folder)) == [["a"], ["b"]]


def test_a_history_with_a_tree_that_nobody_can_list_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten trees of ten trees each: git filled the memory with ten thousand million files."""
    commit(folder, {"__init__.py": define("Type", inputs="'b': ('INT',)")})
    (folder / "blob").write_text("Type")
    entry = "100644 blob " + git(folder, "hash-object", "-w", "blob")
    for _ in range(10):
        (folder / "tree").write_text("".join(f"{entry}\t{i}{'.py' if 'blob' in entry else ''}\n" for i in range(10)))
        made = git(folder, "-c", "alias.make=!git mktree < tree", "make")
        entry = f"040000 tree {made}"
    bomb = git(folder, "commit-tree", made, "-p", "HEAD", "-m", "bomb")
    git(folder, "reset", "--quiet", "--soft", bomb)
    (folder / "blob").unlink()
    (folder / "tree").unlink()
    commit(folder, {"__init__.py": define("Type")})
    monkeypatch.setattr(pack_definitions, "HISTORY_LIMIT", Limit(seconds=5, memory=256 << 20))
    definitions = read(folder)
    assert names(definitions) is None and first_commit_date(definitions, "Type") is None


def test_a_submodule_with_the_name_of_a_file_is_no_definition(folder: Path) -> None:
    commit(folder, {"__init__.py": define("Type")})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},nodes.py")
    git(folder, "commit", "--quiet", "-m", "submodule")
    git(folder, "rm", "--quiet", "--cached", "nodes.py")
    commit(folder, {"nodes.py": "# Type\n"})
    assert names(read(folder)) == [["a"]]


def test_too_many_files_and_too_large_ones_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = commit(folder, {"__init__.py": define("Type"), **{f"{i}.py": "# Type\n" for i in range(MAX_PATHS + 1)}})
    assert names(read(folder)) is None
    git(folder, "reset", "--quiet", "--hard", first)
    other = folder.parent / "other"
    commit(other, {"__init__.py": define("Type"), "large.py": b"# Type" + b" " * MAX_BYTES})
    commit(other, {"large.py": None})
    assert names(read(other)) is None


def test_many_classes_for_a_type_are_not_compared(folder: Path) -> None:
    table = "".join(f"# 'Type': Name{i}\n" for i in range(200_000))
    classes = "".join(f"class Name{i}:\n    pass\n" for i in range(MAX_DEFINITIONS + 1))
    commit(folder, {"__init__.py": define("Type"), "a.py": table})
    assert names(read(folder)) == [["a"]]
    commit(folder, {"b.py": "# Type\n" + classes})
    assert names(read(folder)) is None


@pytest.mark.parametrize("type_", ["a\0b", "\ud800"])
def test_a_type_that_git_cannot_search_for_has_no_history(folder: Path, type_: str) -> None:
    commit(folder, {"__init__.py": define(type_)})
    definitions = read(folder, type_)
    assert names(definitions, type_) is None and first_commit_date(definitions, type_) is None
