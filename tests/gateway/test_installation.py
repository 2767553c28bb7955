"""The writable ComfyUI that runs, and the models that it shows."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.gateway import installation
from pycomfy.gateway.events import Failure
from pycomfy.gateway.installation import prepare
from pycomfy.gateway.launch import plan_model_paths
from pycomfy.gateway.model_links import link_models
from pycomfy.gateway.places import Places
from tests.support.waiting import wait_until

PACK = "comfyui/custom_nodes/painter"
BIG = b"x" * (installation.MAX_OTHER + 1)


def make(root: Path, files: Mapping[str, str | bytes]) -> Places:
    """An image with these files, and folders that nobody has written to."""
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data.encode() if isinstance(data, str) else data)
    return Places(comfyui=root / "comfyui", data=root / "data", models=root / "models", temp=root / "tmp")


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_pack_writes_beside_its_code_and_the_image_stays(tmp_path: Path) -> None:
    files = {
        "main.py": "",
        "web/index.html": "<html>",
        f"{PACK[8:]}/__init__.py": "",
        f"{PACK[8:]}/settings.json": "{}",
    }
    places = make(tmp_path, {f"comfyui/{path}": text for path, text in files.items()})
    before = read_all(places.comfyui)
    own = prepare(places)
    pack = own.comfyui / "custom_nodes/painter"
    real = Path(os.path.realpath(pack / "__init__.py")).parent
    assert real == pack.resolve(), "a pack that resolves its folder gets the same one"
    for path in ("custom_nodes/painter/settings.json", "custom_nodes/painter/new/log.txt", "web/a.js", "styles/s.csv"):
        (own.comfyui / path).parent.mkdir(exist_ok=True)
        (own.comfyui / path).write_text("written")
    (own.comfyui / "output/picture.png").write_text("seen")
    assert read_all(places.comfyui) == before
    assert (places.data / "output/picture.png").read_text() == "seen"


def test_large_files_and_libraries_are_links_and_what_browsers_get_is_not(tmp_path: Path) -> None:
    small = ("small.bin", "fast.cpython-311-x86_64-linux-gnu.so", "lib/libfast.so.1")
    names = ("weights.bin", "web/logo.png", "js/deep/logo.png", "big.json", "big.js", *small)
    own = prepare(make(tmp_path, {f"{PACK}/{name}": b"x" if name in small else BIG for name in names}))
    pack = own.comfyui / "custom_nodes/painter"
    assert [name for name in names if (pack / name).is_symlink()] == ["weights.bin", *small[1:]]
    assert all((pack / name).read_bytes() for name in names)


def test_bytecode_of_the_image_is_used_for_the_copy(tmp_path: Path) -> None:
    places = make(tmp_path, {"comfyui/thing.py": "VALUE = 1\n"})
    compiling = "import py_compile; py_compile.compile('thing.py', invalidation_mode=py_compile.PycInvalidationMode"
    subprocess.run([sys.executable, "-c", f"{compiling}.UNCHECKED_HASH)"], cwd=places.comfyui, check=True)
    # As nothing but the bytecode says so, the answer shows who was asked.
    (places.comfyui / "thing.py").write_text("VALUE = 2\n")
    own = prepare(places)
    asked = [sys.executable, "-B", "-c", "import thing; print(thing.VALUE, thing.__file__)"]
    done = subprocess.run(asked, cwd=own.comfyui, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", str(own.comfyui / "thing.py")]


def test_links_of_a_pack_lead_to_the_copies(tmp_path: Path) -> None:
    places = make(tmp_path, {f"{PACK}/a/settings.json": "{}", "elsewhere.txt": "far"})
    pack = places.comfyui / "custom_nodes/painter"
    (pack / "inside.json").symlink_to("a/settings.json")
    (pack / "outside.txt").symlink_to("../../../elsewhere.txt")
    (pack / "dangling").symlink_to("nowhere")
    (pack / "loop").symlink_to("loop")
    own = prepare(places).comfyui / "custom_nodes/painter"
    (own / "inside.json").write_text("written")
    assert (own / "a/settings.json").read_text() == "written" and (pack / "a/settings.json").read_text() == "{}"
    assert (own / "outside.txt").read_text() == "far"
    assert (own / "dangling").is_symlink() and (own / "loop").is_symlink()


def test_times_and_rights_to_execute_are_kept(tmp_path: Path) -> None:
    places = make(tmp_path, {f"{PACK}/run.sh": "#!/bin/sh"})
    script = places.comfyui / "custom_nodes/painter/run.sh"
    script.chmod(0o555)
    os.utime(script, (0, 0))
    copy = prepare(places).comfyui / "custom_nodes/painter/run.sh"
    assert copy.stat().st_mtime == 0 and copy.stat().st_mode & 0o777 == 0o755


START = """
import sys
from pathlib import Path
from pycomfy.gateway.installation import prepare
from pycomfy.gateway.places import Places

