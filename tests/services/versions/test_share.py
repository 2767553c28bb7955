"""Two repositories that share through a third, as two people do."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.versions.reference import parse_reference
from pycomfy.errors import BadInput, ErrorGroup, NotFound, suggest
from pycomfy.services.versions.log import log
from pycomfy.services.versions.lookup import find_image, read_project
from pycomfy.services.versions.pull import pull
from pycomfy.services.versions.push import push
from pycomfy.services.versions.rm import rm
from pycomfy.services.versions.show import show
from pycomfy.services.versions.tag import tag
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import PROMPT, make_files, make_image, node, record, with_steps


class Team(NamedTuple):
    """Two people with hello@1, and the repository they share."""

    ann: Paths
    bob: Paths
    remote: str


@pytest.fixture
def team(tmp_path: Path) -> Team:
    ann, bob = (Paths(tmp_path / who, tmp_path / who / "cache") for who in ("ann", "bob"))
    remote = tmp_path / "shared.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    record(ann, make_files("hello"), "first", make_image("root", "workflow:1"))
    tag(Workspace(ann), "stable", "hello@1")
    push(Workspace(ann), str(remote), ())
    pull(Workspace(bob), str(remote))
    return Team(ann, bob, str(remote))


def prompt(paths: Paths, reference: str) -> Any:
    return json.loads(read_project(Workspace(paths), reference)["prompt.json"])


def test_versions_tags_and_images_arrive(team: Team) -> None:
    (version,) = log(Workspace(team.bob))
    assert version.commit == VersionsRepository(versions_repository_path(team.ann)).find("hello@stable").commit
    assert VersionsRepository(versions_repository_path(team.bob)).find("hello@stable").number == 1
    assert find_image(Workspace(team.bob), parse_reference("hello")).manifest_digest == version.manifest_digest


def test_new_versions_go_forward(team: Team) -> None:
    record(team.ann, make_files("hello", with_steps(30)), "second")
    assert push(Workspace(team.ann), team.remote, ["hello"]).workflows == {"hello": "updated"}
    assert push(Workspace(team.ann), team.remote, ["hello"]).workflows == {"hello": "same"}
    assert pull(Workspace(team.bob), team.remote).workflows == {"hello": "updated"}
    assert pull(Workspace(team.bob), team.remote).workflows == {"hello": "same"}
    assert [v.message for v in log(Workspace(team.bob))] == ["second", "first"]
    record(team.bob, make_files("hello", with_steps(31)), "third")
    assert pull(Workspace(team.bob), team.remote).workflows == {"hello": "ahead"}


def test_what_is_there_and_not_here_is_pulled_first(team: Team) -> None:
    record(team.ann, make_files("hello", with_steps(30)), "ann's")
    push(Workspace(team.ann), team.remote, ())
    record(team.bob, make_files("hello", {**PROMPT, "1": node("LoadImage", image="b.png")}), "bob's")
    with pytest.raises(BadInput, match="has versions there") as caught:
        push(Workspace(team.bob), team.remote, ())
    assert caught.value.fixes == (suggest("pull", "then push again", remote=team.remote),)
    assert pull(Workspace(team.bob), team.remote).workflows == {"hello": "merged"}
    made = prompt(team.bob, "hello")
    assert (made["2"]["inputs"]["steps"], made["1"]["inputs"]["image"]) == (30, "b.png")
    repository = VersionsRepository(versions_repository_path(team.bob))
    newest = repository.find("hello")
    assert len(newest.parents) == 2 and newest.message == f"merge hello of {team.remote}"
    files = repository.read_files(newest.commit)
    assert parse_lock(files["pycomfy.lock"].decode()).name == "hello"
    assert [v.version for v in log(Workspace(team.bob))] == [3, 2, 1]
    push(Workspace(team.bob), team.remote, ())
    assert pull(Workspace(team.ann), team.remote).workflows == {"hello": "updated"}


def test_a_version_that_a_merge_brought_is_found_by_its_commit(team: Team) -> None:
    anns = record(team.ann, make_files("hello", with_steps(30)), "ann's")
    push(Workspace(team.ann), team.remote, ())
    record(team.bob, make_files("hello", {**PROMPT, "1": node("LoadImage", image="b.png")}), "bob's")
    pull(Workspace(team.bob), team.remote)
    found = VersionsRepository(versions_repository_path(team.bob)).find(f"hello@{anns.commit}")
    assert (found.number, found.label) == (None, f"hello@{anns.commit[:12]}")
    shown = show(Workspace(team.bob), f"hello@{anns.commit}")
    assert (shown.version, shown.label, shown.message) == (None, found.label, "ann's")
    with pytest.raises(NotFound) as caught:
        find_image(Workspace(team.bob), parse_reference(f"hello@{anns.commit}"))
    assert caught.value.fix.startswith(f"branch new=NEW start=hello@{anns.commit}")


def test_the_log_lists_the_versions_along_the_branch_and_not_those_that_a_merge_brought(team: Team) -> None:
    anns = record(team.ann, make_files("hello", with_steps(30)), "ann's")
    push(Workspace(team.ann), team.remote, ())
    record(team.bob, make_files("hello", {**PROMPT, "1": node("LoadImage", image="b.png")}), "bob's")
    pull(Workspace(team.bob), team.remote)
    listed = log(Workspace(team.bob))
    assert [v.version for v in listed] == [3, 2, 1] and anns.commit not in {v.commit for v in listed}
    assert [v.message.split(" ")[0] for v in listed] == ["merge", "bob's", "first"]
    assert "node 2 (KSampler): steps 20 → 30" in listed[0].summary, "the merge says what it brought"


def test_conflicts_are_described_by_node_and_settled_by_taking_a_side(team: Team) -> None:
    record(team.ann, make_files("hello", with_steps(30)), "ann's")
    record(team.ann, make_files("second"), "also ann's")
    push(Workspace(team.ann), team.remote, ())
    record(team.bob, make_files("hello", with_steps(40)), "bob's")
    with pytest.raises(BadInput, match="changed on both sides") as caught:
        pull(Workspace(team.bob), team.remote)
    assert caught.value.where == "node 2 (KSampler): here steps 20 → 40; there steps 20 → 30"
    assert prompt(team.bob, "hello")["2"]["inputs"]["steps"] == 40
    assert "second" in VersionsRepository(versions_repository_path(team.bob)).names(), (
        "the others are taken in nonetheless"
    )
    assert pull(Workspace(team.bob), team.remote, prefer="theirs").workflows["hello"] == "merged"
    assert prompt(team.bob, "hello")["2"]["inputs"]["steps"] == 30


def test_unrelated_workflows_of_one_name_conflict(team: Team) -> None:
    rm(Workspace(team.bob), "hello", force=True)
    record(team.bob, make_files("hello", with_steps(1)), "another hello")
    with pytest.raises((BadInput, ErrorGroup)):
        pull(Workspace(team.bob), team.remote)


def test_a_tag_that_differs_stays_on_both_sides(team: Team) -> None:
    record(team.bob, make_files("hello", with_steps(2)), "bob's")
    tag(Workspace(team.bob), "stable", "hello@2", force=True)
    with pytest.raises(BadInput, match="the tag hello@stable"):
        push(Workspace(team.bob), team.remote, ())
    pull(Workspace(team.bob), team.remote)
    assert VersionsRepository(versions_repository_path(team.bob)).find("hello@stable").number == 2


def test_unknown_workflows_are_all_named(team: Team) -> None:
    with pytest.raises(ErrorGroup) as caught:
        push(Workspace(team.ann), team.remote, ["no", "hello", "neither"])
    assert len(caught.value.problems) == 2


def test_branches_of_other_things_are_left_there(team: Team) -> None:
    subprocess.run(
        ["git", "-C", team.remote, "update-ref", "refs/heads/a/b", "refs/heads/hello"], check=True, capture_output=True
    )
    assert pull(Workspace(team.bob), team.remote).workflows == {"hello": "same"}
