"""A greeting card: a title in large letters, and a link as text and as a QR code."""

import numpy as np
import segno
from PIL import Image, ImageDraw, ImageFilter, ImageFont

QUIET_ZONE = 2
MOST_TITLE, MOST_LINK = 500, 500


def draw_card(picture: np.ndarray, title: str, link: str) -> np.ndarray:
    """Draw on a picture of shape (height, width, 3), values from 0 to 1; returns one of the same shape."""
    title, link = title.strip()[:MOST_TITLE], link.strip()[:MOST_LINK]
    background = Image.fromarray(np.clip(picture[..., :3] * 255 + 0.5, 0, 255).astype(np.uint8))
    width, height = background.size
    unit = min(width, height) / 100
    panel = (6 * unit, height - 36 * unit, width - 6 * unit, height - 6 * unit)
    card = frosted(background, panel, unit)
    right = panel[2] - 5 * unit
    if link:
        code = qr_code(link, round(22 * unit))
        right -= code.width
        card.paste(code, (round(right), round(panel[1] + 4 * unit)), code)
        right -= 4 * unit
    write(card, title, link, (panel[0] + 5 * unit, panel[1], right, panel[3]), unit)
    return np.asarray(card, dtype=np.float32) / 255


def frosted(background: Image.Image, panel: tuple[float, float, float, float], unit: float) -> Image.Image:
    """The picture with a panel of frosted glass: blurred, darkened, with round corners and a fine edge."""
    glass = background.filter(ImageFilter.GaussianBlur(2.5 * unit))
    glass = Image.blend(glass, Image.new("RGB", glass.size, "#0b1020"), 0.45)
    mask = Image.new("L", background.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle(panel, radius=3 * unit, fill=255)
    card = Image.composite(glass, background, mask)
    edge = Image.new("RGBA", card.size, (255, 255, 255, 0))
    ImageDraw.Draw(edge).rounded_rectangle(
        panel, radius=3 * unit, outline=(255, 255, 255, 90), width=max(1, round(0.25 * unit))
    )
    return Image.alpha_composite(card.convert("RGBA"), edge).convert("RGB")


def qr_code(text: str, size: int) -> Image.Image:
    """A QR code on a white tile with round corners, exactly `size` pixels wide; its modules are whole pixels."""
    matrix = np.array([list(row) for row in segno.make(text, error="m", micro=False).matrix], dtype=np.uint8)
    scale = max(1, size // (len(matrix) + 2 * QUIET_ZONE))
    modules = Image.fromarray((1 - matrix) * 255).resize((len(matrix) * scale,) * 2, Image.Resampling.NEAREST)
    size = max(size, modules.width)
    tile = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    ImageDraw.Draw(tile).rounded_rectangle((0, 0, size - 1, size - 1), radius=size * 0.08, fill="white")
    margin = (size - modules.width) // 2
    tile.paste(Image.merge("RGB", (modules,) * 3), (margin, margin))
    return tile


def write(card: Image.Image, title: str, link: str, area: tuple[float, float, float, float], unit: float) -> None:
    """Write the title as large as it fits, and the link below it."""
    left, top, right, bottom = area
    draw = ImageDraw.Draw(card)
    small = ImageFont.load_default(max(8, 3.1 * unit))
    foot = 8 * unit if link else 0
    font = fitting_font(draw, title, right - left, bottom - top - foot - 8 * unit, 14 * unit)
    box = draw.multiline_textbbox((0, 0), title, font=font, spacing=unit)
    middle = (top + bottom - foot) / 2
    draw.multiline_text((left, middle - (box[1] + box[3]) / 2), title, font=font, fill="white", spacing=unit)
    if link:
        shown = shortened(draw, link, small, right - left)
        draw.text((left, bottom - 4.5 * unit), shown, font=small, fill="#dfe6ff", anchor="ls")


def fitting_font(
    draw: ImageDraw.ImageDraw, text: str, width: float, height: float, largest: float
) -> ImageFont.FreeTypeFont:
    """Pillow's own font, the largest at which `text` fits: no font files are needed."""
    size = largest
    while size > 8:
        font = ImageFont.load_default(size)
        box = draw.multiline_textbbox((0, 0), text, font=font, spacing=largest / 14)
        if box[2] - box[0] <= width and box[3] - box[1] <= height:
            break
        size *= 0.92
    return ImageFont.load_default(max(8, size))


def shortened(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """`text`, or as much of its beginning as fits."""
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(text + "…", font=font) > width:
        text = text[:-1]
    return text + "…"
