"""What Nix makes of a lock: an image whose bytes depend on the lock alone."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.layer_wheels import read_misrecorded
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io import process
from pycomfy.adapters.nix.build import BuildTarget, evaluate
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Lock, Root
from pycomfy.errors import BuildFailed, HashMismatch, NetworkError
from tests.support.nix_projects import (
    Workshop,
    bucket_of,
    built,
    evaluate_expression,
    layer_named,
    names_in,
    names_in_buckets,
)


def small_lock(workshop: Workshop, root: Root, **more: Root) -> Lock:
    wheels = [
        workshop.wheel("one", {"one/__init__.py": b"x = 1\n", "ns/__init__.py": b""}),
        workshop.wheel("two", {"two.py": b"def f(): return {'a', 'b', 'c'}\n", "ns/__init__.py": b""}),
    ]
    packs = [workshop.pack("greeter", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n", "data/x.txt": "x"})]
    return workshop.lock({"linux/amd64": root, **({"linux/arm64": more["arm"]} if more else {})}, wheels, packs)


def config_of(oci: Path) -> dict[str, Any]:
    image = read_layout(oci)
    value: dict[str, Any] = json.loads(image.blob(image.config_digest).read_text())
    return value


def test_the_image_has_everything_at_its_place(workshop: Workshop, root: Root) -> None:
    oci = built(workshop, workshop.project(small_lock(workshop, root)))
    image = read_layout(oci)
    buckets = (bucket_of("two"), bucket_of("one"))
    assert image.layer_names == ("root", "venv", "gateway", *buckets, "comfyui", "pack-greeter", "workflow")
    wheels = names_in(oci, bucket_of("two"))
    site = "opt/venv/lib/python3.11/site-packages"
    assert {f"{site}/two.py", f"{site}/__pycache__/two.cpython-311.pyc", f"{site}/two-1.0.dist-info/RECORD"} <= set(
        wheels
    )
    comfyui = names_in(oci, "comfyui")
    assert "opt/ComfyUI/main.py" in comfyui and "opt/ComfyUI/secret.yaml" not in comfyui
    assert "opt/ComfyUI/custom_nodes/greeter/data/x.txt" in names_in(oci, "pack-greeter")
    assert "opt/pycomfy/prompt.json" in names_in(oci, "workflow")
    gateway = names_in(oci, "gateway")
    assert {
        "opt/pycomfy/gateway/__main__.py",
        "opt/pycomfy/gateway/__pycache__/command.cpython-311.pyc",
        "opt/gateway/pyvenv.cfg",
        "opt/gateway/lib/python3.11/site-packages/gatewaykit/__init__.py",
        "opt/gateway/lib/python3.11/site-packages/gatewaykit/__pycache__/__init__.cpython-311.pyc",
    } <= gateway.keys()
    assert "opt/pycomfy/gateway/requirements.txt" not in gateway
    assert gateway["opt/gateway/bin/python"].target == "/usr/bin/python3.11"
    others = {name for layer in image.layer_names if layer != "gateway" for name in names_in(oci, layer)}
    assert not [name for name in others if "gateway" in name]
    venv = names_in(oci, "venv")
    assert (venv["data/output"].uid, venv["tmp"].mode, venv["opt/venv/bin/python"].target) == (
        1000,
        0o1777,
        "/usr/bin/python3.11",
    )
    # Nothing but /data and the temporary folders belongs to the user, or may be written by everyone.
    for layer in image.layer_names:
        for name, entry in names_in(oci, layer).items():
            assert entry.uid == 0 or name.split("/")[0] == "data", name
            assert not entry.mode & 0o022 or entry.target is not None or name in ("tmp", "var/tmp"), name
            assert not entry.mode & 0o6000, name


def test_the_config_says_how_it_runs_and_what_it_is(workshop: Workshop, root: Root) -> None:
    lock = small_lock(workshop, root)
    config = config_of(built(workshop, workshop.project(lock)))
    assert config["architecture"] == "amd64"
    inner = config["config"]
    assert inner["User"] == "1000:1000"
    assert inner["Entrypoint"][0].endswith("/tini")
    gateway = ["/opt/gateway/bin/python", "-E", "-u", "-B", "/opt/pycomfy/gateway"]
    assert inner["Entrypoint"][-5:] == gateway
    assert inner["Healthcheck"]["Test"] == ["CMD", *gateway, "health"]
    assert inner["ExposedPorts"] == {"8000/tcp": {}}
    assert "NVIDIA_VISIBLE_DEVICES=all" in inner["Env"]
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video" in inner["Env"]
    labels = inner["Labels"]
    assert labels["org.opencontainers.image.version"] == "0.0.1"
    assert labels["org.opencontainers.image.source"] == lock.comfyui.source.address
    assert labels["dev.pycomfy.workflow.sha256"] == lock.workflow.sha256


def test_surroundings_change_no_bit(workshop: Workshop, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandbox on and off, one job and two, another path, time zone, language and umask."""
    lock = small_lock(workshop, root)
    # A pack nobody has: everything above it is built here and now.
    lock = lock.model_copy(
        update={"packs": (workshop.pack("p" + secrets.token_hex(4), {"x.py": secrets.token_hex()}),)}
    )
    project = workshop.project(lock)
    first = built(workshop, project)
    elsewhere = workshop.folder / "else where" / "moved"
    shutil.copytree(project, elsewhere)
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    before = os.umask(0o077)
    try:
        for sandbox, jobs in ((True, 1), (False, 2), (False, 1)):
            settings = NixSettings(sandbox=sandbox, jobs=jobs)
            other = workshop.with_settings(settings)
            assert built(other, elsewhere) == first
            # `--check` builds again and compares every bit of the output with what is there.
            for attribute in ("layers", "layout"):
                command = settings.command("nix-build", elsewhere, "-A", attribute, "--check", "--no-out-link")
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
                assert done.stderr.count("checking outputs of") == (8 if attribute == "layers" else 1)
    finally:
        os.umask(before)


