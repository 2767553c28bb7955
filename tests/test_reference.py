"""The reference is what the program says, and every command's help has an example."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from pycomfy.cli.help import split_examples
from pycomfy.gateway.api.problem import CODES

ROOT = Path(__file__).parents[1]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_script()


@pytest.mark.parametrize(
    ("page", "render"),
    [
        ("cli.md", reference.render_cli),
        ("errors.md", reference.render_errors),
        ("gateway.md", reference.render_gateway),
    ],
)
def test_the_reference_is_up_to_date(page: str, render: object) -> None:
    assert callable(render)
    assert (ROOT / "docs" / "reference" / page).read_text() == render(), "run scripts/reference.py"


def test_every_code_of_the_gateway_has_its_meaning_and_its_statuses() -> None:
    used: dict[str, set[int]] = {}
    for path in (ROOT / "pycomfy" / "gateway").rglob("*.py"):
        for status, code in re.findall(r'ApiProblem\(\s*(\d{3}),\s*"(\w+)"', path.read_text()):
            used.setdefault(code, set()).add(int(status))
    assert used.keys() <= CODES.keys()
    for code, statuses in used.items():
        assert statuses <= {int(status) for status in re.findall(r"\d{3}", str(CODES[code][0]))}, code


@pytest.mark.parametrize("name", sorted(reference.commands()))
def test_the_help_of_every_command_has_an_example_of_it(name: str) -> None:
    _, examples = split_examples(reference.commands()[name].help)
    assert examples and all(re.match(rf"pycomfy {name}\b", example) for example in examples)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [c.code for c in reference.error_classes()]
    assert len(set(codes)) == len(codes)
