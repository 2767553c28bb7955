"""With `--quiet`, only results and errors are printed, wherever it stands."""

import pytest

from tests.support.cli_projects import Place


@pytest.mark.parametrize("words", [("lock", "-q", "."), ("--quiet", "lock", "."), ("lock", ".", "--quiet")])
def test_progress_and_remarks_are_left_out(place: Place, words: tuple[str, ...]) -> None:
    place.project()
    loud = place.run("lock", ".")
    assert loud.status == 0 and "Resolve" in loud.err
    done = place.run(*words)
    assert (done.status, done.err) == (0, "") and "unchanged pycomfy.lock" in done.out
    assert place.run("lock", ".").err != "", "for that call alone"


def test_errors_are_printed(place: Place) -> None:
    done = place.run("show", "nope", "-q")
    assert done.status == 1 and "error: no workflow" in done.err and "fix:" in done.err
    assert place.run("log").err == "no versions yet: pycomfy build WORKFLOW (makes the first)\n"
    quiet = place.run("log", "-q")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    assert "-q, --quiet" in place.run("log", "--help").out and "-q, --quiet" in place.run("--help").out
