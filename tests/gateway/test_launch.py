import itertools
import json
import subprocess
import sys
from pathlib import Path

from pycomfy.gateway.launch import LINE_BY_LINE, plan_command, plan_environment
from pycomfy.gateway.places import Places
from pycomfy.gateway.settings import Settings, is_secret, variable


def test_flags_an_old_comfyui_does_not_know_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "comfy").mkdir()
    (tmp_path / "comfy/cli_args.py").write_text('add_argument("--listen")\nadd_argument("--port")\nadd("--cpu")')
    command = plan_command(Places(comfyui=tmp_path), listen="127.0.0.1", cpu=True, model_paths=tmp_path / "m")
    assert command[4:] == ["--listen", "127.0.0.1", "--port", "8188", "--cpu"]


def test_everything_is_written_below_data(tmp_path: Path) -> None:
    command = plan_command(Places(comfyui=tmp_path), listen="0.0.0.0", cpu=False, model_paths=Path("/data/user/m"))
    flags = dict(itertools.pairwise(command[4:]))
    assert flags["--database-url"] == "sqlite:////data/user/comfyui.db"
    assert flags["--output-directory"] == "/data/output"
    assert flags["--user-directory"] == "/data/user"
    assert "--cpu" not in command


def test_a_home_nobody_can_write_to_is_replaced() -> None:
    places = Places()
    assert plan_environment(places, {"HOME": "/", "PATH": "/bin"})["HOME"] == "/data/user"
    assert plan_environment(places, {"HOME": "/data"})["HOME"] == "/data"


def test_what_packs_print_comes_line_by_line(tmp_path: Path) -> None:
    """ComfyUI makes a buffer around its output, which takes this over. Everything else is as for a script."""
    (tmp_path / "other.py").write_text("HERE = 1")
    script = "import json, os, sys, other\n"
    script += "print(json.dumps([sys.stdout.line_buffering, sys.argv, sys.path[0], __name__, __file__]))"
    (tmp_path / "main.py").write_text(script)
    main = str(tmp_path / "main.py")
    command = [sys.executable, "-B", str(LINE_BY_LINE), main, "--port", "1"]
    done = subprocess.run(command, cwd="/", check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [True, [main, "--port", "1"], str(tmp_path), "__main__", main]


def test_node_packs_do_not_get_the_secrets_of_the_gateway() -> None:
    values = [variable(name) for name in Settings.model_fields if is_secret(name)]
    secrets = [*values, *(f"{value}_FILE" for value in values)]
    given = {**dict.fromkeys(secrets, "x"), "AWS_SECRET_ACCESS_KEY": "x", "HF_TOKEN": "kept"}
    seen = plan_environment(Places(), given)
    assert len(values) == 3
    assert not set(secrets) & seen.keys()
    assert seen["AWS_SECRET_ACCESS_KEY"] == "x", "somebody else's, where outputs go to no storage"
    stored = {**given, "AWS_SECRET_ACCESS_KEY_FILE": "x", "PYCOMFY_STORAGE": "s3://b"}
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY_FILE"} & plan_environment(Places(), stored).keys()
    assert seen["HF_TOKEN"] == "kept"
