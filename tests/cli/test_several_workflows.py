"""Several workflows in one folder, as ComfyUI keeps them: each has its lock and its settings."""

import json

import pytest

from pycomfy.core.lockfile.schema import parse_lock
from tests.cli.test_stale_lock import is_stale
from tests.support.cli_projects import CONFIG, SOURCES, Place, refused
from tests.support.saved_nodes import saved_nodes


def put(place: Place, name: str, *types: str) -> None:
    place.write(name, json.dumps({"version": 0.4, "nodes": saved_nodes(types), "links": []}))


@pytest.fixture
def folder(place: Place) -> Place:
    """A folder with `card.json` and `plain.json`."""
    place.project()
    (place.work / "workflow.json").unlink()
    put(place, "card.json", "HelloCard", "SaveImage")
    put(place, "plain.json", "SaveImage")
    return place


def lock(place: Place, *files: str) -> str:
    done = place.run("lock", *files)
    assert done.status == 0, done.err
    return done.out


def name_in(place: Place, file: str) -> str:
    return parse_lock((place.work / file).read_text()).name


def test_each_is_locked_into_a_file_of_its_own_with_its_own_settings(folder: Place) -> None:
    both = CONFIG + SOURCES + '[workflows.plain]\nrequirements = ["base"]\nas-of = 2025-06-02\n'
    folder.write("pycomfy.toml", both)
    out = lock(folder, "card.json", "plain.json")
    assert "wrote card.lock" in out and "wrote plain.lock" in out and not folder.lock.exists()
    card, plain = (parse_lock((folder.work / f"{name}.lock").read_text()) for name in ("card", "plain"))
    assert (card.name, plain.name) == ("card", "plain") and card.as_of[:10] != plain.as_of[:10] == "2025-06-02"
    assert not is_stale(folder, "card.json") and not is_stale(folder, "plain.json")
    folder.write("pycomfy.toml", both.replace("06-02", "06-03"))
    assert is_stale(folder, "plain.json") and not is_stale(folder, "card.json"), "the section is not its own"


def test_a_second_workflow_leaves_the_lock_of_the_first(folder: Place) -> None:
    (folder.work / "plain.json").unlink()
    lock(folder, "card.json")
    before = folder.lock.read_bytes()
    put(folder, "plain.json", "SaveImage")
    assert "wrote plain.lock" in lock(folder, "plain.json") and folder.lock.read_bytes() == before
    put(folder, "card.json", "HelloCard", "HelloCard", "SaveImage")
    assert "wrote pycomfy.lock" in lock(folder, "card.json"), "it goes on with its own"
    assert name_in(folder, "pycomfy.lock") == "card" and name_in(folder, "plain.lock") == "plain"
    assert "unchanged pycomfy.lock" in lock(folder, "."), "which the folder stands for"


def test_a_folder_with_several_says_which_and_what_to_call(folder: Place) -> None:
    put(folder, "a b.json", "SaveImage")
    for command in ("lock", "build", "inspect"):
        told = refused(folder, command, ".", code="bad-input").told
        assert "the folder has several workflows: a b.json, card.json, plain.json" in told
        assert f"pycomfy {command} plain.json --json" in told and f"pycomfy {command} 'a b.json' --json" in told
    for words in ("check ./", "models status ./", "export ./ --format pylock -o x"):
        told = refused(folder, *words.split(), code="bad-input").told
        assert "several workflows" in told and f"pycomfy {words} --json".replace("./", "card.json") in told


def test_one_that_fails_does_not_keep_the_others_from_being_locked(folder: Place) -> None:
    folder.write("info.json", "{}")
    done = folder.run("lock", "card.json", "info.json", "plain.json")
    assert done.status == 1 and "info.json" in done.err
    assert (folder.work / "card.lock").is_file() and (folder.work / "plain.lock").is_file()
    assert [r["lock"]["name"] for r in folder.run("lock", "card.json", "plain.json", "--json").json()] == [
        "card",
        "plain",
    ]
    assert folder.run("lock", "card.json", "plain.json", "--output", "x.lock").status == 2


def test_the_lock_of_another_program_is_not_replaced(folder: Place) -> None:
    put(folder, "flake.json", "SaveImage")
    theirs = folder.write("flake.lock", '{"nodes": {}, "root": "root", "version": 7}')
    assert "wrote flake.json.lock" in lock(folder, "flake.json")
    told = refused(folder, "lock", "flake.json", "--output", "flake.lock", code="bad-input").told
    assert "the lock of another program" in told and '"version": 7' in theirs.read_text()


