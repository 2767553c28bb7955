"""Which inputs of a pack's nodes name model files, and in which folder, from its source alone."""

import pytest

from pycomfy.core.analysis.model_inputs import find_model_inputs
from tests.support.waiting import ending

PACK = """
import folder_paths
{before}
class Loader:
    @classmethod
    def INPUT_TYPES(s):
        {first}
        return {{"required": {{"name": {choices}, "image": ("IMAGE",)}}}}

NODE_CLASS_MAPPINGS = {{"Loader": Loader}}
"""
SCHEMA = """
import folder_paths
from comfy_api.latest import ComfyExtension, io

class Loader(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        files = folder_paths.get_filename_list("loras")
        return io.Schema(node_id="Loader", inputs=[io.Image.Input("image"), {combo}])

class Extension(ComfyExtension):
    async def get_node_list(self):
        return [Loader]
"""


def read(source: str, **files: str) -> dict[str, str | None] | None:
    found = find_model_inputs({"__init__.py": source, **{f"{k}.py": v for k, v in files.items()}}, ["Loader", "Other"])
    assert set(found) <= {"Loader"}
    return dict(found["Loader"]) if found else None


@pytest.mark.parametrize(
    "choices",
    [
        '(folder_paths.get_filename_list("loras"),)',
        '(folder_paths.get_filename_list("loras"), {"tooltip": "x"})',
        '[["None"] + folder_paths.get_filename_list("loras")]',
        '[folder_paths.get_filename_list("loras") + ["None"]]',
        '(["None", *folder_paths.get_filename_list("loras")],)',
        '(sorted(folder_paths.get_filename_list("loras")),)',
        '([f for f in folder_paths.get_filename_list("loras") if f.endswith(".pt")],)',
        "(files,)",
        "(FILES,)",
    ],
)
def test_the_folder_that_an_input_lists_is_its_folder(choices: str) -> None:
    before, first = (
        'FILES = folder_paths.get_filename_list("lo" + "ras")',
        'files = folder_paths.get_filename_list("loras")',
    )
    assert read(PACK.format(before=before, first=first, choices=choices)) == {"name": "loras"}


@pytest.mark.parametrize(
    "combo",
    [
        'io.Combo.Input("name", options=files)',
        'io.Combo.Input("name", ["None", *files])',
        'io.Combo.Input(id="name", options=folder_paths.get_filename_list("loras"), optional=True)',
    ],
)
def test_so_is_that_of_a_schema(combo: str) -> None:
    assert read(SCHEMA.format(combo=combo)) == {"name": "loras"}


def test_choices_that_are_written_in_the_source_are_in_no_folder() -> None:
    assert read(PACK.format(before='NAMES = ["rife47.pth"]', first="", choices="(NAMES,)")) == {"name": None}
    assert read(SCHEMA.format(combo='io.Combo.Input("name", options=["a.pth"])')) == {"name": None}


@pytest.mark.parametrize(
    "choices",
    [
        "(unknown(),)",
        '(["None"] + unknown(),)',
        '(["bbox/" + f for f in folder_paths.get_filename_list("bbox")],)',
        '(folder_paths.get_filename_list("bbox") + folder_paths.get_filename_list("segm"),)',
        "(folder_paths.get_filename_list(FOLDER),)",
        '("STRING", {})',
        "([],)",
    ],
)
def test_what_only_a_server_knows_is_left_out(choices: str) -> None:
    assert read(PACK.format(before="", first="", choices=choices)) is None


def test_a_class_in_another_file_and_an_inherited_method_are_found() -> None:
    base = PACK.format(before="", first="", choices='(folder_paths.get_filename_list("vae"),)')
    files = {"nodes": base.replace("NODE_CLASS_MAPPINGS", "OTHER") + "\nclass Own(Loader): pass\n"}
    assert read("from . import nodes\nNODE_CLASS_MAPPINGS = {'Loader': nodes.Own}", **files) == {"name": "vae"}


def test_hostile_source_ends() -> None:
    deep = "(" + "[" * 3000 + "]" * 3000 + ",)"
    with ending():
        assert read(PACK.format(before="", first="", choices=deep)) is None
        assert read("class A(A):\n  pass\nNODE_CLASS_MAPPINGS = {'Loader': A}") is None
