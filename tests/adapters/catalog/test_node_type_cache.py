from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.adapters.catalog.node_type_cache import read_types
from pycomfy.core.analysis.node_types import find_node_types
from tests.support.properties import ONE_FIXTURE, examples

FILES = {"__init__.py": "class N: pass\nNODE_CLASS_MAPPINGS = {'X': N}\n"}


def test_what_was_read_once_is_read_again_as_it_was(tmp_path: Path) -> None:
    first = read_types(FILES, tmp_path)
    (kept,) = (tmp_path / "types").iterdir()
    assert first == read_types(FILES, tmp_path) == find_node_types(FILES) and list(first.types) == ["X"]
    kept.write_text('{"types": {"Y": "a.py"}, "dynamic": []}')
    assert list(read_types(FILES, tmp_path).types) == ["Y"]


def test_a_cache_that_is_broken_is_made_anew(tmp_path: Path) -> None:
    read_types(FILES, tmp_path)
    (kept,) = (tmp_path / "types").iterdir()
    for text in ("", "[]", "{}", '{"types": 3, "dynamic": []}', "\x00"):
        kept.write_text(text)
        assert list(read_types(FILES, tmp_path).types) == ["X"]


@settings(suppress_health_check=ONE_FIXTURE, max_examples=examples(30))
@given(st.dictionaries(st.sampled_from(["a.py", "b.py", "ab.py"]), st.sampled_from(["", "x", "xx"])))
def test_other_files_are_other_answers(tmp_path: Path, files: dict[str, str]) -> None:
    read_types(files, tmp_path)
    read_types({**files, "c.py": "NODE_CLASS_MAPPINGS = {'C': object}"}, tmp_path)
    assert read_types(files, tmp_path) == find_node_types(files)
