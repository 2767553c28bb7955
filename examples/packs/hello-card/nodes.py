"""The nodes: what ComfyUI shows of them, and ComfyUI's images (batch, height, width, RGB from 0 to 1) in and out."""

import numpy as np
import torch

from .card import draw_card
from .sky import PALETTES, paint_sky


class HelloSky:
    """Paints a landscape under a sky. The same seed paints the same hills."""

    CATEGORY = "hello"
    DESCRIPTION = "Paints a landscape under a sky."
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "paint"

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        size = {"min": 64, "max": 8192, "step": 8}
        return {
            "required": {
                "width": ("INT", {"default": 1024, **size}),
                "height": ("INT", {"default": 640, **size}),
                "seed": (
                    "INT",
                    {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "control_after_generate": True},
                ),
                "palette": (list(PALETTES), {"default": "dusk"}),
            }
        }

    def paint(self, width, height, seed, palette):
        return (torch.from_numpy(paint_sky(width, height, seed, palette)).unsqueeze(0),)


class HelloCard:
    """Writes a title on each image, with a link below it that a phone can read."""

    CATEGORY = "hello"
    DESCRIPTION = "Writes a title on the image, with a link as text and as a QR code. Leave the link empty for none."
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "draw"

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {
            "required": {
                "image": ("IMAGE",),
                "title": ("STRING", {"default": "Hello!", "multiline": True}),
                "link": ("STRING", {"default": ""}),
            }
        }

    def draw(self, image, title, link):
        cards = [draw_card(one, title, link) for one in image.cpu().numpy()]
        return (torch.from_numpy(np.stack(cards)),)
