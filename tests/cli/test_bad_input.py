"""Wrong files, names, requirements and hashes: each is told with what, where and how to fix it, and leaves nothing."""

import hashlib
import json
import os
import sqlite3
import struct
import zlib
from pathlib import Path

import pytest

from tests.support.cli_projects import CONFIG, Place, Surroundings, check_refusal, is_root, refused
from tests.support.repositories import commit
from tests.support.saved_nodes import saved_node

# — files that are no workflow —


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"nodes": [', "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "200 levels deep"),
        (b"[1, 2]", "a list"),
        (b'{"name": "package"}', "not a ComfyUI workflow"),
        (b'{"nodes": [7], "links": []}', "node"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no workflow in this PNG"),
        (b"\x00\x01\x02", "not a file format that can contain a workflow"),
    ],
    ids=["cut", "empty", "deep", "list", "other-json", "no-node", "png", "binary"],
)
def test_a_file_that_is_no_workflow_is_named(place: Place, data: bytes, told: str) -> None:
    place.write("x.json", data)
    outcome = refused(place, "inspect", "x.json", code="bad-workflow")
    assert told in outcome.told and "x.json" in outcome.told


@pytest.mark.parametrize("command", ["lock", "build"])
@pytest.mark.parametrize("data", [b'{"nodes": [', b"[1, 2]", b"\x89PNG\r\n\x1a\n"], ids=["cut", "list", "png"])
def test_nothing_is_made_of_a_file_that_is_no_workflow(place: Place, command: str, data: bytes) -> None:
    place.write("x.json", data)
    assert "x.json" in refused(place, command, "x.json", code="bad-workflow").told
    assert not place.lock.exists() and not place.half_written() and not place.data.exists()


def test_a_truncated_png_is_called_malformed(place: Place) -> None:
    text = b"workflow\0" + json.dumps({"nodes": [], "links": []}).encode()
    chunk = b"tEXt" + text
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(text)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    place.write("cut.png", png[:40])
    assert "malformed PNG" in refused(place, "inspect", "cut.png", code="bad-workflow").told
    place.write("whole.png", png)
    assert place.run("inspect", "whole.png").status == 0


@pytest.mark.parametrize("command", ["inspect", "lock", "build"])
def test_a_folder_without_a_workflow_and_a_missing_file_are_not_found(place: Place, command: str) -> None:
    (place.work / "empty").mkdir()
    for name in ("empty", "nope.json"):
        assert name in refused(place, command, name, code="not-found").told


@pytest.mark.parametrize("command", ["lock", "build"])
def test_a_pipe_or_device_is_not_waited_for(place: Place, command: str) -> None:
    os.mkfifo(place.work / "pipe.json")
    for name in ("pipe.json", "/dev/zero"):
        refused(place, command, name, code="bad-input", process=True)


def test_an_endless_file_is_not_read_for_ever(place: Place) -> None:
    refused(place, "inspect", "/dev/zero", code="bad-workflow", process=True)


def test_an_unreadable_workflow_is_told_as_such(place: Place) -> None:
    if is_root():
        pytest.skip("root can read everything")
    place.write("x.json", "{}").chmod(0)
    for command in ("inspect", "lock"):
        refused(place, command, "x.json", code="bad-input")


# — what cannot be resolved —