def test_the_whole_layout_has_the_tar_of_every_layer(workshop: Workshop, root: Root) -> None:
    project = workshop.project(small_lock(workshop, root))
    layout, oci = built(workshop, project), built(workshop, project, attribute="oci")
    image = read_layout(layout)
    for name in ("index.json", "oci-layout"):
        assert (oci / name).read_bytes() == (layout / name).read_bytes()
    blobs = {blob.name: blob for blob in (oci / "blobs/sha256").iterdir()}
    digests = {image.manifest_digest, image.config_digest, *image.layers}
    assert {f"sha256:{name}" for name in blobs} == digests
    for name, blob in blobs.items():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == name
    sizes = sum(blobs[d.removeprefix("sha256:")].stat().st_size for d in (image.config_digest, *image.layers))
    assert image.size == sizes


def test_no_tar_of_a_layer_is_made_for_what_pycomfy_starts(workshop: Workshop, root: Root) -> None:
    project = workshop.project(small_lock(workshop, root))
    plan = evaluate(workshop.settings, BuildTarget(project, "layout", "linux/amd64"))
    assert not [path for path in plan.derivations if "-tar-" in path]
    assert [
        path
        for path in evaluate(workshop.settings, BuildTarget(project, "oci", "linux/amd64")).derivations
        if "-tar-" in path
    ]


def test_a_layer_does_not_change_when_debian_does(workshop: Workshop, root: Root, other_root: Root) -> None:
    lock = small_lock(workshop, root)
    moved = lock.model_copy(
        update={"platforms": {"linux/amd64": lock.platforms["linux/amd64"].model_copy(update={"root": other_root})}}
    )
    one = read_layout(built(workshop, workshop.project(lock, "one")))
    two = read_layout(built(workshop, workshop.project(moved, "two")))
    before = dict(zip(one.layer_names, one.diff_ids, strict=True))
    after = dict(zip(two.layer_names, two.diff_ids, strict=True))
    # The workflow's layer holds the lock, so it tells the difference, and only that.
    assert {name for name in before if before[name] != after[name]} == {"root", "workflow"}