def test_two_workflows_of_one_name_are_refused(folder: Place) -> None:
    put(folder, "Card.json", "SaveImage")
    told = refused(folder, "lock", "Card.json", code="bad-config").told
    assert "Card.json and card.json would both be called card" in told
    folder.write("pycomfy.toml", CONFIG + SOURCES + '[workflows.Card]\nname = "card-2"\n')
    lock(folder, "Card.json", "card.json")
    assert (name_in(folder, "Card.lock"), name_in(folder, "card.lock")) == ("card-2", "card")


def test_a_lock_that_may_be_of_either_is_not_taken(folder: Place) -> None:
    (folder.work / "plain.json").unlink()
    assert folder.run("lock", "card.json", "--name", "given").status == 0
    put(folder, "plain.json", "SaveImage")
    put(folder, "card.json", "HelloCard", "HelloCard", "SaveImage")
    before = folder.lock.read_bytes()
    told = refused(folder, "lock", "plain.json", code="bad-input").told
    assert "may be the lock of plain.json, or of card.json" in told and folder.lock.read_bytes() == before


def test_a_section_without_a_workflow_is_told(folder: Place) -> None:
    folder.write("pycomfy.toml", CONFIG + SOURCES + '[workflows.plan]\napt = ["x"]\n')
    assert "[workflows.plan] in pycomfy.toml does nothing" in (out := lock(folder, "card.json"))
    assert "did you mean plain?" in out


def test_inputs_of_one_workflow_are_named_in_its_section(folder: Place) -> None:
    graph = {"1": {"class_type": "SaveImage", "inputs": {"text": "x", "more": 1}}}
    folder.write("card.json", json.dumps(graph))
    folder.write("pycomfy.toml", '[inputs]\nfirst = "1.text"\n[workflows.card.inputs]\nsecond = "1.more"\n')
    names = [i["name"] for i in folder.run("inspect", "card.json", "--json").json()["inputs"]]
    assert names == ["first", "second"]
    (folder.work / "plain.json").unlink()
    assert [i["name"] for i in folder.run("inspect", ".", "--json").json()["inputs"]] == names, "the only one there"
    (folder.work / "copy").mkdir()
    (folder.work / "card.json").rename(folder.work / "copy" / "card.json")
    done = folder.run("convert", "copy", "--object-info", folder.write("info.json", "{}"))
    assert done.status == 1 and "SaveImage" in done.err, "it was found, and read"


def test_a_hostile_name_among_several_forges_no_line_and_no_option(folder: Place) -> None:
    for name in ("a\nfix: run this.json", "-x.json"):
        put(folder, name, "SaveImage")
    told = folder.run("inspect", ".").err
    assert "a\N{REPLACEMENT CHARACTER}fix: run this.json" in told
    assert "pycomfy inspect ./-x.json" in told


def test_an_error_of_several_is_said_once_with_those_that_have_it(folder: Place) -> None:
    folder.write("pycomfy.toml", CONFIG + SOURCES + '[packs.gone]\npath = "gone"\n')
    told = folder.run("lock", "card.json", "plain.json").err
    assert told.count("there is no folder gone") == 1
    assert "where: gone (for card.json, plain.json)" in told
    folder.write("pycomfy.toml", CONFIG + SOURCES + "[workflows.plain]\nnone = 1\n")
    assert "where: pycomfy.toml (for plain.json)" in folder.run("lock", "card.json", "plain.json").err
    assert "where: pycomfy.toml\n" in folder.run("lock", "plain.json").err, "one needs no name"
    assert "(for " not in folder.run("lock", "gone.json", "card.json").err, "it is named already"


def test_a_wrong_key_of_a_section_is_named_as_it_is_in_the_file(folder: Place) -> None:
    def told(text: str) -> str:
        folder.write("pycomfy.toml", CONFIG + SOURCES + text)
        return folder.run("lock", "plain.json").err

    assert "workflows.plain.requirments: there is no such key; did you mean requirements?" in told(
        '[workflows.plain]\nrequirments = ["x"]\n'
    )
    assert "workflows.plain.json: there is no such key" in told("[workflows.plain.json]\napt = []\n")
    assert "workflow: there is no such key; did you mean workflows?" in told("[workflow.plain]\napt = []\n")
    assert "workflows.plain.apt[0] " in told("[workflows.plain]\napt = [1]\n").replace(":", " ")
    assert "error: packs.x.gti: there is no such key" in told(
        '[packs.x]\npath = "x"\ngti = 1\n[workflows.plain.packs.x]\npatch = "x"\n'
    )
    quoted = '[workflows."plain.json"]\napt = []\n'
    folder.write("pycomfy.toml", CONFIG + SOURCES + quoted)
    assert '[workflows."plain.json"] in pycomfy.toml does nothing' in lock(folder, "plain.json")
