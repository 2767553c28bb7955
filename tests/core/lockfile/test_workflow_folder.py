"""Which lock a workflow has in its folder, and which settings."""

from collections.abc import Mapping
from typing import Any

import pytest

from pycomfy.core.lockfile.config import config_fingerprint, parse_config
from pycomfy.core.lockfile.workflow_folder import WorkflowFolder
from pycomfy.core.lockfile.workflow_names import is_lock, own_locks, section_name
from pycomfy.core.lockfile.workflow_sections import explain_unknown_sections, merge_section
from pycomfy.core.sources.git import GitSpec
from pycomfy.errors import BadConfig

SUFFIXES = (".json", ".png", ".mp4")


def folder(
    *files: str,
    pin: tuple[str, str] | None = None,
    others: tuple[str, ...] = (),
    foreign: tuple[str, ...] = (),
    config: Mapping[str, Any] | None = None,
) -> WorkflowFolder:
    """A folder called "home". Every JSON, PNG and MP4 file has a workflow, with its own name as the hash, but those
    that are `others`; locks that are `foreign` are another program's."""

    def hash_workflow(file: str) -> str | None:
        return file if file.endswith(SUFFIXES) and file not in others else None

    names = sorted({*files, *others, *foreign, *(["pycomfy.lock"] if pin else [])})
    locks = {name for name in names if name.endswith(".lock") and name not in foreign}
    return WorkflowFolder("home", names, config or {}, locks, pin, hash_workflow)


def locks(found: WorkflowFolder, *files: str) -> list[str | None]:
    return [found.lock_of(file) for file in files]


def test_a_workflow_alone_has_pycomfy_lock() -> None:
    assert folder("a.json").lock_of("a.json") == "pycomfy.lock"
    assert folder("a.json", "a.png", "b_00001_.png").lock_of("a.json") == "pycomfy.lock", "pictures are its outputs"
    assert folder("a.json", "prompt.json", others=("object_info.json",)).lock_of("a.json") == "pycomfy.lock"
    assert folder("a.png", others=("cat.png",)).lock_of("a.png") == "pycomfy.lock"
    assert folder("workflow.json", "prompt.json", "interface.json").lock_of("workflow.json") == "pycomfy.lock"


def test_each_of_several_has_a_lock_of_its_name() -> None:
    found = folder("a.json", "b.json", "my flow v1.2.json", "x.png")
    assert locks(found, "a.json", "my flow v1.2.json", "x.png") == ["a.lock", "my flow v1.2.lock", "x.png.lock"]
    assert locks(folder("a.json", "b.json", "a.lock"), "a.json", "b.json") == ["a.lock", "b.lock"]
    assert locks(folder("x.png", "y.mp4"), "x.png", "y.mp4") == ["x.png.lock", "y.mp4.lock"]
    assert locks(folder("a.json", "A.json"), "a.json", "A.json") == ["a.lock", "A.lock"]
    assert locks(folder("a.json", "a.png"), "a.png") == ["a.png.lock"], "never that of a.json"


def test_a_lock_of_its_name_stays_when_the_others_go() -> None:
    assert folder("a.json", "a.lock").lock_of("a.json") == "a.lock"


@pytest.mark.parametrize("pin", [("a", "older"), ("given", "a.json")], ids=["name", "content"])
def test_a_second_workflow_does_not_take_over_the_lock_of_the_first(pin: tuple[str, str]) -> None:
    found = folder("a.json", "b.json", "workflow.json", "a.png", pin=pin)
    names = ("a.json", "b.json", "workflow.json", "a.png")
    assert locks(found, *names) == ["pycomfy.lock", "b.lock", "workflow.lock", "a.png.lock"]


def test_a_picture_does_not_take_over_the_lock_of_another() -> None:
    assert locks(folder("a.png", "b.png", pin=("a", "a.png")), "a.png", "b.png") == ["pycomfy.lock", "b.png.lock"]


def test_a_renamed_or_edited_workflow_keeps_the_lock() -> None:
    assert folder("new.json", pin=("old", "older")).lock_of("new.json") == "pycomfy.lock"
    assert folder("new.json", "b.json", "b.lock", pin=("old", "older")).lock_of("new.json") == "pycomfy.lock"


def test_workflow_json_is_the_one_of_its_folder() -> None:
    assert locks(folder("workflow.json", "b.json"), "workflow.json", "b.json") == ["pycomfy.lock", "b.lock"]
    found = folder("workflow.json", "portrait.json", pin=("portrait", "older"), config={"name": "portrait"})
    assert locks(found, "workflow.json", "portrait.json") == ["pycomfy.lock", "portrait.lock"], "checked out there"


def test_it_is_asked_where_the_lock_may_be_of_either() -> None:
    found = folder("a.json", "b.json", "c.json", "c.lock", "x.png", pin=("given", "older"))
    assert locks(found, "a.json", "b.json", "c.json", "x.png") == [None, None, "c.lock", "x.png.lock"]
    damaged = folder("a.json", "b.json", "pycomfy.lock")
    assert locks(damaged, "a.json") == [None]


