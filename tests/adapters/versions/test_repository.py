import multiprocessing
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.adapters.git.runner import GitRefused
from pycomfy.adapters.versions.commits import object_id
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.errors import BadInput, NotFound
from tests.support.moments import NOW
from tests.support.properties import ONE_FIXTURE
from tests.support.service_projects import make_image
from tests.support.sudden_ends import kill_before, list_steps
from tests.support.versions_repositories import FILES, commit, git


@pytest.fixture
def repository(tmp_path: Path) -> VersionsRepository:
    return VersionsRepository(tmp_path / "data" / "versions.git")


def test_versions_are_commits_that_git_finds_in_order(repository: VersionsRepository) -> None:
    for text in ("one", "two", "three"):
        assert commit(repository, text).new
    assert [(v.number, v.message) for v in repository.versions("hello")] == [(3, "three"), (2, "two"), (1, "one")]
    assert git(repository, "fsck", "--strict", "--full") == ""
    newest = repository.find("hello")
    assert newest.commit == git(repository, "rev-parse", "refs/heads/hello").strip()
    assert newest.parents == (repository.find("hello@2").commit,)
    assert repository.read_files(newest.commit) == {**FILES, "workflow.json": b"three"}
    modes = {line.split()[0] for line in git(repository, "ls-tree", "-r", "hello").splitlines()}
    assert modes == {"100644"}


def test_its_folder_may_be_reached_through_a_link(repository: VersionsRepository, tmp_path: Path) -> None:
    commit(repository, "one")
    commit(repository, "other", name="other")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    linked = VersionsRepository(tmp_path / "link" / "versions.git")
    assert [v.message for v in linked.versions("hello")] == ["one"] and linked.find("hello@1").message == "one"
    assert linked.remove("hello", force=True) and set(linked.names()) == {"other"}


def test_the_same_files_make_no_new_version(repository: VersionsRepository) -> None:
    first = commit(repository, "one")
    again = commit(repository, "one")
    assert (again.new, again.version) == (False, first.version)
    besides = repository.commit(
        "hello", {**FILES, "workflow.json": b"one", "a": b"x"}, created_at=NOW, message="", besides=("a",)
    )
    assert not besides.new
    assert commit(repository, "two").new and commit(repository, "one").version.number == 3


def test_a_version_is_found_by_number_tag_and_commit(repository: VersionsRepository) -> None:
    commit(repository, "one")
    first = repository.find("hello")
    commit(repository, "two")
    repository.tag("stable", first)
    for reference in ("hello@1", "hello@stable", f"hello@{first.commit}", f"hello@{first.commit[:9]}"):
        assert repository.find(reference) == first
    assert repository.tags() == {"hello@stable": first.commit}
    for reference in ("hello@3", "hello@none", f"hello@{'0' * 40}", "other"):
        with pytest.raises(NotFound):
            repository.find(reference)


def test_a_commit_of_another_workflow_is_none_of_this_one(repository: VersionsRepository) -> None:
    commit(repository, "one")
    other = commit(repository, "two", "other").version
    with pytest.raises(NotFound):
        repository.find(f"hello@{other.commit}")


def test_a_tag_is_moved_only_by_force(repository: VersionsRepository) -> None:
    first, second = commit(repository, "one").version, commit(repository, "two").version
    repository.tag("stable", first)
    repository.tag("stable", first)
    with pytest.raises(BadInput, match="another version"):
        repository.tag("stable", second)
    repository.tag("stable", second, force=True)
    assert repository.find("hello@stable") == second
    assert repository.untag("hello", "stable") == second.commit
    with pytest.raises(NotFound):
        repository.untag("hello", "stable")


def test_a_branch_shares_its_history_and_goes_its_own_way(repository: VersionsRepository) -> None:
    first = commit(repository, "one").version
    commit(repository, "two")
    repository.branch("fast", first)
    made = commit(repository, "three", "fast").version
    assert (made.number, made.parents) == (2, (first.commit,))
    assert repository.find("fast@1").commit == first.commit
    assert len(repository.versions("hello")) == 2
    with pytest.raises(BadInput, match="already"):
        repository.branch("fast", first)


def test_a_renamed_workflow_keeps_versions_and_tags(repository: VersionsRepository) -> None:
    first = commit(repository, "one").version
    repository.tag("stable", first)
    commit(repository, "x", "other")
    repository.rename("hello", "greeting")
    assert repository.names() == ["greeting", "other"]
    assert repository.find("greeting@stable").commit == first.commit
    with pytest.raises(BadInput, match="already"):
        repository.rename("greeting", "other")


