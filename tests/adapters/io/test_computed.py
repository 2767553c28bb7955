import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import TypeAdapter

from pycomfy.adapters.io.computed import code_fingerprint, compute_once, fingerprint

VALUES = TypeAdapter(tuple[str, ...])


def test_a_value_is_computed_once(tmp_path: Path) -> None:
    known = tmp_path / "a" / "b.json"
    assert compute_once(known, VALUES, lambda: ("x", "é")) == ("x", "é")
    assert compute_once(known, VALUES, lambda: pytest.fail("computed again")) == ("x", "é")


@pytest.mark.parametrize("text", ["", "{}", '{"x": 1}', "[1]", "\x00"])
def test_what_is_damaged_or_of_another_form_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "known").write_text(text)
    assert compute_once(tmp_path / "known", VALUES, lambda: ("x",)) == ("x",)
    assert (tmp_path / "known").read_text() == '["x"]'


def test_what_is_no_unicode_is_returned_and_not_kept(tmp_path: Path) -> None:
    assert compute_once(tmp_path / "known", VALUES, lambda: ("\udcff",)) == ("\udcff",)
    assert not (tmp_path / "known").exists()


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    def fail() -> tuple[str, ...]:
        raise LookupError

    with pytest.raises(LookupError):
        compute_once(tmp_path / "known", VALUES, fail)
    assert compute_once(tmp_path / "known", VALUES, lambda: ()) == ()


def test_other_parts_have_another_fingerprint() -> None:
    assert len({fingerprint("a", "b"), fingerprint("ab"), fingerprint(["a", "b"]), fingerprint("a", None)}) == 4


def test_a_fingerprint_of_code_covers_every_module_of_a_package(tmp_path: Path) -> None:
    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location("made_up", path)
        assert spec is not None
        return importlib.util.module_from_spec(spec)

    for name in ("__init__.py", "a.py", "b.py"):
        (tmp_path / name).write_text("")
    package, module = load(tmp_path / "__init__.py"), load(tmp_path / "a.py")
    before = code_fingerprint(package), code_fingerprint(module)
    (tmp_path / "b.py").write_text("x = 1")
    assert code_fingerprint(package) != before[0] and code_fingerprint(module) == before[1]
