"""A node pack for the stories: nodes that exist in the editor alone (see `web`), and one that keeps ComfyUI busy."""

import time

from comfy.model_management import throw_exception_if_processing_interrupted  # type: ignore[import-not-found]

WEB_DIRECTORY = "./web"


class Hold:
    """Runs until it is interrupted, so that whatever is queued behind it is checked and never started."""

    CATEGORY = "story"
    FUNCTION = "hold"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, object]]:  # noqa: N802
        return {"required": {}}

    def hold(self) -> None:
        while True:
            throw_exception_if_processing_interrupted()
            time.sleep(0.05)


NODE_CLASS_MAPPINGS = {"StoryHold": Hold}
