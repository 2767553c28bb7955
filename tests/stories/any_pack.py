"""A node pack that does whatever a graph says: for what a hostile pack, or one with a fault, does to the rest."""

from pathlib import Path

IN_CONTAINER = "/opt/ComfyUI/custom_nodes/any"
"""Where the folder of `write_any_pack` is to be mounted."""

_CODE = """
class Any:
    OUTPUT_NODE, RETURN_TYPES, FUNCTION, CATEGORY = True, ("STRING",), "go", "test"

    @classmethod
    def INPUT_TYPES(cls):
        after = ("STRING", {"forceInput": True})
        return {"required": {"code": ("STRING", {"multiline": True})}, "optional": {"after": after}}

    def go(self, code, after=""):
        names = {}
        exec(code, names)
        return {"ui": names.get("result", {}), "result": ("",)}

NODE_CLASS_MAPPINGS = {"Any": Any}
"""


def write_any_pack(folder: Path) -> Path:
    """Return the folder, with a pack in it: its node `Any` runs the Python of its input `code`, and returns what that
    calls `result`. ComfyUI runs nodes in any order, but for one whose input `after` is another's output."""
    folder.mkdir()
    (folder / "__init__.py").write_text(_CODE)
    return folder
