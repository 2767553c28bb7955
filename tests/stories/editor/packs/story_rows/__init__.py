"""A node pack for the stories: what its node is sent is decided by its code for the editor (see `web`) alone."""

from typing import Any

WEB_DIRECTORY = "./web"


class AnyInputs(dict[str, Any]):
    """Has every name, so that ComfyUI passes on whatever the editor sends."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> tuple[str]:
        return ("*",)


class Rows:
    """Writes down the rows that it was sent."""

    CATEGORY = "story"
    FUNCTION = "note"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {
            "required": {"name": ("STRING", {"default": ""}), "seed": ("INT", {"default": 0})},
            "optional": AnyInputs(),
        }

    def note(self, name: str, seed: int, **rows: object) -> dict[str, Any]:
        return {"ui": {"text": [name, str(seed), *(f"{key}={value}" for key, value in sorted(rows.items()))]}}


NODE_CLASS_MAPPINGS = {"StoryRows": Rows}
