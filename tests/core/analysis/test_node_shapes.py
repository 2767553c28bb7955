"""Definitions as packs write them, and saved nodes that fit them or do not."""

import pytest

from pycomfy.core.analysis.node_shapes import NodeShape, compare, find_shapes, is_compatible
from pycomfy.core.workflow.model import Input, Output

LEGACY = """
import folder_paths
METHODS = ["lanczos", "nearest"]

class AnyType(str):
    pass

class Base:
    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "run"
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"image": ("IMAGE",), "method": (METHODS, {}), "any": (AnyType("*"),)},
            "optional": {"lora": (folder_paths.get_filename_list("loras"),)},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }
    def run(self, image, method, any, lora=None):
        pass

class Derived(Base):
    RETURN_TYPES = ("LATENT",)

class Open(Base):
    def run(self, **kwargs):
        pass

class Computed(Base):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": make_inputs(), "optional": {"x": ("INT",)}}

NODE_CLASS_MAPPINGS = {"Base": Base, "Derived": Derived, "Open": Open, "Computed": Computed}
"""

SCHEMA = """
from comfy_api.latest import io, ComfyExtension
class Blur(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Blur",
            inputs=[io.Image.Input("image"), io.Int.Input(id="radius"), io.ClipVision.Input("vision")],
            outputs=[io.Image.Output(), io.Custom("FLOW").Output()],
        )
class Grow(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Grow", inputs=[io.Autogrow.Input("images", template=T)], outputs=[io.Image.Output()])
class Extension(ComfyExtension):
    async def get_node_list(self):
        return [Blur, Grow]
"""


def test_inputs_and_outputs_are_read_from_the_source() -> None:
    shapes = find_shapes({"__init__.py": LEGACY}, ("Base", "Derived", "Open", "Computed", "Nowhere"))
    inputs = {"image": "IMAGE", "method": "COMBO", "any": "*", "lora": "COMBO"}
    assert shapes["Base"] == NodeShape(inputs, True, ("IMAGE", "MASK"), "Base")
    assert shapes["Derived"] == NodeShape(inputs, True, ("LATENT",), "Derived")
    assert not shapes["Open"].complete and shapes["Open"].inputs == inputs
    assert not shapes["Computed"].complete and shapes["Computed"].inputs == {"x": "INT"}
    assert "Nowhere" not in shapes


def test_a_schema_of_the_third_version_is_read() -> None:
    shapes = find_shapes({"__init__.py": SCHEMA}, ("Blur", "Grow"))
    inputs = {"image": "IMAGE", "radius": "INT", "vision": "CLIP_VISION"}
    assert shapes["Blur"] == NodeShape(inputs, True, ("IMAGE", "*"), "Blur")
    assert not shapes["Grow"].complete and shapes["Grow"].inputs == {}


SHAPE = NodeShape({"image": "IMAGE", "scale": "FLOAT", "any": "*"}, True, ("IMAGE", "MASK"))


def test_a_saved_node_fits_its_definition() -> None:
    saved = (Input("image", "IMAGE", "1"), Input("scale", "FLOAT", None, "scale"), Input("any", "LATENT", "2"))
    fit = compare(saved, (Output("IMAGE", "IMAGE"),), SHAPE)
    assert (fit.fitting, fit.total, fit.problems, fit.unknown, fit.full) == (4, 4, (), (), True)


@pytest.mark.parametrize(
    ("inputs", "outputs", "problem"),
    [
        ((Input("mask", "MASK", "1"),), (), "no input mask"),
        ((Input("image", "LATENT", "1"),), (), "input image is IMAGE and not LATENT"),
        ((), (Output("a", "INT"),), "output 1 is IMAGE and not INT"),
        ((), tuple(Output("x", "*") for _ in range(4)), "only 2 of 4 outputs"),
    ],
)
def test_what_a_definition_lacks_contradicts_it(
    inputs: tuple[Input, ...], outputs: tuple[Output, ...], problem: str
) -> None:
    fit = compare(inputs, outputs, SHAPE)
    assert fit.problems == (problem,) and not fit.full


def test_what_scripts_and_open_nodes_may_add_is_unknown() -> None:
    assert compare((Input("extra", "INT", None, "extra"),), (), SHAPE).unknown == ("extra",)
    open_shape = NodeShape({"image": "IMAGE"}, False, None)
    fit = compare((Input("image_2", "IMAGE", "1"),), (Output("x", "IMAGE"),), open_shape)
    assert fit.unknown == ("image_2", "x") and not fit.problems and not fit.full
    assert not compare((), (), SHAPE).full


def test_types_are_compared_as_the_editor_does() -> None:
    assert is_compatible("image", "IMAGE") and is_compatible("INT,FLOAT", "FLOAT") and is_compatible("*", "X")
    assert is_compatible("STRING", "COMBO") and not is_compatible("INT", "FLOAT")


def test_copies_of_large_tables_are_bounded_work() -> None:
    """A short file took minutes: each line copied a table."""
    table = "d = {" + ",".join(f"'k{i}': 1" for i in range(20_000)) + "}\n"
    for line in ("x = d.keys()", "x = d.items()", "x = {**d}", "x = d + d", "x = d | d"):
        assert find_shapes({"__init__.py": table + f"{line}\n" * 20_000}, ["X"]) == {}
