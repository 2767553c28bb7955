from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pycomfy.cli.lock import lock
from pycomfy.errors import NotFound

app = typer.Typer()
app.command()(lock)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--node", "x"], "NAME=COMMIT"),
        (["--node", "=x"], "NAME=COMMIT"),
        (["--pack", "x="], "NAME=URL"),
        (["--pack", "x=a", "--pack", "x=b"], "given twice"),
        (["--as-of", "yesterday"], "write a date like"),
        (["--platform", "linux/riscv64"], "linux/arm64"),
    ],
)
def test_a_wrong_option_is_a_usage_error_that_says_how(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["workflow.json", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_a_workflow_that_is_not_there_is_an_error_for_the_user(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "nope.json")], env={"PYCOMFY_HOME": str(tmp_path / "home")})
    assert isinstance(result.exception, NotFound)
    assert not (tmp_path / "home").exists()