def test_all_unknown_nodes_are_told_at_once_with_id_title_and_fix(place: Place) -> None:
    place.project()
    nodes = [
        {**saved_node(7, "Mystery"), "title": "My mystery"},
        saved_node(8, "Riddle"),
    ]
    place.write("workflow.json", json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    outcome = refused(place, "lock", ".", code="unknown-node")
    assert len(outcome.json()["error"]["problems"]) == 2
    for word in ("Mystery", "node 7 (My mystery)", "--pack NAME=URL", "Riddle", "node 8", "packs.NAME = {"):
        assert word in outcome.told
    assert not place.lock.exists() and not place.half_written()


def test_a_package_without_a_wheel_for_arm64_names_package_platform_and_who_wants_it(place: Place) -> None:
    config = CONFIG.replace("]", ', "linux/arm64"]') + 'requirements = ["intelonly"]\n'
    place.project(config=config)
    outcome = refused(place, "lock", ".", code="no-wheel")
    assert "intelonly" in outcome.told and "linux/arm64" in outcome.told
    assert "pycomfy.toml requires intelonly" in outcome.told
    assert "linux/amd64" not in outcome.json()["error"]["message"]
    assert not place.lock.exists() and not place.half_written()


def test_contradicting_requirements_name_both_sides_and_the_override(place: Place) -> None:
    place.project(config=CONFIG + 'requirements = ["oldbase", "newbase"]\n')
    outcome = refused(place, "lock", ".", code="no-solution")
    for word in ("oldbase", "newbase", "base<2", "overrides ="):
        assert word in outcome.told
    assert not place.lock.exists() and not place.half_written()


def test_a_debian_package_that_does_not_exist_is_named(place: Place) -> None:
    place.project(config=CONFIG + 'apt = ["no-such-thing"]\n')
    assert "no-such-thing" in refused(place, "lock", ".", code="no-debian-package").told
    assert not place.lock.exists() and not place.half_written()


def test_a_commit_that_does_not_exist_is_an_unpinned_pack(place: Place) -> None:
    place.project()
    assert "card" in refused(place, "lock", ".", "--node", "card=" + "0" * 40, code="unpinned-pack").told
    assert not place.lock.exists() and not place.half_written()


def test_a_configuration_that_is_wrong_names_the_key(place: Place) -> None:
    place.project(config="plattforms = 7\n")
    assert "plattforms" in refused(place, "lock", ".", code="bad-config").told
    place.write("pycomfy.toml", "as-of = [")
    refused(place, "lock", ".", code="bad-config")
    place.write("pycomfy.toml", b"\xff\xfe")
    refused(place, "lock", ".", code="bad-config")


# — locks —


def test_a_failed_lock_leaves_the_old_lock_as_it_was(place: Place) -> None:
    place.project(config=CONFIG + 'apt = ["no-such-thing"]\n')
    place.lock.write_text("{}")
    before = place.lock.read_bytes(), place.lock.stat().st_mtime_ns
    refused(place, "lock", ".", code="no-debian-package")
    place.workflow("Mystery")
    refused(place, "lock", ".", code="unknown-node")
    assert (place.lock.read_bytes(), place.lock.stat().st_mtime_ns) == before
    assert not place.half_written()


def test_with_locked_a_lock_must_be_there_and_match(place: Place) -> None:
    place.project()
    assert "there is no lock" in refused(place, "build", ".", "--locked", code="bad-lock").told
    assert place.run("lock", ".").status == 0
    place.workflow("SaveImage")
    outcome = refused(place, "build", ".", "--locked", code="bad-lock")
    assert "another state of the workflow" in outcome.told and "pycomfy lock" in outcome.told
    assert not place.half_written()


def test_a_lock_without_packages_for_the_gateway_is_to_be_locked_again(place: Place) -> None:
    place.project()
    assert place.run("lock", ".").status == 0
    complete = place.lock.read_text()
    lock = place.change_lock()
    del lock["platforms"]["linux/amd64"]["gateway"]
    place.change_lock(lock)
    outcome = refused(place, "build", ".", "--locked", code="bad-lock")
    assert "no packages for the gateway" in outcome.told and "pycomfy lock ." in outcome.told
    again = place.run("lock", ".")
    assert "packages of the gateway: aiohappyeyeballs, " in again.out and place.lock.read_text() == complete


def test_a_lock_with_the_gateways_packages_of_another_release_is_remarked_on(place: Place) -> None:
    place.project()
    assert place.run("lock", ".").status == 0
    platform = ("--platform", "linux/arm64")  # which is not locked: nothing is built
    assert "gateway" not in refused(place, "build", ".", "--locked", *platform, code="bad-lock").told
    place.with_small_gateway()
    told = refused(place, "build", ".", "--locked", *platform, code="bad-lock").told
    assert "note: the lock has the gateway's packages of another release of pycomfy" in told
    assert "pycomfy lock . --update gateway" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"version": 99}', "version 99"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"version": 1}', "the lock lacks name, as_of, workflow, comfyui, platforms"),
        ("[]", "the lock must have keys and values"),
    ],
    ids=["newer", "cut", "deep", "empty", "list"],
)
def test_a_lock_that_cannot_be_read_is_a_bad_lock(place: Place, text: str, told: str) -> None:
    place.workflow("SaveImage")
    place.lock.write_text(text)
    outcome = refused(place, "build", ".", code="bad-lock")
    assert told in outcome.told and "pycomfy.lock" in outcome.told
    assert "WORKFLOW" not in outcome.told
    assert place.lock.read_text() == text


