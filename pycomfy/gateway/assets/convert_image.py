"""Convert one image: `convert_image.py FORMAT QUALITY PIXELS BYTES SECONDS < IMAGE > CONVERTED`, notes on stderr.

Runs as a program of its own, in the workflow's Python, which has Pillow; standard library and Pillow only. It is never
imported by the gateway. Exit status 0: done, every line on stderr is a note; 2: the last line says why not.
"""

import contextlib
import io
import json
import os
import resource
import sys
from typing import Any


class CannotConvert(Exception):
    pass


MAX_FRAMES = 2000
MAX_TEXTS = 8
XMP = "XML:com.adobe.xmp"
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""Not among them: formats that Pillow hands to other programs, such as EPS."""

PROMPT, WORKFLOW = 0x0110, 0x010F
"""EXIF tags in which ComfyUI's own nodes put `prompt:…` and `workflow:…`, and below the latter any further text."""


def main(arguments: list[str]) -> int:
    kind, (quality, pixels, memory, seconds) = arguments[0], map(int, arguments[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # should nobody be there any more who ends it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        data = convert(sys.stdin.buffer.read(), kind, quality, pixels)
    except CannotConvert as e:
        print(e, file=sys.stderr)
        return 2
    except MemoryError:
        print("it needs more memory than it may have", file=sys.stderr)
        return 2
    except Exception as e:  # noqa: BLE001  what Pillow raises for damaged files is of many kinds
        print(f"{type(e).__name__}: {str(e)[:200]}", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0


def convert(data: bytes, kind: str, quality: int, pixels: int) -> bytes:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the limit is ours
    Image.init()
    with Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN]) as image:
        frames = int(getattr(image, "n_frames", 1))
        size = image.width * image.height * (1 if kind == "jpeg" else frames)
        if size > pixels:
            raise CannotConvert(f"{size} pixels are more than the {pixels} that are converted")
        if frames > MAX_FRAMES:
            raise CannotConvert(f"{frames} frames are more than the {MAX_FRAMES} that are converted")
        if frames > 1 and kind == "jpeg":
            note(f"only the first of {frames} frames is in it")
            frames = 1
        image.load()  # texts may come after the pixels
        options = describe(image, kind, quality)
        if frames == 1:
            return save(flat(image, kind), kind, options)
        pictures, durations = [], []
        for number in range(frames):
            image.seek(number)
            pictures.append(flat(image, kind))
            durations.append(int(image.info.get("duration") or 100))
        animated = {"save_all": True, "append_images": pictures[1:], "duration": durations}
        return save(pictures[0], kind, {**options, **animated, "loop": int(image.info.get("loop") or 0)})


def flat(image: Any, kind: str) -> Any:
    """The image in a mode that the format has. What is transparent becomes white where the format has no transparency;
    of more than eight bits the upper ones are kept, but in PNG."""
    from PIL import Image

    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        if kind == "png":
            return image.copy()
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode == "F":
        raise CannotConvert("an image of floating-point numbers has no one conversion")
    clear = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if kind != "jpeg":
        keeps = ("1", "L", "LA", "P", "RGB", "RGBA") if kind == "png" else ("RGB", "RGBA")
        return image.copy() if image.mode in keeps else image.convert("RGBA" if clear else "RGB")
    if clear:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.copy() if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def describe(image: Any, kind: str, quality: int) -> dict[str, Any]:
    """What to save with: quality, colour profile, EXIF, and the texts of a PNG, such as the graph that made it."""
    from PIL import PngImagePlugin

    texts = dict(getattr(image, "text", None) or {})
    exif = image.getexif()
    options: dict[str, Any] = {}
    if kind != "webp" and isinstance(image.info.get("dpi"), tuple):
        options["dpi"] = image.info["dpi"]
    if image.info.get("icc_profile"):
        options["icc_profile"] = image.info["icc_profile"]
    if kind == "png":
        info = PngImagePlugin.PngInfo()
        for key, value in {**texts_of(exif), **texts}.items():
            # As ComfyUI writes them. Pillow writes what is not Latin-1 as iTXt.
            info.add_text(key, str(value))
        options["pnginfo"] = info
    else:
        others = [(key, value) for key, value in texts.items() if key not in ("prompt", XMP)]
        for tag, (key, value) in zip(range(WORKFLOW, WORKFLOW - MAX_TEXTS, -1), others, strict=False):
            exif[tag] = f"{key}:{to_ascii(value)}"
        if "prompt" in texts:
            exif[PROMPT] = f"prompt:{to_ascii(texts['prompt'])}"
        if isinstance(image.info.get("xmp"), bytes):
            options["xmp"] = image.info["xmp"]
        options["quality"] = quality
        if kind == "webp":
            options["method"] = 4
            if quality == 100:
                options["lossless"] = True
    if len(exif):
        options["exif"] = exif.tobytes()
    return options


def texts_of(exif: Any) -> dict[str, str]:
    """Texts that ComfyUI's nodes put into EXIF."""
    found: dict[str, str] = {}
    for tag in range(PROMPT, WORKFLOW - MAX_TEXTS, -1):
        key, _, value = str(exif.get(tag, "")).partition(":")
        if value[:1] in ("{", "[") and key.isidentifier():
            found[key] = value.rstrip("\0")
            del exif[tag]
    return found


def to_ascii(text: str) -> str:
    """EXIF has ASCII only, and so does JSON where one wants."""
    if text.isascii():
        return text
    with contextlib.suppress(ValueError, RecursionError):
        return json.dumps(json.loads(text))
    note("characters beyond ASCII in the image's texts became question marks")
    return text


def save(image: Any, kind: str, options: dict[str, Any]) -> bytes:
    try:
        return written(image, kind, options)
    except ValueError as e:
        # JPEG has room for 64 KiB.
        if "exif" not in options or "EXIF" not in str(e):
            raise
        note("what is written in the image (its graph) does not fit into this format, and is left out")
        return written(image, kind, {key: value for key, value in options.items() if key != "exif"})


def written(image: Any, kind: str, options: dict[str, Any]) -> bytes:
    made = io.BytesIO()
    image.save(made, format=kind, **options)
    return made.getvalue()


def note(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(5)
    sys.exit(main(sys.argv[1:]))
