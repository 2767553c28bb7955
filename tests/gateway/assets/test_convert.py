import asyncio
import io
import json
import os
import struct
import sys
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pycomfy.gateway.assets.convert import ConversionFailed, Converted, Format, Limits, convert_image
from pycomfy.gateway.assets.model import BlobLost, NewAsset
from pycomfy.gateway.assets.store import AssetStore

GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"text": "ü" * 50}}})
WORKFLOW = json.dumps({"nodes": [], "title": "日本"}, ensure_ascii=False)


def in_store(folder: Path, use: Callable[[AssetStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with AssetStore.open(folder / "assets") as store:
            return await use(store)

    return asyncio.run(run())


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, format=kind, **options)
    return made.getvalue()


def with_graph(image: Image.Image) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", GRAPH)
    info.add_text("workflow", WORKFLOW)
    info.add_text("pycomfy", '{"name": "x"}')
    return encode(image, "png", pnginfo=info)


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    colors = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (colors, colors.rotate(180), colors)).convert(mode)


def convert(folder: Path, data: bytes, target: Format, **options: Any) -> tuple[Converted, Any]:
    async def use(store: AssetStore) -> tuple[Converted, Any]:
        asset = (await store.receive([data], NewAsset("ann", "image/png", "sub/My p.png", ("t",), "job"))).asset
        converted = await convert_image(store, asset, target, python=Path(sys.executable), **options)
        assert (converted.asset.owner, converted.asset.job, converted.asset.tags) == ("ann", "job", ("t",))
        image = Image.open(io.BytesIO(store.path(converted.asset).read_bytes()))
        image.load()
        assert store.path(asset).read_bytes() == data
        return converted, image

    result: tuple[Converted, Any] = in_store(folder, use)
    return result


def refused(folder: Path, data: bytes, target: Format = "webp", **options: Any) -> str:
    """Why it was not converted; the original stays, and nothing else is there."""

    async def use(store: AssetStore) -> str:
        asset = (await store.receive([data], NewAsset(file_path="p.png", job="job"))).asset
        with pytest.raises(ConversionFailed) as e:
            await convert_image(store, asset, target, python=Path(sys.executable), **options)
        assert store.path(asset).read_bytes() == data
        assert (await store.usage()).assets == 1
        return str(e.value)

    why: str = in_store(folder, use)
    return why


@pytest.mark.parametrize(
    ("mode", "target", "name"),
    [
        ("RGB", "png", "My p.png"),
        ("RGB", "jpeg", "My p.jpg"),
        ("RGB", "webp", "My p.webp"),
        ("I;16", "png", "My p.png"),
        *((mode, "jpeg", "My p.jpg") for mode in ("1", "L", "LA", "P", "I;16")),
        *((mode, "webp", "My p.webp") for mode in ("1", "LA", "P", "I;16")),
    ],
)
def test_every_mode_is_converted(tmp_path: Path, mode: str, target: Format, name: str) -> None:
    image = Image.new("I;16", (40, 30), 0x8000) if mode == "I;16" else picture(mode)
    converted, made = convert(tmp_path, encode(image, "png"), target)
    assert made.format == target.upper()
    assert made.size == (40, 30)
    assert converted.asset.content_type == f"image/{target}"
    assert converted.asset.file_path == f"sub/{name}"
    assert converted.notes == ()
    if mode == "I;16":
        assert made.getpixel((5, 5)) in (0x8000, 0x80, (0x80, 0x80, 0x80))


def test_png_keeps_every_pixel(tmp_path: Path) -> None:
    clear = picture("RGBA")
    clear.putalpha(Image.radial_gradient("L").resize(clear.size))
    _, made = convert(tmp_path, encode(clear, "webp", lossless=True, exact=True), "png")
    assert made.tobytes() == clear.tobytes()
    _, made = convert(tmp_path, encode(picture(), "png"), "webp", quality=100)
    assert made.tobytes() == picture().tobytes()


def test_quality_is_followed(tmp_path: Path) -> None:
    data = encode(Image.effect_noise((200, 200), 80), "png")
    sizes = [convert(tmp_path, data, "jpeg", quality=quality)[0].asset.size for quality in (5, 50, 95)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_what_is_transparent_becomes_white_in_jpeg_and_stays_elsewhere(tmp_path: Path) -> None:
    data = encode(Image.new("RGBA", (16, 16), (255, 0, 0, 0)), "png")
    _, made = convert(tmp_path, data, "jpeg")
    assert made.getpixel((8, 8)) == (255, 255, 255)
    _, made = convert(tmp_path, data, "webp")
    assert made.getpixel((8, 8))[3] == 0


@pytest.mark.parametrize("target", ["jpeg", "webp"])
def test_the_graph_stays_in_the_picture(tmp_path: Path, target: Format) -> None:
    """In EXIF, as ComfyUI's own nodes write it, and back in the texts of a PNG."""
    converted, made = convert(tmp_path, with_graph(picture()), target)
    exif = made.getexif()
    assert exif[0x0110] == f"prompt:{GRAPH}"
    assert exif[0x010F].startswith("workflow:")
    assert json.loads(exif[0x010F].partition(":")[2]) == json.loads(WORKFLOW)
    assert exif[0x010E] == 'pycomfy:{"name": "x"}'
    assert converted.notes == ()
    _, back = convert(tmp_path, encode(made, "webp", exif=exif), "png")
    assert back.text["prompt"] == GRAPH
    assert json.loads(back.text["workflow"]) == json.loads(WORKFLOW)
    assert back.text["pycomfy"] == '{"name": "x"}'


def test_a_graph_that_does_not_fit_is_told(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", json.dumps({"text": "x" * 70_000}))
    data = encode(picture(), "png", pnginfo=info)
    converted, made = convert(tmp_path, data, "jpeg")
    assert "does not fit" in converted.notes[0]
    assert not made.getexif()
    converted, made = convert(tmp_path, data, "webp")
    assert converted.notes == ()
    assert len(made.getexif()[0x0110]) > 70_000


@pytest.mark.parametrize("target", ["png", "jpeg", "webp"])
def test_colour_profile_and_exif_are_kept(tmp_path: Path, target: Format) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    exif[0x010F] = "Canon"
    _, made = convert(tmp_path, encode(picture(), "jpeg", icc_profile=profile, exif=exif), target)
    assert made.info["icc_profile"] == profile
    assert made.getexif()[0x0112] == 6
    assert made.getexif()[0x010F] == "Canon"


def test_an_animation_stays_one_where_the_format_can(tmp_path: Path) -> None:
    frames = [picture().rotate(90 * n) for n in range(3)]
    data = encode(frames[0], "webp", save_all=True, append_images=frames[1:], duration=[10, 20, 30], lossless=True)
    _, made = convert(tmp_path, data, "png")
    assert made.n_frames == 3
    converted, made = convert(tmp_path, data, "jpeg")
    assert converted.notes == ("only the first of 3 frames is in it",)
    assert made.size == (40, 30)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    black = zlib.compress(bytes(min(height * (3 * width + 1), 1 << 28)))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", black) + chunk(b"IEND", b"")


def test_images_with_too_many_pixels_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, bomb(60_000, 60_000)) == (
        "p.png cannot be converted to webp: 3600000000 pixels are more than the 100000000 that are converted"
    )


def test_a_conversion_has_its_memory_and_no_more(tmp_path: Path) -> None:
    assert "memory" in refused(tmp_path, bomb(7_000, 7_000), limits=Limits(memory=300 << 20))
    converted, _ = convert(tmp_path / "more", encode(picture(), "png"), "webp", limits=Limits(memory=300 << 20))
    assert converted.asset.size


def test_a_conversion_has_its_time_and_no_more(tmp_path: Path) -> None:
    data = encode(Image.effect_noise((2000, 2000), 80), "png")
    assert "too long" in refused(tmp_path, data, limits=Limits(seconds=0.05))


def test_a_result_has_its_size_and_no_more(tmp_path: Path) -> None:
    data = encode(Image.effect_noise((600, 600), 80), "png")
    assert "bytes" in refused(tmp_path, data, "png", limits=Limits(result=10_000))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        os.urandom(5000),
        encode(picture(), "png")[:-60],
        encode(picture(), "jpeg")[:200],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch /tmp/pwned) (w) file\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        encode(Image.new("F", (3, 3)), "tiff"),
    ],
)
def test_what_is_no_whole_image_is_refused_with_its_name(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, data).startswith("p.png cannot be converted to webp: ")


def test_a_python_without_pillow_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho boom >&2\nexit 1\n")
    program.chmod(0o755)

    async def use(store: AssetStore) -> None:
        asset = (await store.receive([encode(picture(), "png")], NewAsset(file_path="p.png"))).asset
        with pytest.raises(ConversionFailed, match="the converter ended with 1"):
            await convert_image(store, asset, "webp", python=program)

    in_store(tmp_path, use)


def test_an_image_whose_bytes_are_gone_is_an_error(tmp_path: Path) -> None:
    async def use(store: AssetStore) -> None:
        asset = (await store.receive([b"x"], NewAsset())).asset
        store.path(asset).unlink()
        with pytest.raises(BlobLost):
            await convert_image(store, asset, "webp", python=Path(sys.executable))

    in_store(tmp_path, use)
