"""What `build` says of what it built."""

from pathlib import Path

import pytest

from pycomfy.cli.build import _show
from pycomfy.services.build.build import BuildResult
from pycomfy.services.models.needed import NeededModel


def shown(
    capsys: pytest.CaptureFixture[str],
    *,
    runnable: bool = True,
    layers_built: int = 2,
    absent: int = 0,
    new: bool = True,
    first: bool = True,
) -> str:
    _show(
        BuildResult(
            name="portrait",
            version=3,
            new=new,
            first_image=first,
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
            absent_models=tuple(
                NeededModel(folder="loras", name=f"{n}.pt", state="missing", pickle=True) for n in range(absent)
            ),
            seconds=12.0,
            log=Path("/log"),
            runnable=runnable,
        )
    )
    output = capsys.readouterr()
    return output.out + output.err


def test_an_image_for_this_machine_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pycomfy run portrait" in shown(capsys)


def test_an_image_for_another_machine_is_not_offered_to_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pycomfy run" not in shown(capsys, runnable=False)


def test_one_layer_is_no_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 layer built, 3 reused" in shown(capsys, layers_built=1)


def test_models_that_a_run_lacks_are_noted_with_the_command_that_explains_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "note: it lacks 1 model: loras/0.pt: `pycomfy models status portrait`" in shown(capsys, absent=1)
    assert "note: it lacks 7 models: loras/0.pt, loras/1.pt" in shown(capsys, absent=7)
    assert "note" not in shown(capsys)


def test_a_first_image_for_another_platform_is_not_the_same_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert "portrait@3, its first image for linux/amd64" in shown(capsys, new=False)
    assert "portrait@3, the same as before" in shown(capsys, new=False, first=False)
    assert "portrait@3, a new version" in shown(capsys)
