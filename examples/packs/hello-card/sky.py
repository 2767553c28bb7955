"""A landscape made of arithmetic: a gradient, a sun or moon with its glow, stars, and hills that fade with distance."""

from dataclasses import dataclass

import numpy as np

HILLS = 5


@dataclass(frozen=True)
class Palette:
    """Colours from the top of the sky to the horizon, of the light, and of the nearest hill; `stars` from 0 to 1."""

    sky: tuple[str, ...]
    light: str
    hill: str
    height: float
    stars: float = 0.0


PALETTES = {
    "dawn": Palette(("#274060", "#6d6a9c", "#e39aa0", "#ffd9a0"), "#fff1d0", "#2b2f4a", 0.47, 0.15),
    "noon": Palette(("#1f6fc4", "#57a7e8", "#a9d8f5", "#e6f5fb"), "#fffbe6", "#1d5a4c", 0.20),
    "dusk": Palette(("#1b1f4b", "#5b2a6e", "#c8446b", "#ff9a56", "#ffd27a"), "#fff0c2", "#1a1033", 0.45, 0.35),
    "night": Palette(("#050916", "#0b1733", "#152a52", "#2c4a78"), "#f2f4ff", "#04070f", 0.26, 1.0),
    "aurora": Palette(("#04101c", "#06303a", "#0f7a62", "#6fe0a0", "#123a4a"), "#e8fff4", "#020a10", 0.22, 0.8),
}


def paint_sky(width: int, height: int, seed: int, palette: str) -> np.ndarray:
    """The picture as `float32` of shape (height, width, 3), values from 0 to 1."""
    colours = PALETTES[palette]
    random = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    down, across = down / height, across / height
    image = gradient(colours.sky, np.clip(down * 1.25, 0, 1))
    image = add_stars(image, colours.stars, random)
    image = add_light(image, colours, across - random.uniform(0.30, 0.70) * width / height, down)
    image = add_hills(image, colours, across[0], random)
    # A grain finer than one step of 8 bits, or the gradient would show bands.
    image += random.uniform(-0.5, 0.5, image.shape).astype(np.float32) / 255
    return np.clip(image, 0, 1).astype(np.float32)


def colour(text: str) -> np.ndarray:
    """`#rrggbb` as three numbers from 0 to 1."""
    return np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)], dtype=np.float32)


def gradient(stops: tuple[str, ...], position: np.ndarray) -> np.ndarray:
    """Colours between evenly spaced `stops` at `position` (0 to 1)."""
    at = np.linspace(0, 1, len(stops))
    table = np.stack([colour(stop) for stop in stops])
    return np.stack([np.interp(position, at, table[:, i]) for i in range(3)], axis=-1).astype(np.float32)


def add_stars(image: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    """Points of different brightness, fewer towards the horizon, as large at any size of the picture."""
    height, width = image.shape[:2]
    count = int(amount * 420)
    size = max(1, height // 480)
    for x, y, brightness in random.random((count, 3)):
        left, top = int(x * (width - size)), int(y**1.6 * 0.6 * (height - size))
        image[top : top + size, left : left + size] += 0.25 + 0.75 * brightness**3
    return image


def add_light(image: np.ndarray, colours: Palette, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The sun or moon: a disc with a soft edge in a wide glow. Distances are in heights of the picture."""
    light = colour(colours.light)
    distance = np.hypot(across, down - colours.height)
    glow = 0.55 * np.exp(-distance / 0.10) + 0.30 * np.exp(-distance / 0.35)
    disc = np.clip((0.075 - distance) / 0.004, 0, 1)
    image = image + glow[..., None] * (light - image) * 0.9
    return image + disc[..., None] * (light - image)


def add_hills(image: np.ndarray, colours: Palette, across: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Ridges one behind another: far ones take the colour of the air, near ones their own."""
    height = image.shape[0]
    air, near = 0.5 * (colour(colours.sky[-1]) + colour(colours.sky[-3])), colour(colours.hill)
    rows = (np.arange(height, dtype=np.float32) / height)[:, None]
    for index in range(HILLS):
        nearness = index / (HILLS - 1)
        ridge = np.full_like(across, 0.50 + 0.24 * nearness)
        for octave in range(1, 7):
            wave = np.sin(across * octave**1.7 * (1.6 + nearness) * np.pi + random.uniform(0, 2 * np.pi))
            ridge += wave * random.uniform(0.4, 1.0) * 0.040 / octave**1.15
        cover = np.clip((rows - ridge[None, :]) * height / 1.5, 0, 1)[..., None]
        # Mist gathers at the foot of each ridge, so that the next one stands out.
        mist = np.clip((rows - ridge[None, :]) / 0.25, 0, 1)[..., None] * 0.35 * (1 - nearness)
        shade = air + (near - air) * (0.25 + 0.75 * nearness)
        image = image + cover * (shade + mist * (air - shade) - image)
    return image
