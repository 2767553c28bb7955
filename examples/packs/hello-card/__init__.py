"""Hello Card: node types for ComfyUI that paint a sky and write a greeting card on it. No models, no GPU."""  # noqa: N999

from .nodes import HelloCard, HelloSky

NODE_CLASS_MAPPINGS = {
    "HelloSky": HelloSky,
    "HelloCard": HelloCard,
}

NODE_DISPLAY_NAME_MAPPINGS = {
    "HelloSky": "Hello Sky",
    "HelloCard": "Hello Card",
}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
