import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.errors import BadConfig, NetworkError, NoSpace, NotFound, UnpinnedPack, suggest
from tests.support.repositories import commit, git
from tests.support.small_disks import small_disk


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    commit(tmp_path / "pack", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"})
    return tmp_path / "pack"


def open_repository(folder: Path | str, tmp_path: Path) -> GitMirror:
    return GitMirror(str(folder), owner="pack", cache=tmp_path / "cache")


def test_no_revision_is_the_default_branch(pack: Path, tmp_path: Path) -> None:
    assert open_repository(pack, tmp_path).resolve() == git(pack, "rev-parse", "HEAD")


def test_branch_tag_and_commit_resolve_to_their_commit(pack: Path, tmp_path: Path) -> None:
    first = git(pack, "rev-parse", "HEAD")
    git(pack, "tag", "light")
    git(pack, "tag", "--annotate", "--message", "x", "heavy")
    git(pack, "branch", "feature/x")
    last = commit(pack, {"a.py": ""})
    repository = open_repository(pack, tmp_path)
    for revision in ("light", "heavy", "feature/x", "refs/tags/heavy", first, first.upper(), first[:9]):
        assert repository.resolve(revision) == first
    assert repository.resolve("main") == last


def test_a_moved_branch_is_seen(pack: Path, tmp_path: Path) -> None:
    repository = open_repository(pack, tmp_path)
    repository.resolve("main")
    moved = commit(pack, {"a.py": ""})
    assert repository.resolve("main") == moved


def test_a_commit_in_the_mirror_outlives_its_repository(pack: Path, tmp_path: Path) -> None:
    repository = open_repository(pack, tmp_path)
    known = repository.resolve()
    pack.rename(tmp_path / "gone")
    assert repository.resolve(known) == known
    with pytest.raises(NotFound):
        repository.resolve("main")


def test_an_old_commit_no_branch_has_is_fetched(pack: Path, tmp_path: Path) -> None:
    old = commit(pack, {"a.py": ""})
    git(pack, "reset", "--quiet", "--hard", "HEAD~1")
    assert open_repository(pack, tmp_path).resolve(old) == old


@pytest.mark.parametrize(("options", "first"), [("size={}k", 1), ("size=8m,nr_inodes={}", 2)], ids=["bytes", "files"])
def test_a_full_disk_is_called_that_wherever_git_meets_it(pack: Path, tmp_path: Path, options: str, first: int) -> None:
    """Step by step git gets further, until the disk is large enough: writing its settings is but one of the steps."""
    commit(pack, {f"folder{n}/file": f"{n}" * 999 for n in range(9)})
    step = 4 if first == 1 else 1
    for room in range(first * step, 100 * step, step):
        with small_disk(tmp_path / "cache", options.format(room)):
            repository = open_repository(pack, tmp_path)
            try:
                repository.fetch(repository.resolve("main"))
                repository.fetch_history()
                break
            except NoSpace as e:
                assert "MB free" in e.what, e
    assert room > 5 * step


@pytest.mark.parametrize("revision", ["nope", "0" * 40, "abcdef0", "v1.0"])
def test_a_revision_that_does_not_exist_is_unpinned(pack: Path, tmp_path: Path, revision: str) -> None:
    with pytest.raises(UnpinnedPack, match=revision) as e:
        open_repository(pack, tmp_path).resolve(revision)
    assert e.value.fixes == (suggest("lock", node="pack=COMMIT"),)


def test_a_name_that_is_branch_and_tag_is_a_question(pack: Path, tmp_path: Path) -> None:
    git(pack, "tag", "both")
    commit(pack, {"a.py": ""})
    git(pack, "branch", "both")
    with pytest.raises(UnpinnedPack, match="both a branch and a tag"):
        open_repository(pack, tmp_path).resolve("both")


def test_an_empty_repository_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    with pytest.raises(UnpinnedPack, match="empty"):
        open_repository(tmp_path / "empty", tmp_path).resolve()


def test_commit_date_is_the_committers_in_utc(pack: Path, tmp_path: Path) -> None:
    dated = commit(pack, {"a.py": ""}, date="2025-06-01T01:00:00+03:00")
    repository = open_repository(pack, tmp_path)
    repository.fetch(dated)
    assert repository.commit_date(dated) == datetime(2025, 5, 31, 22, tzinfo=UTC)


def test_a_folder_that_is_no_repository_says_to_use_path(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotFound) as e:
        open_repository(tmp_path / "plain", tmp_path).resolve()
    assert "path = …" in e.value.fix
    with pytest.raises(NotFound, match="there is no such folder"):
        open_repository(tmp_path / "nowhere", tmp_path).resolve()


def test_no_server_is_unreachable_and_the_password_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as e:
        open_repository("https://me:secret@127.0.0.1:9/x/y", tmp_path).resolve()
    assert "secret" not in str(e.value) and "me:" not in str(e.value)
    assert e.value.where == "https://127.0.0.1:9/x/y"


@pytest.mark.parametrize("url", ["--upload-pack=x", "ext::sh -c id", "http://h/x", "ftp://h/x", "fd::3", ""])
def test_an_address_git_would_run_or_misread_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadConfig):
        open_repository(url, tmp_path)


def test_hooks_and_variables_around_pycomfy_do_not_matter(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates" / "hooks"
    templates.mkdir(parents=True)
    hook = templates / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(templates.parent))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere/objects"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/index"))
    assert (
        open_repository(pack, tmp_path).resolve()
        == subprocess.run(
            ["git", "--git-dir", str(pack / ".git"), "rev-parse", "HEAD"],
            env={"PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    )
    assert not (tmp_path / "ran").exists() and not (tmp_path / "elsewhere").exists()


def test_the_mirror_is_one_for_all_spellings_of_a_url(tmp_path: Path) -> None:
    spellings = ["https://github.com/Owner/Repo", "https://github.com/owner/repo.git/", "git@github.com:owner/Repo.git"]
    assert len({open_repository(s, tmp_path).mirror for s in spellings}) == 1


def test_a_fetch_that_fails_leaves_no_commit_without_its_files(pack: Path, tmp_path: Path) -> None:
    made = commit(pack, {"deep/inner/a.py": "1"})
    tree = git(pack, "rev-parse", f"{made}:deep/inner")
    lost = pack / ".git" / "objects" / tree[:2] / tree[2:]
    lost.rename(tmp_path / "lost")
    mirror = GitMirror(str(pack), owner="pack", cache=tmp_path / "cache")
    for _ in range(2):
        with pytest.raises(NetworkError):
            mirror.resolve(made)
    (tmp_path / "lost").rename(lost)
    assert mirror.resolve(made) == made
    with mirror.objects() as objects:
        assert objects.read(tree)


def test_a_mirror_that_lacks_an_object_says_so(pack: Path, tmp_path: Path) -> None:
    mirror = GitMirror(str(pack), owner="pack", cache=tmp_path / "cache")
    mirror.resolve()
    with pytest.raises(NetworkError, match="not complete") as e, mirror.objects() as objects:
        objects.read("0" * 39 + "1")
    assert e.value.where == str(mirror.mirror)