def test_an_arm64_image_is_built_on_amd64(workshop: Workshop, root: Root, arm_root: Root) -> None:
    lock = small_lock(workshop, root, arm=arm_root)
    oci = built(workshop, workshop.project(lock), "linux/arm64")
    assert config_of(oci)["architecture"] == "arm64"
    assert read_layout(oci).platform == "linux/arm64"
    assert any(name.endswith("ld-linux-aarch64.so.1") for name in names_in(oci, "root"))
    other = built(workshop, workshop.project(lock), "linux/amd64")
    mine, theirs = read_layout(oci), read_layout(other)
    # Pure wheels, ComfyUI, packs and bytecode are the same on both.
    assert [n for n, a, b in zip(mine.layer_names, mine.diff_ids, theirs.diff_ids, strict=True) if a != b] == ["root"]


@pytest.mark.parametrize(("other", "where"), [("twin", "layer-c-wheels-67"), ("leaves", "image-small-amd64")])
def test_wheels_that_contradict_one_another_are_refused_by_name(
    workshop: Workshop, root: Root, other: str, where: str
) -> None:
    """In one bucket, or in two."""
    wheels = [workshop.wheel("good", {"cv2/__init__.py": b"1"}), workshop.wheel(other, {"cv2/__init__.py": b"2"})]
    project = workshop.project(workshop.lock({"linux/amd64": root}, wheels, []))
    named = rf"(good 1\.0 and {other} 1\.0|{other} 1\.0 and good 1\.0) both ship .*cv2/__init__\.py"
    with pytest.raises(BuildFailed, match=named) as caught:
        built(workshop, project)
    assert where in caught.value.evidence


def test_a_file_that_is_excluded_leaves_its_place_to_another_wheel(workshop: Workshop, root: Root) -> None:
    one = workshop.wheel("keeps", {"tests/__init__.py": b"1"})
    two = workshop.wheel("leaves", {"tests/__init__.py": b"2", "y.py": b""})
    wheels = [one, two.model_copy(update={"exclude": ("tests/__init__.py",)})]
    oci = built(workshop, workshop.project(workshop.lock({"linux/amd64": root}, wheels, [])))
    site = "opt/venv/lib/python3.11/site-packages"
    assert {f"{site}/tests/__init__.py", f"{site}/y.py"} <= set(names_in_buckets(oci))


def test_a_wheel_with_a_wrong_record_is_installed_like_one_with_a_right_record(workshop: Workshop, root: Root) -> None:
    """What pip installs is installed; who wrote the RECORD makes no difference in the image."""
    images = []
    for record in (True, False):
        wheels = [workshop.wheel("odd", {"x.py": b"y = 1\n"}, record=record), workshop.wheel("fine", {"z.py": b""})]
        project = workshop.project(workshop.lock({"linux/amd64": root}, wheels, []))
        images.append(read_layout(built(workshop, project)))
    right, wrong = images
    wheels_of = [[d for n, d in zip(i.layer_names, i.diff_ids, strict=True) if "wheels" in n] for i in images]
    assert wheels_of[0] == wheels_of[1] != []
    assert (read_misrecorded(right), read_misrecorded(wrong)) == ((), ("odd 1.0",))


def test_a_wheel_that_was_changed_upstream_is_refused_with_both_hashes(workshop: Workshop, root: Root) -> None:
    wheel = workshop.wheel("moved" + secrets.token_hex(4), {"x.py": b""})
    project = workshop.project(workshop.lock({"linux/amd64": root}, [wheel], []))
    (workshop.folder / wheel.filename).write_bytes(b"another")
    with pytest.raises(HashMismatch, match=wheel.filename) as caught:
        built(workshop, project)
    assert "locked" in caught.value.what and "got" in caught.value.what


