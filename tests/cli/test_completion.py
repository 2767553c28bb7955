"""Completion in the shell: real names, read-only, and silence where there is nothing to read."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.cli.commands import load_command
from tests.support.cli_projects import Place, programs
from tests.support.service_projects import make_files, record, with_steps

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """hello@1, hello@2 with the tag `stable`, and helper@1."""
    place = Place.new(tmp_path / "place", {"PATH": programs(tmp_path / "bin"), "PYTHONPATH": str(ROOT)})
    paths = Paths(place.data, place.data / "cache")
    for name, steps in (("hello", 1), ("hello", 2), ("helper", 1)):
        record(paths, make_files(name, with_steps(steps)))
    assert place.run("tag", "stable", "hello@2").status == 0
    return place


def complete(place: Place, *words: str, shell: str = "zsh") -> list[str]:
    """What is proposed for the last of these words."""
    line = shlex.join(("pycomfy", *words)) if words[-1] else shlex.join(("pycomfy", *words[:-1])) + " "
    variables = {"_TYPER_COMPLETE_ARGS": line, "_PYCOMFY_COMPLETE": f"complete_{shell}"}
    code = "import sys; sys.argv = ['pycomfy']; from pycomfy.cli.main import main; main()"
    env = {**place.env, **variables}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=place.work, capture_output=True, text=True)
    assert done.stderr == ""
    return [part.split('"')[1] for part in done.stdout.splitlines() if '"' in part]


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (("show", "he"), ["hello", "helper"]),
        (("rm", "hello"), ["hello"]),
        (("run", "help"), ["helper"]),
        (("show", "hello@"), ["hello@stable", "hello@2", "hello@1"]),
        (("checkout", "hello@s"), ["hello@stable"]),
        (("models", "status", "hel"), ["hello", "helper"]),
        (("push", "somewhere", "hello", "help"), ["helper"]),
        (("show", "nothing@"), []),
        (("show", "../@"), []),
    ],
)
def test_names_are_proposed(place: Place, words: tuple[str, ...], proposed: list[str]) -> None:
    assert [text for text in complete(place, *words) if text in proposed or "hel" in text] == proposed


def test_bash_gets_what_is_behind_the_at_sign(place: Place, tmp_path: Path) -> None:
    """Bash takes `hello@s` for three words."""
    folder = tmp_path / "programs"
    folder.mkdir()
    pycomfy = folder / "pycomfy"
    pycomfy.write_text(f"#!{sys.executable}\nfrom pycomfy.cli.main import main\nmain()\n")
    pycomfy.chmod(0o755)
    env = {**place.env, "PATH": f"{folder}:{os.environ['PATH']}"}
    source = subprocess.run(
        [pycomfy], env={**env, "_PYCOMFY_COMPLETE": "source_bash"}, capture_output=True, text=True, check=True
    ).stdout
    calls = (("hello @ s", 4), ("hello @", 3))
    script = source + "".join(
        f'COMP_WORDS=(pycomfy show {words}); COMP_CWORD={at}; _pycomfy_completion pycomfy; echo "${{COMPREPLY[@]}}"\n'
        for words, at in calls
    )
    done = subprocess.run(["bash", "-c", script], env=env, cwd=place.work, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("stable\nstable 2 1\n", "")


@pytest.mark.parametrize("tag", ["a;id", "$(id)", "`id`", "a|sh", "a&", "it's", "a>b", '"'])
def test_a_name_that_a_shell_would_run_is_not_proposed(place: Place, tag: str) -> None:
    """A tag may be anybody's: `pull` takes them in, and a shell writes what is proposed into the line as it is."""
    repository = place.data / "library.git"
    subprocess.run(["git", "-C", repository, "update-ref", f"refs/tags/hello/{tag}", "hello"], check=True)
    assert complete(place, "show", "hello@") == ["hello@stable", "hello@2", "hello@1"]


def test_nothing_is_created_and_no_error_shown(tmp_path: Path) -> None:
    empty = Place.new(tmp_path / "empty", {"PATH": programs(tmp_path / "bin"), "PYTHONPATH": str(ROOT)})
    assert complete(empty, "show", "he") == [] and complete(empty, "catalog", "show", "a") == []
    assert not empty.data.exists()
    empty.data.mkdir()
    (empty.data / "library.git").write_text("no repository")
    (empty.data / "catalog.db").write_text("no catalog")
    assert complete(empty, "show", "he") == [] and complete(empty, "catalog", "show", "a") == []


def test_what_is_no_name_of_ours_is_left_to_the_shell() -> None:
    command = load_command("lock")
    assert all(parameter._custom_shell_complete is None for parameter in command.params)