@pytest.mark.parametrize("name", ["../../x", "--upload-pack=x"])
def test_a_name_with_tricks_becomes_a_plain_one(place: Place, name: str) -> None:
    place.project()
    outcome = place.run("lock", ".", f"--name={name}", "--json")
    assert outcome.status == 0, outcome.err
    made = outcome.json()["lock"]["name"]
    assert made.strip("-._") == made and not set(made) & set("/\x1b[=")
    assert not (place.root.parent / "x").exists()


def test_a_lock_with_a_name_or_path_that_climbs_is_refused(place: Place) -> None:
    place.project()
    assert place.run("lock", ".").status == 0
    good = place.change_lock()
    for change in ({"name": "../../x"}, {"packs": [{**good["packs"][0], "name": "../x"}]}):
        place.change_lock({**good, **change})
        assert "name" in refused(place, "build", ".", "--no-prove", code="bad-lock").told
    assert not place.data.joinpath("projects").exists()


@pytest.mark.parametrize("name", ["../x", "-x", "x@../y", ""])
def test_a_reference_that_is_none_is_refused(place: Place, name: str) -> None:
    outcome = place.run("run", "--json", "--", name)
    check_refusal(outcome, outcome.json()["error"]["code"])
    assert not place.data.exists()


# — places where nothing can be written —


def test_a_lock_is_never_put_in_the_place_of_a_device_a_pipe_or_a_folder(place: Place) -> None:
    place.project()
    (place.work / "full").symlink_to("/dev/full")
    os.mkfifo(place.work / "pipe")
    for name in ("full", "pipe", "ComfyUI"):
        refused(place, "lock", ".", "--output", name, code="bad-input")
    refused(place, "lock", ".", "--output", "workflow.json/x.lock", code="bad-input")
    assert (place.work / "full").is_symlink() and (place.work / "pipe").is_fifo()
    assert not place.half_written()


def test_prompts_need_a_folder_to_be_written_to(place: Place) -> None:
    place.write("x.json", json.dumps({"1": {"class_type": "SaveImage", "inputs": {}}}))
    place.write("info.json", json.dumps({"SaveImage": {"input": {}, "output": [], "name": "SaveImage"}}))
    outcome = refused(place, "convert", "x.json", "--object-info", "info.json", "-o", "/dev/full", code="bad-input")
    assert "/dev/full" in outcome.told


def test_a_result_that_cannot_be_written_is_told(place: Place) -> None:
    with Path("/dev/full").open("w") as full:
        outcome = place.run_process("log", "--json", stdout=full)
    assert outcome.status == 1 and "standard output" in outcome.told and "Traceback" not in outcome.err


def test_a_data_folder_that_is_a_file_is_named(place: Place) -> None:
    place.project()
    place.write("file", "")
    file = str(place.work / "file")
    assert file in refused(place, "lock", ".", code="bad-input", env={"PYCOMFY_HOME": file}).told
    assert not place.lock.exists()


# — bytes that are not the ones that were pinned —


def recorded(place: Place) -> int:
    """How many versions the database has."""
    path = place.data / "pycomfy.db"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as db:
        return int(db.execute("SELECT count(*) FROM workflow_versions").fetchone()[0])


def check_nothing_is_registered(place: Place) -> None:
    assert recorded(place) == 0 and place.run("log").out == ""
    assert not (place.data / "images").exists()
    assert [p.name for p in (place.data / "projects").rglob("*") if p.is_dir() and p.name.isdigit()] == []
    assert not place.half_written()


