"""What `build` says of what it built."""

from pathlib import Path

import pytest

from pycomfy.cli.build import _show
from pycomfy.services.build.build import BuildResult


def shown(capsys: pytest.CaptureFixture[str], *, runnable: bool = True, layers_built: int = 2) -> str:
    _show(
        BuildResult(
            name="portrait",
            version=3,
            new=True,
            platform="linux/amd64",
            oci=Path("/layout"),
            commit="c" * 40,
            manifest_digest="sha256:1",
            config_digest="sha256:2",
            diff_ids=("sha256:3",) * 5,
            size=8_000_000_000,
            layers_built=layers_built,
            layers_reused=3,
            archived=True,
            missing_libraries=(),
            seconds=12.0,
            log=Path("/log"),
            runnable=runnable,
        )
    )
    return capsys.readouterr().out


def test_an_image_for_this_machine_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pycomfy run portrait" in shown(capsys)


def test_an_image_for_another_machine_is_not_offered_to_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pycomfy run" not in shown(capsys, runnable=False)


def test_one_layer_is_no_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 layer built, 3 reused" in shown(capsys, layers_built=1)
