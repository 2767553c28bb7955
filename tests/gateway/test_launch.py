import itertools
from pathlib import Path

from pycomfy.gateway.launch import plan_command, plan_environment
from pycomfy.gateway.places import Places


def test_flags_an_old_comfyui_does_not_know_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "comfy").mkdir()
    (tmp_path / "comfy/cli_args.py").write_text('add_argument("--listen")\nadd_argument("--port")\nadd("--cpu")')
    command = plan_command(Places(comfyui=tmp_path), listen="127.0.0.1", cpu=True, model_paths=tmp_path / "m")
    assert command[3:] == ["--listen", "127.0.0.1", "--port", "8188", "--cpu"]


def test_everything_is_written_below_data(tmp_path: Path) -> None:
    command = plan_command(Places(comfyui=tmp_path), listen="0.0.0.0", cpu=False, model_paths=Path("/data/user/m"))
    flags = dict(itertools.pairwise(command))
    assert flags["--database-url"] == "sqlite:////data/user/comfyui.db"
    assert flags["--output-directory"] == "/data/output"
    assert flags["--user-directory"] == "/data/user"
    assert "--cpu" not in command


def test_a_home_nobody_can_write_to_is_replaced() -> None:
    places = Places()
    assert plan_environment(places, {"HOME": "/", "PATH": "/bin"})["HOME"] == "/data/user"
    assert plan_environment(places, {"HOME": "/data"})["HOME"] == "/data"