def test_versions_that_no_other_workflow_has_are_removed_only_by_force(repository: VersionsRepository) -> None:
    first = commit(repository, "one").version
    repository.branch("copy", first)
    repository.add_image(first.tree, make_image("root"))
    repository.remove("copy")
    second = commit(repository, "two").version
    repository.add_image(second.tree, make_image("root", "two"))
    with pytest.raises(BadInput, match="2 versions"):
        repository.remove("hello")
    repository.branch("kept", first)
    with pytest.raises(BadInput, match="1 version "):
        repository.remove("hello")
    assert repository.remove("hello", force=True) == second.commit
    assert repository.names() == ["kept"]
    assert repository.images(first.tree) and not repository.images(second.tree)


def test_an_image_belongs_to_a_tree(repository: VersionsRepository) -> None:
    first = commit(repository, "one").version
    image, proven = make_image("root", "workflow"), make_image("root", "workflow", proven=True)
    assert repository.add_image(first.tree, image) == image
    assert repository.add_image(first.tree, proven) == proven
    assert repository.add_image(first.tree, image) == proven
    other = make_image("root", "other")
    assert repository.add_image(first.tree, other) == other
    assert repository.images(first.tree) == {"linux/amd64": other}
    commit(repository, "two")
    assert repository.images(commit(repository, "one").version.tree) == {"linux/amd64": other}