root = Path(sys.argv[1])
own = prepare(Places(comfyui=root / "comfyui", data=root / "data", models=root / "models", temp=root / "tmp")).comfyui
(own / "custom_nodes/painter/settings.json").write_text("written")
print(own)
"""


def test_a_second_start_begins_anew_in_the_same_folder(tmp_path: Path) -> None:
    places = make(tmp_path, {f"{PACK}/settings.json": "{}"})
    command = [sys.executable, "-c", START, str(tmp_path)]
    starts = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() for _ in range(2)]
    first, second = prepare(places), prepare(places)
    assert starts == [str(tmp_path / "tmp/ComfyUI")] * 2 == [str(first.comfyui)] * 2
    assert first.comfyui != second.comfyui, "one that runs is left alone"
    for own in (first, second):
        assert (own.comfyui / "custom_nodes/painter/settings.json").read_text() == "{}"


def test_nothing_to_write_to_is_a_failure_that_says_so(tmp_path: Path) -> None:
    places = make(tmp_path, {"comfyui/main.py": "", "file": ""})
    with pytest.raises(Failure, match=r"cannot lay out a writable ComfyUI: .*file"):
        prepare(replace(places, temp=tmp_path / "file"))


def test_models_are_where_packs_look_and_downloads_are_kept(tmp_path: Path) -> None:
    files = {
        "comfyui/models/configs/v1.yaml": "config",
        "comfyui/models/loras/put_loras_here": "",
        "models/loras/mounted.safetensors": "m",
        "models/loras/both.safetensors": "mounted",
        "models/ultralytics/bbox/face.pt": "f",
        "data/models/loras/both.safetensors": "downloaded",
    }
    places = make(tmp_path, files)
    models = prepare(places).comfyui / "models"
    listed = {str(Path(parent, n).relative_to(models)) for parent, _, names in os.walk(models) for n in names}
    assert listed == {
        "configs/v1.yaml",
        "loras/mounted.safetensors",
        "loras/both.safetensors",
        "ultralytics/bbox/face.pt",
    }
    assert (models / "loras/both.safetensors").read_text() == "downloaded"
    (models / "ultralytics/bbox/hand.pt").write_text("h")
    assert (places.data / "models/ultralytics/bbox/hand.pt").read_text() == "h"


def test_links_to_models_that_are_gone_are_removed(tmp_path: Path) -> None:
    places = make(tmp_path, {"comfyui/main.py": "", "models/loras/a.pt": "a", "models/loras/b.pt": "b"})
    prepare(places)
    (tmp_path / "models/loras/a.pt").unlink()
    (tmp_path / "models/loras/c.pt").write_text("c")
    link_models(places)
    assert {path.name for path in (places.data / "models/loras").iterdir()} == {"b.pt", "c.pt"}


FOLLOW = """
import os
import sys
import time
from pathlib import Path
from pycomfy.gateway import model_links
from pycomfy.gateway.places import Places

root = Path(sys.argv[1])
os.path.ismount = lambda path: True
model_links.FOLLOW_INTERVAL = 0.02
model_links.follow_models(Places(comfyui=root / "comfyui", data=root / "data", models=root / "models"))
print("parent", flush=True)
time.sleep(600)
"""


def test_a_model_that_comes_while_comfyui_serves_is_linked(tmp_path: Path) -> None:
    places = make(tmp_path, {"comfyui/main.py": "", "models/loras/a.pt": "a"})
    prepare(places)
    parent = subprocess.Popen([sys.executable, "-c", FOLLOW, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None and parent.stdout.readline() == b"parent\n"
        (tmp_path / "models/new").mkdir()
        (tmp_path / "models/new/b.pt").write_text("b")
        (tmp_path / "models/loras/c.pt").write_text("c")
        linked = [places.data / "models" / path for path in ("new/b.pt", "loras/c.pt")]
        wait_until(lambda: all(path.exists() for path in linked))
    finally:
        parent.kill()
    # The end of the pipe: nobody holds it any more, so the other process has ended, too.
    assert parent.stdout.read() == b""
    parent.wait()


def test_only_folders_that_comfyui_does_not_know_are_in_the_path_file(tmp_path: Path) -> None:
    """With a folder twice, a model would be in some lists twice."""
    known = 'folder_names_and_paths["controlnet"] = ([os.path.join(models_dir, "controlnet"), '
    known += 'os.path.join(models_dir, "t2i_adapter")], x)\n'
    folders = ("controlnet", "t2i_adapter", "ultralytics", "odd name", "base_path", ".hidden")
    files = {f"models/{folder}/m.pt": "m" for folder in folders}
    own = prepare(make(tmp_path, {"comfyui/folder_paths.py": known, **files}))
    assert plan_model_paths(own) == {
        "models": {"base_path": str(own.comfyui / "models"), "odd name": "odd name", "ultralytics": "ultralytics"}
    }
