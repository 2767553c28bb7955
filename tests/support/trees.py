"""Folders of files and links, made up by Hypothesis: a dictionary is a folder, bytes a file, a string a link."""

from pathlib import Path

from hypothesis import strategies as st

Tree = bytes | str | dict[str, "Tree"]
names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda n: n not in (".", "..")
)
files = st.binary(max_size=40) | st.integers(0, 3).map(lambda n: b"x" * ((1 << 20) + n - 1))
links = st.text("abc./", min_size=1, max_size=12)
trees: st.SearchStrategy[Tree] = st.recursive(files | links, lambda inner: st.dictionaries(names, inner, max_size=5))


def build(path: Path, tree: Tree) -> None:
    if isinstance(tree, dict):
        path.mkdir()
        for name, inner in tree.items():
            build(path / name, inner)
    elif isinstance(tree, str):
        path.symlink_to(tree)
    else:
        path.write_bytes(tree)
        path.chmod(0o755 if len(tree) % 3 == 0 else 0o640)
