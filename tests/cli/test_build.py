"""What `build` says of what it built."""

from pathlib import Path

import pytest

from pycomfy.adapters.containers.load import LayoutImage
from pycomfy.cli.build import _show
from pycomfy.services.build.build import BuildResult
from pycomfy.services.realise import host_platform


def shown(platform: str, capsys: pytest.CaptureFixture[str], layers_built: int = 2) -> str:
    image = LayoutImage(Path("/layout"), "sha256:1", "sha256:2", (), ("sha256:3",) * 5, platform, 8_000_000_000)
    result = BuildResult(
        name="portrait",
        version=3,
        commit="c" * 40,
        new=True,
        image=image,
        layers_built=layers_built,
        layers_reused=3,
        seconds=12.0,
        log=Path("/log"),
        archived=True,
    )
    _show(result)
    return capsys.readouterr().out


def test_an_image_for_this_machine_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pycomfy run portrait" in shown(host_platform(), capsys)


def test_an_image_for_another_machine_is_not_offered_to_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert "pycomfy run" not in shown("linux/riscv64", capsys)


def test_one_layer_is_no_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 layer built, 3 reused" in shown("linux/amd64", capsys, layers_built=1)
