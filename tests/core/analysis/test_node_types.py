"""Node types read from source, written in every way that packs write them; hostile source ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.analysis.node_types import class_types, find_node_types
from tests.support.waiting import ending

SCHEMA = """
class {name}(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(node_id={id}, inputs=[])
"""


def types_of(source: str) -> set[str]:
    return set(class_types({"nodes.py": source}))


@pytest.mark.parametrize(
    "source",
    [
        'NODE_CLASS_MAPPINGS = {"A": A, "B": B}',
        'NODE_CLASS_MAPPINGS: dict[str, type] = {"A": A, "B": B}',
        'NODE_CLASS_MAPPINGS = {}\nNODE_CLASS_MAPPINGS["A"] = A\nNODE_CLASS_MAPPINGS["B"] = B',
        'NODE_CLASS_MAPPINGS = {"A": A}\nNODE_CLASS_MAPPINGS.update({"B": B})',
        'NODE_CLASS_MAPPINGS = {"A": A}\nNODE_CLASS_MAPPINGS |= {"B": B}',
        'X = {"A": A}\nY = {"B": B}\nNODE_CLASS_MAPPINGS = {**X, **Y}',
        'X = {"A": A}\nY = {"B": B}\nNODE_CLASS_MAPPINGS = X | Y',
        "NODE_CLASS_MAPPINGS = dict(A=A, B=B)",
        'NODE_CLASS_MAPPINGS = dict({"A": A}, **{"B": B})',
        'class A:\n  NAME = "A"\nclass B:\n  NAME = "B"\nNODE_CLASS_MAPPINGS = {c.NAME: c for c in [A, B]}',
        "class A: pass\nclass B: pass\nNODE_CLASS_MAPPINGS = {c.__name__: c for c in (A, B)}",
        'class A:\n  ID = "A"\nclass B(A):\n  ID = "B"\nNODE_CLASS_MAPPINGS = {A.ID: A, B.ID: B}',
        'P = ""\nNODE_CLASS_MAPPINGS = {P + "A": A, f"{P}B": B}',
        'try:\n  import torch\n  NODE_CLASS_MAPPINGS = {"A": A}\nexcept ImportError:\n  NODE_CLASS_MAPPINGS = {}\n'
        'NODE_CLASS_MAPPINGS["A"] = A\nNODE_CLASS_MAPPINGS["B"] = B',
        'NODE_CLASS_MAPPINGS = {}\nfor k, v in {"A": A, "B": B}.items():\n  NODE_CLASS_MAPPINGS[k] = v',
    ],
)
def test_mappings_in_every_spelling(source: str) -> None:
    assert types_of(source) == {"A", "B"}


def test_node_lists_and_not_every_schema() -> None:
    source = (
        SCHEMA.format(name="A", id='"A"')
        + SCHEMA.format(name="Hidden", id='"Hidden"')
        + "class E(ComfyExtension):\n  async def get_node_list(self):\n    return [A]\n"
    )
    assert types_of(source) == {"A"}


def test_ids_from_attributes_assignments_and_bases() -> None:
    source = (
        SCHEMA.format(name="Base", id="cls.NodeId")
        + 'class A(Base):\n  NodeId = "A"\n'
        + "class B(Base):\n  @classmethod\n  def define_schema(cls):\n    schema = super().define_schema()\n"
        + '    schema.node_id = "B"\n    return schema\n'
        + "class E(ComfyExtension):\n  async def get_node_list(self):\n    found = [A]\n"
        + "    found.append(B)\n    return found\n"
    )
    assert types_of(source) == {"A", "B"}


def test_mappings_win_over_node_lists() -> None:
    source = (
        SCHEMA.format(name="A", id='"A"')
        + "class E:\n  def get_node_list(self): return [A]\nNODE_CLASS_MAPPINGS = {'M': A}"
    )
    assert types_of(source) == {"M"}


def test_a_pack_is_what_its_init_says() -> None:
    files = {
        "__init__.py": "from .nodes import NODE_CLASS_MAPPINGS as a\nfrom .sub.more import *\n"
        "NODE_CLASS_MAPPINGS = {**a, **MORE}",
        "nodes.py": 'class X: pass\nNODE_CLASS_MAPPINGS = {"A": X}',
        "sub/more.py": 'from ..nodes import X\nMORE = {"B": X}\nNODE_CLASS_MAPPINGS = {"Unused": X}',
    }
    assert class_types(files) == {"A": "nodes.py", "B": "nodes.py"}


def test_a_pack_that_runs_code_is_told_and_guessed_from_all_its_mappings() -> None:
    files = {
        "__init__.py": "NODE_CLASS_MAPPINGS = {}\nfor f in files():\n  NODE_CLASS_MAPPINGS.update(load(f))",
        "py/one.py": 'NODE_CLASS_MAPPINGS = {"A": 1}',
        "node_list.json": '{"B": "about b"}',
    }
    found = find_node_types(files)
    assert set(found.types) == {"A", "B"}
    assert found.dynamic == ("__init__.py",)


def test_imports_in_a_circle_end() -> None:
    files = {
        "__init__.py": "from .a import *",
        "a.py": 'from .b import *\nNODE_CLASS_MAPPINGS = {"A": 1}',
        "b.py": "from .a import *\nfrom . import *",
    }
    assert set(class_types(files)) == {"A"}


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "+".join(["a"] * 50_000),
        "x = " + "-" * 50_000 + "1",
        "x = a" + ".b" * 20_000,
        "x = a" + "()" * 20_000,
        "x = [1]\n" + "x = [*x, *x]\n" * 100,
        "x = 'a'\n" + "x = x + x\n" * 100,
        "for a in b:\n" * 1
        + "".join(" " * i + "for a in [1, 2, 3, 4, 5, 6, 7, 8, 9]:\n" for i in range(1, 18))
        + " " * 18
        + "x = 1",
        "class A(A): pass\nclass B(C): pass\nclass C(B): pass\nNODE_CLASS_MAPPINGS = {A.X: 1, B.X: 1}",
        "def f(): return f()\nNODE_CLASS_MAPPINGS = f()",
        "def f(): return [g(), g()]\ndef g(): return [f(), f()]\nNODE_CLASS_MAPPINGS = f()",
        "x = {}\nx['a'] = x\nx.update(x)\nNODE_CLASS_MAPPINGS = x",
        "x = []\nx.append(x)\nx.extend(x)\nNODE_CLASS_MAPPINGS = {a: 1 for a in x}",
        "\0",
        "if 1:\n" * 200,
    ],
)
def test_hostile_source_ends(source: str) -> None:
    with ending():
        class_types({"__init__.py": source, "nodes.py": source})


@given(st.text(max_size=100), st.binary(max_size=50))
def test_any_text_is_read_without_an_exception(source: str, data: bytes) -> None:
    class_types({"__init__.py": source, "a.py": data.decode("latin-1"), "node_list.json": source})


def test_a_module_imported_from_the_folder_of_a_pack_is_read() -> None:
    files = {
        "__init__.py": "from . import nodes, more\nNODE_CLASS_MAPPINGS = {**nodes.OWN, **more.OWN}",
        "nodes.py": "class A: pass\nOWN = {'A': A}",
        "more/__init__.py": "from . import inner\nOWN = inner.OWN",
        "more/inner.py": "class B: pass\nOWN = {'B': B}",
    }
    assert class_types(files) == {"A": "nodes.py", "B": "more/inner.py"}
