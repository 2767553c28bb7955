"""The main job, end to end and for real: the example becomes an image, the image a picture, and all of it again."""

import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import find_loaded, image_tag, provide
from pycomfy.adapters.io import process
from tests.stories.conftest import ROOT, Demo, picture

pytestmark = pytest.mark.story

VERIFY_NEEDS = 14e9  # bytes of disk: sources and layers once more


def config(build: dict[str, Any]) -> dict[str, Any]:
    blob = Path(build["oci"], "blobs", build["config_digest"].replace(":", "/"))
    value: dict[str, Any] = json.loads(blob.read_text())
    return value


def test_the_demo_makes_the_same_image_and_picture_twice(demo: Demo, made: dict[str, Any]) -> None:
    assert picture(made["run"]).stat().st_size > 100_000
    assert made["build"]["manifest_digest"] in made["stdout"]
    again = demo.make()
    assert again["build"]["manifest_digest"] == made["build"]["manifest_digest"]
    assert again["build"]["layers_built"] == 0 and not again["build"]["new"]
    assert picture(again["run"]) != picture(made["run"])  # nothing is overwritten
    assert picture(again["run"]).read_bytes() == picture(made["run"]).read_bytes()
    (version,) = demo.pycomfy("log", "hello")
    assert (version["version"], version["manifest_digest"]) == (1, made["build"]["manifest_digest"])


def test_inputs_change_the_picture_and_equal_inputs_make_equal_pictures(
    demo: Demo, made: dict[str, Any], tmp_path: Path
) -> None:
    def run(*inputs: str) -> bytes:
        given = [part for value in inputs for part in ("-i", value)]
        return picture(demo.pycomfy("run", "hello", "-o", str(tmp_path), *given)).read_bytes()

    own = picture(made["run"]).read_bytes()
    assert [p["name"] for p in demo.pycomfy("show", "hello")["inputs"]] == ["width", "height", "seed", "title"]
    (tmp_path / "title.txt").write_text("Good morning")
    (tmp_path / "both.json").write_text('{"title": "Good morning", "seed": 8}')
    changed = run("title=Good morning", "seed=8")
    assert changed != own and len(changed) > 100_000
    assert run(f"title=@{tmp_path / 'title.txt'}", "seed=8") == changed
    assert (
        picture(demo.pycomfy("run", "hello", "-o", str(tmp_path), "--inputs", str(tmp_path / "both.json"))).read_bytes()
        == changed
    )
    assert run("seed=7") == own, "the workflow's own value"
    demo.pycomfy("run", "hello", "-i", "seed=-1", status=1)


def test_the_image_has_a_layer_for_each_rate_of_change(made: dict[str, Any]) -> None:
    names = [entry["created_by"].removeprefix("pycomfy ") for entry in config(made["build"])["history"]]
    assert names[0].startswith("nvidia-cu")
    system = names.index("root")
    assert {"torch", "triton"} <= {*names[:system]} and names[system : system + 3] == ["root", "venv", "gateway"]
    assert names[-4].startswith("wheels-") and names[-3:] == ["comfyui", "pack-hello-card", "workflow"]
    assert len(names) <= 70


APP = sum(path.stat().st_size for path in (ROOT / "pycomfy/gateway/static").iterdir())
"""The bytes of the app's page, which is in the same layer, and has a limit of its own."""


def size_of_gateway(build: dict[str, Any]) -> int:
    """The bytes of the layer with the gateway and its packages, without the app's page."""
    number = [entry["created_by"] for entry in config(build)["history"]].index("pycomfy gateway")
    about = Path(build["oci"], "layers", build["diff_ids"][number].removeprefix("sha256:"), "layer.json")
    return int(json.loads(about.read_text())["size"]) - APP


def test_the_gateway_with_its_packages_takes_40_mb_at_most(made: dict[str, Any]) -> None:
    assert 10e6 < size_of_gateway(made["build"]) <= 40e6 and 0 < APP <= 400e3


def test_a_change_to_one_file_of_a_pack_builds_two_layers(demo: Demo, made: dict[str, Any], tmp_path: Path) -> None:
    """The pack's own, and the one that holds the lock; everything else is what it was."""
    folder = tmp_path / "hello"
    folder.mkdir()
    for name in ("workflow.json", "pycomfy.toml"):
        shutil.copy(demo.folder / name, folder)
    source = tmp_path / "hello-card"
    shutil.copytree(ROOT / "examples/packs/hello-card", source)
    with (source / "card.py").open("a") as f:
        f.write(f"\n# {secrets.token_hex()}\n")  # a change that no store has seen
    subprocess.run([ROOT / "scripts/make-pack.sh", source, folder / "packs/hello-card"], check=True)
    demo.pycomfy("lock", str(folder), "--name", "changed")
    build = demo.pycomfy("build", str(folder))
    before, after = made["build"]["diff_ids"], build["diff_ids"]
    assert [a == b for a, b in zip(before, after, strict=True)].count(False) == 2
    assert build["layers_built"] == 2
    run = demo.pycomfy("run", "changed", "--output", str(tmp_path / "out"))
    assert picture(run).stat().st_size > 100_000


def test_the_arm64_image_is_built_here_and_says_so(demo: Demo, made: dict[str, Any]) -> None:
    build = demo.pycomfy("build", str(demo.folder), "--platform", "linux/arm64")
    assert build["platform"] == "linux/arm64"
    assert config(build)["architecture"] == "arm64"
    assert 10e6 < size_of_gateway(build) <= 40e6
    assert build["version"] == made["build"]["version"]  # the same version, for another machine


def test_verify_builds_everything_again_and_finds_it_equal(demo: Demo, made: dict[str, Any]) -> None:
    free = shutil.disk_usage(demo.folder).free
    if free < VERIFY_NEEDS:
        pytest.skip(f"{free / 1e9:.0f} GB free, an empty store needs {VERIFY_NEEDS / 1e9:.0f}")
    answer = demo.pycomfy("verify", "hello")
    assert answer["equal"] and answer["rebuilt"] == made["build"]["manifest_digest"]


def test_the_engine_starts_the_image_under_the_workflows_name_and_has_loaded_nothing(
    made: dict[str, Any], engine: Engine
) -> None:
    """The one with the prompt, and not the one that was asked for its nodes."""
    layout = read_layout(Path(made["build"]["oci"]))
    image = provide(engine, layout, "hello")
    found = process.run(engine.command("image", "inspect", "--format", "{{.RepoTags}}", image.id, store=image.store))
    assert found.stdout.decode().strip() == f"[{image_tag('hello')}]"
    assert image.id.removeprefix("sha256:") == made["build"]["config_digest"].removeprefix("sha256:")
    assert not engine.links_images or find_loaded(engine, layout) is None
