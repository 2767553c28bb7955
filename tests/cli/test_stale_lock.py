"""A pycomfy.toml that says something else than when it was locked: `build` notices."""

import json
import shutil

import pytest

from pycomfy.adapters.containers.node_definitions import write_cached
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.versions.verification import NodeDefinitions
from tests.support.cli_projects import CONFIG, SOURCES, Place, refused
from tests.support.graphs import definition, node, ui
from tests.support.repositories import commit
from tests.support.service_projects import record

BUILD = ("build", ".", "--locked", "--no-prove", "--platform", "linux/arm64")
"""It fails, as arm64 is not locked; before that it sees whether the lock is still what is asked for."""


def is_stale(place: Place, folder: str = ".") -> bool:
    told = refused(place, BUILD[0], folder, *BUILD[2:], code="bad-lock").told
    stale = "pycomfy.toml was changed after it was locked" in told
    assert stale or "linux/arm64 is not locked" in told
    return stale


@pytest.fixture
def locked(place: Place) -> Place:
    place.project()
    assert place.run("lock", ".").status == 0
    return place


@pytest.mark.parametrize(
    "text",
    [
        'requirements = ["base"]\n' + CONFIG + SOURCES,
        CONFIG.replace("2025-06-01", "2025-06-02") + SOURCES,
        CONFIG + SOURCES + 'rev = "main"\n',
        'prefer = ["a/b"]\n' + CONFIG + SOURCES,
    ],
    ids=["requirements", "as-of", "rev", "prefer"],
)
def test_a_change_is_noticed_until_it_is_locked_or_taken_back(locked: Place, text: str) -> None:
    assert not is_stale(locked)
    locked.write("pycomfy.toml", text)
    assert is_stale(locked)
    locked.write("pycomfy.toml", CONFIG + SOURCES)
    assert not is_stale(locked)
    locked.write("pycomfy.toml", text)
    assert locked.run("lock", ".").status == 0
    assert not is_stale(locked), "also where the lock has the same bytes"


def test_comments_order_inputs_and_lost_values_are_no_change(locked: Place) -> None:
    first, second = CONFIG.strip().splitlines()
    text = (
        f"# what it is about\n{second}\n{first}\n{SOURCES}\n[inputs]\ntitle = '1.text'\n[accept]\nlost-values = ['1']\n"
    )
    locked.write("pycomfy.toml", text)
    assert not is_stale(locked)


def test_what_the_command_line_set_is_no_change(place: Place) -> None:
    place.project()
    assert place.run("lock", ".", "--as-of", "2025-07-01").status == 0
    assert not is_stale(place)


def test_a_lock_from_another_machine_is_taken_as_it_is(locked: Place) -> None:
    shutil.rmtree(locked.data / "cache" / "asked")
    locked.write("pycomfy.toml", 'requirements = ["base"]\n' + CONFIG + SOURCES)
    assert not is_stale(locked)


def test_an_untouched_checkout_is_no_change_and_neither_is_what_it_came_from(locked: Place) -> None:
    names = ("workflow.json", "pycomfy.lock", "pycomfy.toml")
    record(Paths(locked.data, locked.data / "cache"), {n: (locked.work / n).read_bytes() for n in names}, "one")
    assert locked.run("checkout", "work", "--to", "out").status == 0
    checked_out = locked.work / "out" / "pycomfy.toml"
    assert checked_out.read_bytes() != (locked.work / "pycomfy.toml").read_bytes()
    assert not is_stale(locked, "out") and not is_stale(locked)
    checked_out.write_text('requirements = ["base"]\n' + checked_out.read_text())
    assert is_stale(locked, "out") and not is_stale(locked)


def test_a_repository_that_moved_on_is_remarked_on_and_built_as_it_was_locked(locked: Place) -> None:
    assert "by now" not in refused(locked, *BUILD, code="bad-lock").told
    newer = commit(locked.work / "card", {"new.py": ""})
    told = refused(locked, *BUILD, code="bad-lock").told
    assert f"card is built as it was locked, but is at {newer[:12]} by now" in told
    assert locked.run("lock", ".").status == 0
    assert "by now" not in refused(locked, *BUILD, code="bad-lock").told


def test_a_lock_tells_of_values_without_a_place_where_the_definitions_are_known(locked: Place) -> None:
    workflow = ui([node(1, "HelloCard", values=("a", "b"))], [])
    locked.write("workflow.json", json.dumps(workflow))
    done = locked.run("lock", ".")
    assert done.status == 0 and "no place in the prompt" not in done.told
    types = {"HelloCard": definition({"title": ["STRING", {}]})}
    key = environment_fingerprint(parse_lock(locked.lock.read_text()), "linux/amd64", read_toolkit().gateway)
    write_cached(locked.data / "cache", key, NodeDefinitions("0.3.75", types, ()))
    done = locked.run("lock", ".")
    assert done.status == 0
    assert '1[1] (HelloCard): the saved value "b" has no place in the prompt' in " ".join(done.out.split())
