"""How the program is started: with closed or full streams, in a folder that is gone, and left as soon as it started."""

import functools
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli_projects import Place, Surroundings
from tests.support.waiting import HANG

PROGRAM = Path(sys.executable).with_name("pycomfy")

Usual = Callable[[str], "subprocess.CompletedProcess[str]"]

COMMANDS = ["inspect x.json", "inspect none --json", "none", "--help"]


def shell(place: Place, line: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, with the program as `$P`."""
    place.write("x.json", '{"1": {"class_type": "SaveImage", "inputs": {}}}')
    env = {**place.env, "P": str(PROGRAM), **variables}
    return subprocess.run(
        ["/bin/bash", "-c", line], cwd=place.work, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def calm(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place for what changes nothing in it, so that it is the same for all."""
    return Place.new(tmp_path_factory.mktemp("calm") / "place", surroundings.env)


@pytest.fixture(scope="module")
def usual(calm: Place) -> Usual:
    """How each of `COMMANDS` ends in the calm place where nothing is odd; it is run once."""
    return functools.cache(lambda command: shell(calm, f"$P {command}"))


def check_no_bug(done: "subprocess.CompletedProcess[str]") -> None:
    assert "Traceback" not in done.stderr and "bug" not in done.stderr and done.returncode in (0, 1, 2), done.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_but_what_is_shown(
    calm: Place, usual: Usual, command: str, closed: str
) -> None:
    shown, done = usual(command), shell(calm, f"$P {command} {closed}")
    check_no_bug(done)
    assert done.returncode == shown.returncode
    assert done.stdout == ("" if ">&-" in closed.split() else shown.stdout)
    assert done.stderr == ("" if "2>&-" in closed else shown.stderr)


def test_nothing_is_printed_into_a_file_that_gets_the_number_of_a_closed_stream(place: Place) -> None:
    code = """
        import os, sys
        from pycomfy.__main__ import _open_closed_streams
        os.closerange(0, 3)
        _open_closed_streams()
        with open("written", "w") as file:
            print("printed"), print("printed", file=sys.stderr)
            os.write(1, b"printed"), os.write(2, b"printed")
            os.system("echo printed; echo printed >&2")
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=place.work, check=True)
    assert (place.work / "written").read_text() == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_standard_error_ends_nothing(calm: Place, usual: Usual, command: str) -> None:
    shown, done = usual(command), shell(calm, f"$P {command} 2>/dev/full")
    assert (done.returncode, done.stdout) == (shown.returncode, shown.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_who_has_enough_is_no_error(place: Place, command: str) -> None:
    done = shell(place, f"$P {command} 2>&1 | /usr/bin/head -c1; exit ${{PIPESTATUS[0]}}")
    check_no_bug(done)
    assert not done.stderr


LOST = [
    "inspect none",
    "inspect .",
    "inspect none --json",
    "models add a --as b/c",
    "lock .",
    "lock x.json",
    "import f",
]


@pytest.mark.parametrize("command", LOST)
def test_a_working_folder_that_was_deleted_is_told(place: Place, command: str) -> None:
    done = shell(place, f"/bin/mkdir gone; cd gone; /bin/rmdir ../gone; $P {command}")
    check_no_bug(done)
    assert done.returncode == 1
    assert "error: the working folder was deleted" in done.stderr and "  fix:   " in done.stderr


def test_what_is_not_in_a_deleted_working_folder_is_told_as_ever(place: Place) -> None:
    done = shell(place, "/bin/mkdir gone; cd gone; /bin/rmdir ../gone; $P lock /none/x.json")
    assert done.returncode == 1 and "error: no such workflow" in done.stderr and "/none/x.json" in done.stderr


@pytest.mark.parametrize("command", ["inspect x.json", "inspect none", "doctor --offline"])
@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "TERM": "dumb", "COLUMNS": "10"},
        {"FORCE_COLOR": "1", "COLUMNS": "1"},
        {"FORCE_COLOR": "1", "COLUMNS": "0", "TERM": ""},
        {"FORCE_COLOR": "1", "COLUMNS": "-5", "NO_COLOR": "1"},
        {"HOME": "", "PYCOMFY_HOME": ""},
        {"HOME": "/proc/none", "PYCOMFY_HOME": ""},
    ],
    ids=str,
)
def test_an_odd_environment_is_no_bug(place: Place, command: str, variables: dict[str, str]) -> None:
    done = shell(place, f"$P {command}", **variables)
    assert "Traceback" not in done.stderr and done.returncode in (0, 1, 3), done.stderr


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["ctrl-c", "sigterm", "sighup"],
)
def test_a_signal_during_the_imports_ends_the_program_without_a_traceback(
    place: Place, number: signal.Signals, status: int
) -> None:
    # Each import sends the signal: the first one that begins after the handlers are there.
    code = f"""
        import os, sys
        import pycomfy.__main__ as program
        class Signal:
            def find_spec(self, name, path=None, target=None):
                os.kill(os.getpid(), {int(number)})
        sys.meta_path.insert(0, Signal())
        sys.argv = ["pycomfy", "log"]
        program.main()
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=place.work,
        env=place.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_before_the_handlers_are_there_little_is_imported() -> None:
    code = "import sys; before = set(sys.modules); import pycomfy.__main__; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert not {"typing", "typer", "re", "pathlib"} & set(done.stdout.split())
    assert {m for m in done.stdout.split() if m.startswith("pycomfy")} == {"pycomfy", "pycomfy.__main__"}


ROOT = Path(__file__).parents[2]


def test_a_second_ctrl_c_ends_the_program_at_once_without_a_traceback(place: Place) -> None:
    code = """
        import os, signal, sys
        import pycomfy.__main__ as program
        import pycomfy.cli.main as cli
        def run():
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
        cli._run = run
        cli._print_interrupted = lambda: os.kill(os.getpid(), signal.SIGINT)
        program.main()
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=place.work, env=place.env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (130, "")