def test_a_clone_has_the_first_workflow_checked_out(repository: VersionsRepository, tmp_path: Path) -> None:
    commit(repository, "one")
    commit(repository, "two", "other")
    clone = tmp_path / "clone"
    done = subprocess.run(["git", "clone", "--quiet", str(repository.path), str(clone)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (clone / "workflow.json").read_text() == "one"
    repository.rename("hello", "greeting")
    assert git(repository, "rev-parse", "HEAD").strip() == repository.find("greeting").commit


def test_an_empty_repository_has_nothing_and_is_not_made_by_asking(repository: VersionsRepository) -> None:
    assert (repository.names(), repository.versions("hello")) == ([], [])
    assert (repository.tags(), repository.images("0" * 40)) == ({}, {})
    with pytest.raises(NotFound):
        repository.find("hello")
    assert not repository.path.exists()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", ".git/config", "a//b", "a\\b", "a/.GIT/x", ""])
def test_a_path_that_climbs_or_hides_is_refused(repository: VersionsRepository, path: str) -> None:
    with pytest.raises(BadInput):
        repository.commit("hello", {path: b""}, created_at=NOW, message="")
    assert repository.names() == []


def test_what_is_no_plain_file_is_refused(repository: VersionsRepository) -> None:
    commit(repository, "one")
    blob = git(repository, "rev-parse", "hello:workflow.json").strip()
    tree = subprocess.run(
        ["git", "-C", str(repository.path), "mktree"],
        input=f"120000 blob {blob}\tlink\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    made = git(repository, "commit-tree", tree, "-m", "x").strip()
    with pytest.raises(BadInput, match="is not a file"):
        repository.read_files(made)


def test_messages_and_authors_cannot_break_a_commit(repository: VersionsRepository) -> None:
    made = repository.commit(
        "hello", FILES, created_at=NOW, message="a\0b\n\nc\udcff ä", author="Eve <e@x>\nparent 0 <>"
    ).version
    assert made.message == "ab\n\nc? ä"
    assert made.author == "Eve <e@xparent 0>"
    assert git(repository, "fsck", "--strict") == ""


@settings(max_examples=10, suppress_health_check=ONE_FIXTURE)
@given(
    st.dictionaries(
        st.from_regex(r"\A[a-z0-9._-]{1,4}(/[a-z0-9._-]{1,4}){0,2}\Z").filter(
            lambda p: not {".", "..", ".git"} & set(p.split("/"))
        ),
        st.binary(max_size=30),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_committed_is_read_back(tmp_path: Path, files: dict[str, bytes]) -> None:
    repository = VersionsRepository(tmp_path / "versions.git")
    if any(other.startswith(f"{path}/") for path in files for other in files):
        with pytest.raises(BadInput):
            repository.commit("hello", files, created_at=NOW, message="")
        return
    version = repository.commit("hello", files, created_at=NOW, message="").version
    assert repository.read_files(version.commit) == files
    path, data = next(iter(files.items()))
    assert git(repository, "rev-parse", f"hello:{path}").strip() == object_id(b"blob", data)


def test_settings_of_whoever_calls_do_not_reach_the_versions_repository(
    repository: VersionsRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook of another repository."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "other")], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other/.git/objects"))
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert commit(repository, "one").version.number == 1
    assert repository.read_files(repository.find("hello").commit)


def _commit_many(path: Path, worker: int, count: int) -> None:
    for number in range(count):
        text = f"{worker}-{number}"
        version = commit(VersionsRepository(path), text).version
        VersionsRepository(path).add_image(version.tree, make_image("root", text))


def test_ten_processes_commit_at_once_and_lose_no_version(repository: VersionsRepository) -> None:
    workers, count = 10, 3
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_commit_many, args=(repository.path, worker, count)) for worker in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0] * workers
    versions = repository.versions("hello")
    assert sorted(v.message for v in versions) == sorted(f"{w}-{n}" for w in range(workers) for n in range(count))
    assert len(repository.tips_and_images()[1]) == workers * count
    assert git(repository, "fsck", "--strict") == ""


def test_killed_at_any_point_it_has_every_version_it_told_of(repository: VersionsRepository, tmp_path: Path) -> None:
    """`told` are the commits that the killed processes were told of."""
    told = tmp_path / "told"

    def commit_many(turn: int, count: int) -> None:
        for number in range(count):
            made = commit(repository, f"{turn} {number}").version.commit
            with told.open("a") as file:
                file.write(f"{made}\n")

    commit_many(0, 1)  # so that the repository is there, and each commit takes the same steps
    turns = 10
    steps = list_steps(lambda: commit_many(turns + 1, 1))
    assert "_posixsubprocess.fork_exec" in steps
    for turn in range(1, turns + 1):  # amid the first or the second of three
        kill_before(len(steps) * turn // (turns + 1) + len(steps) * (turn % 2), partial(commit_many, turn, 3))
    commit(repository, "after")
    commits = {v.commit for v in repository.versions("hello")}
    assert len(told.read_text().split()) == 2 + turns // 2
    assert set(told.read_text().split()) <= commits
    # Only what is reachable: a git that never got its input may have kept an empty object, which nothing points at.
    assert "missing" not in git(repository, "fsck", "--connectivity-only")


def test_a_lock_that_a_killed_git_left_is_removed(repository: VersionsRepository) -> None:
    commit(repository, "one")
    lock = repository.path / "refs/heads/hello.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    assert commit(repository, "two").version.number == 2


def test_someone_elses_push_meanwhile_is_noticed(repository: VersionsRepository) -> None:
    first, second = commit(repository, "one").version, commit(repository, "two").version
    with pytest.raises(BadInput, match="changed meanwhile"):
        repository.bare.update_refs(("refs/heads/hello", first.commit, first.commit))
    assert repository.find("hello") == second


def test_many_versions_are_packed(repository: VersionsRepository) -> None:
    folder = repository.path / "objects" / "17"
    commit(repository, "one")
    folder.mkdir(exist_ok=True)
    for number in range(3):
        (folder / f"{number:038x}").write_bytes(b"")  # garbage, which git leaves alone
    repository.bare.run("config", "gc.pruneExpire", "now")
    commit(repository, "two")
    assert [v.message for v in repository.versions("hello")] == ["two", "one"]


def test_a_damaged_history_is_not_taken_for_a_missing_workflow(repository: VersionsRepository) -> None:
    first = commit(repository, "one").version.commit
    commit(repository, "two")
    (repository.path / "objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(GitRefused, match=first):
        repository.find("hello")
    with pytest.raises(NotFound, match="no workflow"):
        repository.find("other")


def test_a_small_repository_with_endless_lists_costs_an_error(tmp_path: Path) -> None:
    """A folder that has itself ten times, and that ten times, and again: eight levels are a hundred million files."""
    repository = VersionsRepository(tmp_path / "library.git")
    blob = commit(repository, "one").version.tree
    entry = f"040000 tree {blob}"
    for _ in range(8):
        lines = "".join(f"{entry}\tfolder{n}\n" for n in range(10))
        made = subprocess.run(
            ["git", "-C", repository.path, "mktree"], input=lines.encode(), capture_output=True, check=True
        )
        entry = f"040000 tree {made.stdout.decode().strip()}"
    bomb = git(repository, "commit-tree", entry.split()[-1], "-m", "boom").strip()
    git(repository, "update-ref", "refs/heads/bomb", bomb)
    for attempt in (lambda: repository.read_files(bomb), lambda: commit(repository, "two", "bomb")):
        with pytest.raises(BadInput, match="more than any workflow"):
            attempt()
    assert repository.names() == ["bomb", "hello"]
    assert repository.read_files(repository.find("hello").commit)