@pytest.fixture
def locked(place: Place, surroundings: Surroundings) -> Place:
    """A place with a lock, and Nix in PATH."""
    if not (Path(surroundings.env["PATH"]) / "nix-build").exists():
        pytest.skip("no Nix here")
    place.project()
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    return place.with_small_gateway()


def test_a_wheel_with_other_bytes_is_refused_by_name(locked: Place) -> None:
    lock = locked.change_lock()
    pins = lock["platforms"]["linux/amd64"]
    pins["wheels"][0]["sha256"] = hashlib.sha256(os.urandom(8)).hexdigest()
    # The gateway's file is the same. Nix 2.8 waits for itself for ever while it fetches what these bytes really are.
    pins["gateway"] = pins["wheels"]
    locked.change_lock(lock)
    outcome = refused(locked, "build", ".", "--no-prove", code="hash-mismatch")
    assert "base-2.0-py3-none-any.whl" in outcome.json()["error"]["message"]
    check_nothing_is_registered(locked)


def test_a_debian_package_with_other_bytes_is_refused_by_name(locked: Place) -> None:
    lock = locked.change_lock()
    root = lock["platforms"]["linux/amd64"]["root"]
    root["packages"][0]["sha256"] = hashlib.sha256(os.urandom(8)).hexdigest()
    root["tree"] = "sha256-" + "A" * 43 + "="  # or the store might have it
    locked.change_lock(lock)
    outcome = refused(locked, "build", ".", "--no-prove", code="hash-mismatch")
    assert root["packages"][0]["name"] in outcome.json()["error"]["message"]
    check_nothing_is_registered(locked)


def test_a_debian_tree_with_another_hash_is_refused_by_name(locked: Place) -> None:
    lock = locked.change_lock()
    lock["platforms"]["linux/amd64"]["root"]["tree"] = "sha256-" + "B" * 42 + "A="
    locked.change_lock(lock)
    assert "debian-root-amd64" in refused(locked, "build", ".", "--no-prove", code="hash-mismatch").told
    check_nothing_is_registered(locked)


def test_a_git_tree_with_another_hash_is_refused_by_name(locked: Place) -> None:
    lock = locked.change_lock()
    lock["packs"][0]["source"]["tree"] = "sha256-" + "C" * 42 + "A="
    locked.change_lock(lock)
    assert "card" in refused(locked, "build", ".", "--no-prove", code="hash-mismatch").json()["error"]["message"]
    check_nothing_is_registered(locked)


def test_with_locked_a_folder_must_be_as_it_was_locked(locked: Place) -> None:
    locked.write("ComfyUI/main.py", "print('changed')\n")
    outcome = refused(locked, "build", ".", "--no-prove", "--locked", code="bad-lock")
    assert "the folder of ComfyUI was changed" in outcome.told
    check_nothing_is_registered(locked)


def test_a_commit_that_is_gone_is_told_with_its_pack(locked: Place) -> None:
    lock = locked.change_lock()
    lock["packs"][0]["source"] |= {"commit": "1" * 40, "tree": "sha256-" + "E" * 42 + "A="}
    locked.change_lock(lock)
    commit(locked.work / "card", {"new.py": ""})
    assert "card" in refused(locked, "build", ".", "--no-prove", code="unpinned-pack").told
    check_nothing_is_registered(locked)


# — usage —


@pytest.mark.parametrize(
    "arguments",
    [
        ("lock",),
        ("lock", ".", "--platform", "linux/riscv64"),
        ("build", ".", "--platform", "linux/riscv64"),
        ("lock", ".", "--as-of", "soon"),
        ("run",),
        ("run", "x", "--timeout", "0"),
        ("build", ".", "--jobs", "-1"),
        ("inspect", "x", "--no-such-option"),
        ("no-such-command",),
        ("convert", "a.json", "b.json", "--object-info", "x"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_2(place: Place, arguments: tuple[str, ...]) -> None:
    outcome = place.run(*arguments)
    assert outcome.status == 2 and "Traceback" not in outcome.err and outcome.err
    assert not place.data.exists()