def test_a_wheel_that_is_gone_is_named_with_its_url(workshop: Workshop, root: Root) -> None:
    wheel = workshop.wheel("gone" + secrets.token_hex(4), {"x.py": b""})
    project = workshop.project(workshop.lock({"linux/amd64": root}, [wheel], []))
    (workshop.folder / wheel.filename).unlink()
    with pytest.raises(NetworkError, match=wheel.filename):
        built(workshop, project)


def test_a_local_folder_that_is_not_in_the_nix_store_says_how_it_gets_there(workshop: Workshop, root: Root) -> None:
    pack = workshop.pack("there", {"x.py": secrets.token_hex()})
    absent = pack.model_copy(update={"name": "absent"})  # the store path has the name in it
    project = workshop.project(workshop.lock({"linux/amd64": root}, [], [absent]))
    with pytest.raises(BuildFailed, match="absent is missing") as caught:
        built(workshop, project)
    assert "Copy it from an archive" in f"{caught.value} {caught.value.where}"


def test_an_unlocked_platform_says_how_to_lock_it(workshop: Workshop, root: Root) -> None:
    project = workshop.project(small_lock(workshop, root))
    with pytest.raises(BuildFailed, match="pycomfy lock --platform linux/arm64"):
        built(workshop, project, "linux/arm64")


def test_a_lock_without_the_gateways_packages_says_how_it_gets_them(workshop: Workshop, root: Root) -> None:
    lock = small_lock(workshop, root)
    bare = lock.platforms["linux/amd64"].model_copy(update={"gateway": ()})
    project = workshop.project(lock.model_copy(update={"platforms": {"linux/amd64": bare}}))
    with pytest.raises(BuildFailed, match="no packages for the gateway: `pycomfy lock`"):
        built(workshop, project)


def test_another_gateway_changes_its_layer_and_no_other(workshop: Workshop, root: Root) -> None:
    """Its packages are in no other's way: one with the name of the workflow's is another file at another place."""
    lock = small_lock(workshop, root)
    pins = lock.platforms["linux/amd64"]
    images = []
    for number, gateway in enumerate([pins.gateway, (*pins.gateway, pins.wheels[0])]):
        changed = lock.model_copy(update={"platforms": {"linux/amd64": pins.model_copy(update={"gateway": gateway})}})
        images.append(read_layout(built(workshop, workshop.project(changed, f"project{number}"))))
    one, two = (dict(zip(image.layer_names, image.diff_ids, strict=True)) for image in images)
    # The workflow's layer holds the lock.
    assert {name for name in one if one[name] != two[name]} == {"gateway", "workflow"}


def test_the_flake_builds_the_same_image_without_fetching_nixpkgs(workshop: Workshop, root: Root) -> None:
    project = workshop.project(small_lock(workshop, root))
    expected = built(workshop, project, attribute="oci")
    features = ("--extra-experimental-features", "nix-command flakes")
    command = workshop.settings.command("nix", *features, "build", "--json", "--no-link", f"path:{project}#oci")
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)[0]["outputs"]["out"] == str(expected)


def test_a_command_of_two_wheels_is_that_of_the_one_that_keeps_it(workshop: Workshop, root: Root) -> None:
    entry = "[console_scripts]\nboth = {0}:run\nonly-{0} = {0}:run\n"
    wheels = [
        workshop.wheel(n, {f"{n}.py": b"", f"{n}-1.0.dist-info/entry_points.txt": entry.format(n).encode()})
        for n in ("one", "two")
    ]
    lock = workshop.lock({"linux/amd64": root}, wheels, [])
    with pytest.raises(BuildFailed):
        built(workshop, workshop.project(lock))
    exclude = ("one-1.0.data/scripts/both",)
    lock = workshop.lock({"linux/amd64": root}, [wheels[0].model_copy(update={"exclude": exclude}), wheels[1]], [])
    oci = built(workshop, workshop.project(lock, "settled"))
    assert {name for name in names_in_buckets(oci) if name.startswith("opt/venv/bin/")} == {
        f"opt/venv/bin/{name}" for name in ("both", "only-one", "only-two")
    }
    script = layer_named(oci, bucket_of("two")) / "diff/opt/venv/bin/both"
    assert "from two import run" in script.read_text()


