"""git is started the same way everywhere: nothing of a repository, and little of its user, has a say in it."""

from pathlib import Path

import pytest

from pycomfy.adapters.git.runner import GitRefused, GitRunner
from pycomfy.errors import MissingTool


@pytest.fixture
def runner(tmp_path: Path) -> GitRunner:
    runner = GitRunner(tmp_path / "bare")
    runner.must("init", "--quiet", "--bare", str(runner.path))
    return runner


def test_no_hook_of_a_repository_is_run(runner: GitRunner, tmp_path: Path) -> None:
    hook = runner.path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    runner.must("config", "core.hooksPath", str(hook.parent))
    blob = runner.must("hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    runner.must("update-ref", "refs/x", blob)
    assert not (tmp_path / "ran").exists()


def test_it_works_on_its_own_repository_whatever_the_environment_names(
    runner: GitRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    assert runner.must("rev-parse", "--git-dir").decode().strip() == str(runner.path)
    runner.must("hash-object", "-w", "--stdin", stdin=b"x")
    assert any((runner.path / "objects").glob("??/*"))


def test_an_isolated_one_ignores_the_settings_of_the_user(
    runner: GitRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.email")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "from@the.environment")
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = From the home folder\n")
    settings = runner.run("config", "--list").output.decode()
    assert "from@the.environment" in settings and "From the home folder" in settings
    isolated = GitRunner(runner.path, isolated=True).run("config", "--list").output.decode()
    assert "from@the.environment" not in isolated and "From the home folder" not in isolated


def test_its_settings_go_before_those_of_the_repository_for_gitpython_too(runner: GitRunner) -> None:
    runner.must("config", "core.fsync", "none")
    chosen = GitRunner(runner.path, [("core.fsync", "all")])
    assert chosen.must("config", "--get", "core.fsync") == b"all\n"
    with chosen.open_repo() as repo:
        assert repo.git.config("--get", "core.fsync") == "all"
        assert repo.git.config("--get", "safe.directory") == str(runner.path)


def test_a_command_that_fails_says_why(runner: GitRunner) -> None:
    done = runner.run("rev-parse", "--verify", "nothing")
    assert done.status != 0 and done.output == b"" and "single revision" in done.message
    with pytest.raises(GitRefused, match="git rev-parse: fatal: ") as caught:
        runner.must("rev-parse", "--verify", "nothing")
    assert caught.value.where == str(runner.path)


def test_without_git_the_error_says_how_to_get_it(runner: GitRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(runner.path))
    with pytest.raises(MissingTool) as caught:
        runner.run("--version")
    assert "git" in caught.value.fix
