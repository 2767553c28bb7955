from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.commit_search import CommitQuery, FoundCommit, find_commit, pin_file_address
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.errors import UnpinnedPack
from tests.support.catalog_maps import code
from tests.support.repositories import commit, git


def project(version: str) -> str:
    return f'[project]\nname = "pack"\nversion = "{version}"\n'


@pytest.fixture
def pack(tmp_path: Path) -> tuple[Path, list[str]]:
    """A pack whose node Old was renamed to New, and its commits."""
    folder = tmp_path / "pack"
    commits = [
        commit(folder, {"__init__.py": code("Old"), "pyproject.toml": project("1.0.0")}, date="2025-01-01T00:00:00Z"),
        commit(folder, {"pyproject.toml": project("1.1.0"), "README": "x"}, date="2025-02-01T00:00:00Z"),
        commit(folder, {"__init__.py": code("Old", "More")}, date="2025-03-01T00:00:00Z"),
        commit(
            folder,
            {"__init__.py": code("New", "More"), "pyproject.toml": project("2.0.0")},
            date="2025-04-01T00:00:00Z",
        ),
        commit(folder, {"README": "y"}, date="2025-05-01T00:00:00Z"),
    ]
    return folder, commits


def find(repo: GitMirror, query: CommitQuery) -> FoundCommit:
    return find_commit(repo, query, repo.cache)


def repository(folder: Path, tmp_path: Path) -> GitMirror:
    return GitMirror(str(folder), owner="pack", cache=tmp_path / "cache")