def test_only_an_image_with_a_compiler_names_it_in_its_environment(workshop: Workshop, root: Root) -> None:
    lock = small_lock(workshop, root)
    project = workshop.project(lock.model_copy(update={"compiler": True}))
    expression = '(import {}/nix/oci.nix {{ runPython = null; }}).config {{ lock = {}; lockHash = ""; }}'
    locks = [f"builtins.fromJSON (builtins.readFile {project}/pycomfy.lock)"]
    locks.append(f'builtins.removeAttrs ({locks[0]}) [ "compiler" ]')
    found = [evaluate_expression(project, f"({expression.format(project, text)}).Env") for text in locks]
    assert isinstance(found[0], list) and isinstance(found[1], list)
    assert {*found[0]} - {*found[1]} == {"CC=gcc", "CXX=g++", "TORCHINDUCTOR_CACHE_DIR=/tmp/torchinductor"}


def test_docker_tools_get_the_same_layers_and_config(workshop: Workshop, root: Root) -> None:
    """nixpkgs cannot be reached everywhere, so a stand-in records what it is asked for; its base image is real."""
    project = workshop.project(small_lock(workshop, root))
    stand_in = "{ dockerTools.streamLayeredImage = arguments: arguments; }"
    asked = evaluate_expression(project, f'removeAttrs (project {{ pkgs = {stand_in}; }}).image [ "fromImage" ]')
    assert isinstance(asked, dict)
    oci = built(workshop, project)
    assert asked["config"] == config_of(oci)["config"]
    assert (asked["name"], asked["tag"], asked["architecture"]) == ("small", "latest", "amd64")
    assert asked["created"] == asked["mtime"] == "2025-12-05T00:00:00Z"
    base = subprocess.run(
        workshop.settings.command(
            "nix-build",
            "--no-out-link",
            "--expr",
            f"((import {project}/default.nix) {{ pkgs = {stand_in}; }}).image.fromImage",
        ),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with tarfile.open(base) as tar:
        listing = tar.extractfile("manifest.json")
        assert listing is not None
        (entry,) = json.load(listing)
        config = tar.extractfile(entry["Config"])
        assert config is not None
        assert json.load(config)["rootfs"]["diff_ids"] == list(read_layout(oci).diff_ids)
        assert len(entry["Layers"]) == 8 and set(entry["Layers"]) <= set(tar.getnames())
    inspected = process.run(["skopeo", "inspect", "--config", f"docker-archive:{base}"])
    read = json.loads(inspected.stdout)
    assert {key: read[key] for key in ("rootfs", "history")} == {
        key: config_of(oci)[key] for key in ("rootfs", "history")
    }


def test_sources_are_everything_that_is_fetched(workshop: Workshop, root: Root, arm_root: Root) -> None:
    lock = small_lock(workshop, root, arm=arm_root)
    paths = evaluate(workshop.settings, BuildTarget(workshop.project(lock), "sources", "linux/arm64")).outputs
    names = {path.split("-", 1)[1] for path in paths}
    wheels = {w.filename for w in lock.platforms["linux/arm64"].every_wheel}
    assert "gatewaykit-1.0-py3-none-any.whl" in wheels
    comfyui = "comfy-1.0-py3-none-any.whl"
    assert names == {"greeter", "debian-root-amd64", "debian-root-arm64", comfyui, *wheels}