def test_the_lock_of_another_program_is_left_alone() -> None:
    found = folder("flake.json", "b.json", foreign=("flake.lock",))
    assert locks(found, "flake.json", "b.json") == ["flake.json.lock", "b.lock"]
    again = folder("flake.json", "b.json", "flake.json.lock", foreign=("flake.lock",))
    assert locks(again, "flake.json") == ["flake.json.lock"]
    assert folder("flake.json", foreign=("flake.lock",)).lock_of("flake.json") == "pycomfy.lock"
    assert locks(folder("pycomfy.json", "b.json"), "pycomfy.json") == ["pycomfy.json.lock"]


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('{\n "accelerator": null,\n "as_of": "2025",\n "comfyui": {', True),
        ('<<<<<<< ours\n{\n "as_of": "1",\n "comfyui": {}', True),
        ("", True),
        ('{"nodes": {"comfyui": {"locked": {}}}, "root": "root", "version": 7}', False),
        ('[[package]]\nname = "comfyui"\n', False),
        ("# This file is automatically @generated by Cargo.\nversion = 4\n", False),
    ],
)
def test_a_lock_is_told_from_those_of_other_programs(text: str, *, ours: bool) -> None:
    assert is_lock(text) is ours


def test_files_are_named_by_what_stands_before_json() -> None:
    assert [section_name(f) for f in ("a.json", "a.b.json", "a.png", ".json")] == ["a", "a.b", "a.png", ".json"]
    assert own_locks("a.json") == ("a.lock", "a.json.lock") and own_locks("PYCOMFY.json") == ("PYCOMFY.json.lock",)


def test_the_name_at_the_top_is_that_of_the_one_workflow() -> None:
    config = {"name": "portrait", "workflows": {"b": {"name": "bee"}}}
    alone = folder("a.json", config=config)
    assert alone.name_of("a.json") == "portrait"
    found = folder("a.json", "b.json", config=config)
    assert [found.name_of(f) for f in ("a.json", "b.json", "workflow.json")] == ["a", "bee", "home"]
    first = folder("a.json", "b.json", pin=("portrait", "a.json"), config=config)
    assert [first.name_of(f) for f in ("a.json", "b.json")] == ["portrait", "bee"]


def test_two_files_that_become_one_name_are_found() -> None:
    found = folder("a.json", "A.json", "b.json", "a.png", others=("a .json",))
    assert found.namesake_of("a.json", "a") == "A.json" and found.namesake_of("b.json", "b") is None
    config = {"workflows": {"A": {"name": "other"}}}
    assert folder("a.json", "A.json", config=config).namesake_of("a.json", "a") is None


# — settings —

SHARED = """
name = "shared"
apt = ["ffmpeg"]
requirements = ["one"]
[packs.x]
git = "https://h/x"
rev = "v1"
[packs.y]
git = "https://h/y"
[workflows.a]
requirements = ["two"]
[workflows.a.packs.x]
rev = "v2"
[workflows."my flow v1.2"]
python = "3.13"
"""


def test_tables_of_a_workflow_are_merged_and_everything_else_replaces() -> None:
    config = parse_config(SHARED, file="a.json")
    packs = {name: (pack.git, pack.rev) for name, pack in config.packs.items() if isinstance(pack, GitSpec)}
    assert packs == {"x": ("https://h/x", "v2"), "y": ("https://h/y", None)}
    assert config.requirements == ("two",) and config.apt == ("ffmpeg",) and config.name == "shared"
    other = parse_config(SHARED, file="my flow v1.2.json", main=lambda: False)
    assert (other.python, other.requirements, other.name) == ("3.13", ("one",), None)
    assert parse_config(SHARED).python == "3.11"


def test_only_what_concerns_a_workflow_changes_its_fingerprint() -> None:
    def fingerprint(text: str, file: str) -> str:
        return config_fingerprint(parse_config(text, file=file))

    changed = SHARED.replace('"two"', '"three"')
    assert fingerprint(changed, "b.json") == fingerprint(SHARED, "b.json")
    assert fingerprint(changed, "a.json") != fingerprint(SHARED, "a.json")
    before = SHARED[: SHARED.index("[workflows.a]")]
    assert fingerprint(before, "b.json") == fingerprint(SHARED, "b.json"), "as if there were no sections"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("workflows = 3", "workflows must have keys and values"),
        ("[workflows]\na = 3", "workflows.a must have keys and values"),
        ("[[workflows]]\na = 3", "workflows must have keys and values"),
        ("[workflows.a]\npythn = 3", "pythn"),
        ("[workflows.a.workflows.b]\nname = 'x'", "workflows"),
    ],
)
def test_what_is_wrong_in_a_section_is_an_error(text: str, what: str) -> None:
    with pytest.raises(BadConfig, match=what):
        parse_config(text, file="a.json")


def test_the_section_of_another_workflow_is_not_checked() -> None:
    assert parse_config("[workflows.b]\npythn = 3", file="a.json") == parse_config("")


def test_a_section_without_a_workflow_is_told_with_near_names() -> None:
    told = explain_unknown_sections(["portrit", "x y z", "b"], ["portrait.json", "b.json", "pycomfy.lock", "c.png"])
    assert told == [
        "[workflows.portrit] in pycomfy.toml does nothing: there is no such workflow; did you mean portrait?",
        '[workflows."x y z"] in pycomfy.toml does nothing: there is no such workflow',
    ]


def test_merging_changes_nothing_that_was_given() -> None:
    data = {"a": {"b": 1}, "workflows": {"w": {"a": {"c": 2}}}}
    assert merge_section(data, "w.json", main=lambda: True) == {"a": {"b": 1, "c": 2}}
    assert data == {"a": {"b": 1}, "workflows": {"w": {"a": {"c": 2}}}}