def test_without_a_wish_it_is_the_newest_commit(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    found = find(repository(pack[0], tmp_path), CommitQuery(types=("New",)))
    assert (found.commit, found.reason, found.missing, found.remarks) == (pack[1][4], "the newest commit", (), ())


def test_a_date_is_met_by_the_newest_commit_before_it(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    repo = repository(pack[0], tmp_path)
    for day, expected in ((datetime(2025, 3, 15, tzinfo=UTC), 2), (datetime(2025, 3, 1, tzinfo=UTC), 1)):
        assert find(repo, CommitQuery(before=day)).commit == pack[1][expected]
    early = find(repo, CommitQuery(before=datetime(2020, 1, 1, tzinfo=UTC)))
    assert early.commit == pack[1][4] and "no commit before 2020-01-01" in early.remarks[0]


def test_a_version_is_a_tag_or_the_commit_that_gave_it(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, commits = pack
    repo = repository(folder, tmp_path)
    assert find(repo, CommitQuery(("1.1.0",))).commit == commits[1]
    assert find(repo, CommitQuery(("1.0.0",))).commit == commits[0]
    git(folder, "tag", "--annotate", "--message", "x", "v1.1.0", commits[2])
    assert find(repo, CommitQuery(("1.1.0",))).commit == commits[2]
    assert find(repo, CommitQuery((commits[3],))).commit == commits[3]


def test_an_abbreviated_commit_is_a_version(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, commits = pack
    found = find(repository(folder, tmp_path), CommitQuery((commits[1][:8],)))
    assert found.commit == commits[1] and not found.remarks
    # Digits alone may be a number as well: a tag of that name goes before.
    git(folder, "tag", "20240101", commits[2])
    assert find(repository(folder, tmp_path), CommitQuery(("20240101",))).commit == commits[2]
    assert find(repository(folder, tmp_path), CommitQuery(("7777777",))).remarks


def test_history_is_searched_though_the_mirror_was_shallow(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    repo = GitMirror(f"file://{pack[0]}", owner="pack", cache=tmp_path / "cache")
    repo.resolve(pack[1][4])
    assert repo.git("rev-parse", "--is-shallow-repository").output == b"true\n"
    assert find(repo, CommitQuery((pack[1][4],), types=("Old", "More"))).commit == pack[1][2]
    assert repo.git("rev-parse", "--is-shallow-repository").output == b"false\n"


def test_of_several_versions_the_newest_is_taken_and_told(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    found = find(repository(pack[0], tmp_path), CommitQuery(("1.0.0", "1.1.0")))
    assert found.commit == pack[1][1] and "2 versions" in found.remarks[0]


@pytest.mark.parametrize("version", ["7.7.7", "--help", "v$(x)", "\n"])
def test_a_version_that_nobody_knows_is_told(pack: tuple[Path, list[str]], tmp_path: Path, version: str) -> None:
    found = find(repository(pack[0], tmp_path), CommitQuery((version,)))
    assert found.commit == pack[1][4] and "no commit is known" in found.remarks[0]


def test_a_commit_that_is_not_there_is_an_error(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    with pytest.raises(UnpinnedPack):
        find(repository(pack[0], tmp_path), CommitQuery(("0" * 40,)))


def test_a_type_that_was_renamed_is_found_where_it_was_last(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    found = find(repository(pack[0], tmp_path), CommitQuery(types=("Old", "More")))
    assert found.commit == pack[1][2] and "lacks Old" in found.reason and found.missing == ()


def test_a_type_that_came_later_than_the_version_is_found(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    found = find(repository(pack[0], tmp_path), CommitQuery(("1.0.0",), types=("New",)))
    assert found.commit == pack[1][4]


def test_types_that_no_commit_has_together_are_absent(pack: tuple[Path, list[str]], tmp_path: Path) -> None:
    repo = repository(pack[0], tmp_path)
    assert find(repo, CommitQuery(types=("Never", "New"))).missing == ("Never",)
    assert find(repo, CommitQuery(types=("Old", "New"))).missing == ("Old",)


def test_types_that_are_made_at_run_time_are_unseen_not_absent(tmp_path: Path) -> None:
    folder = tmp_path / "dynamic"
    source = "import os\nNAMES = ['Made']\nNODE_CLASS_MAPPINGS = {os.environ.get('P', '') + n: object for n in NAMES}\n"
    made = commit(folder, {"__init__.py": source})
    found = find(repository(folder, tmp_path), CommitQuery(types=("Made",)))
    assert (found.commit, found.missing, found.dynamic) == (made, (), ("Made",))


def test_merges_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    commit(folder, {"__init__.py": code("Old")})
    git(folder, "checkout", "--quiet", "-b", "side")
    side = commit(folder, {"side.py": "x = 1\n"})
    git(folder, "checkout", "--quiet", "main")
    commit(folder, {"__init__.py": code("New")})
    git(folder, "merge", "--quiet", "--no-ff", "--message", "merge", "side")
    found = find(repository(folder, tmp_path), CommitQuery(types=("Old",)))
    assert found.commit != side and found.missing == ()


def test_the_address_of_a_file_of_a_branch_becomes_one_of_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = commit(tmp_path / "o" / "r", {"a.py": code("X")})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    for url in (
        "https://raw.githubusercontent.com/o/r/main/a.py",
        "https://raw.githubusercontent.com/o/r/refs/heads/main/a.py",
        "https://github.com/o/r/raw/main/a.py",
    ):
        pinned, date = pin_file_address(url, "r", tmp_path / "cache")
        assert pinned == f"https://raw.githubusercontent.com/o/r/{made}/a.py" and date is not None
    assert pin_file_address("https://h/a.py", "r", tmp_path / "cache") == ("https://h/a.py", None)


MAKES = "import os\nclass N: pass\nNODE_CLASS_MAPPINGS = {os.environ.get('P', '') + n: N for n in ['Made']}\n"


def partly(*types: str) -> str:
    """A pack that defines `types`, and makes more while it runs."""
    return code(*types) + "import os\nfor name in os.environ:\n    NODE_CLASS_MAPPINGS[name] = N\n"


def test_a_text_in_the_history_is_no_definition(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    for types in (code("New"), MAKES):
        commit(folder, {"__init__.py": types, "tool.py": "NAMES = ['Seed (suite)']\n"})
        newest = commit(folder, {"tool.py": "NAMES = []\n"})
        found = find(repository(folder, tmp_path), CommitQuery(types=("Seed (suite)",)))
        makes = types == MAKES
        assert found.commit == newest and not found.remarks
        assert (found.missing, found.dynamic) == (((), ("Seed (suite)",)) if makes else (("Seed (suite)",), ()))


def test_a_type_that_is_made_now_is_not_taken_from_the_commit_that_defined_it(tmp_path: Path) -> None:
    folder = tmp_path / "became"
    commit(folder, {"__init__.py": code("Seed (suite)")})
    newest = commit(folder, {"__init__.py": MAKES})
    assert find(repository(folder, tmp_path), CommitQuery(types=("Seed (suite)",))).commit == newest


def test_a_pack_that_makes_types_drops_others_unless_they_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "drops"
    old = commit(folder, {"__init__.py": partly("Old", "Kept")})
    newest = commit(folder, {"__init__.py": partly("Kept")})
    repo = repository(folder, tmp_path)
    found = find(repo, CommitQuery(types=("Old", "Kept")))
    assert found.commit == old and not found.missing and "lacks Old; the last commit with it" in found.remarks[0]
    listed = find(repo, CommitQuery(types=("Old",), listed=frozenset({"Old"})))
    assert (listed.commit, listed.dynamic) == (newest, ("Old",))


def test_a_type_that_came_after_the_named_commit_is_not_made_by_it(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    early = commit(folder, {"__init__.py": partly("Kept") + "SUFFIX = ' (suite)'\nNAMES = ['Seed']\n"})
    newest = commit(folder, {"__init__.py": partly("Kept", "Later", "Seed (suite)")})
    repo = repository(folder, tmp_path)
    listed = frozenset({"Kept", "Later", "Seed (suite)"})
    found = find(repo, CommitQuery((early,), types=("Kept", "Later"), listed=listed))
    assert (found.commit, found.dynamic) == (newest, ()) and "commit lacks Later" in found.remarks[0]
    words = find(repo, CommitQuery((early,), types=("Kept", "Seed (suite)"), listed=listed))
    assert (words.commit, words.dynamic) == (early, ("Seed (suite)",)), "it may put the name together"
