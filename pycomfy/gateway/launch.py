"""How ComfyUI is started: its arguments, its environment and where it looks for models."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from .places import Places

RESERVED = frozenset({"base_path", "is_default"})
"""Keys of ComfyUI's model path file that are no model folders."""

LINE_BY_LINE = Path(__file__).with_name("line_by_line.py")
HELD = LINE_BY_LINE.with_name("held.py")

_MODEL_FOLDER = re.compile(r"""folder_names_and_paths\[["']([^"']+)["']\]|models_dir, ["']([^"']+)["']""")


def plan_command(
    places: Places, *, listen: str, cpu: bool, model_paths: Path, script: Path = LINE_BY_LINE
) -> list[str]:
    """The argument list; `script` runs ComfyUI. Flags that this ComfyUI does not know yet are left out, so that old
    ones start too."""
    try:
        known = (places.comfyui / "comfy/cli_args.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        known = ""
    data = places.data
    wanted = {
        "--listen": listen,
        "--port": str(places.port),
        "--disable-auto-launch": None,
        "--input-directory": str(places.input),
        "--output-directory": str(places.output),
        "--temp-directory": str(places.temp),
        "--user-directory": str(data / "user"),
        "--extra-model-paths-config": str(model_paths),
        # The default is inside ComfyUI's folder, which is gone with the container.
        "--database-url": f"sqlite:///{data / 'user' / 'comfyui.db'}",
        **({"--cpu": None} if cpu else {}),
    }
    command = [str(places.python), "-B", str(script), str(places.comfyui / "main.py")]
    for flag, value in wanted.items():
        if not known or f'"{flag}"' in known or f"'{flag}'" in known:
            command += [flag] if value is None else [flag, value]
    return command


SECRETS = frozenset(("PYCOMFY_API_KEYS", "PYCOMFY_WEBHOOK_SECRET", "PYCOMFY_STORAGE_TOKEN"))
STORAGE_SECRETS = frozenset(("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
"""Variables that are the gateway's alone: node packs get neither them nor the names of their files."""

MODEL_TOKENS = {
    "huggingface": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    "civitai": ("CIVITAI_TOKEN", "CIVITAI_API_TOKEN"),
}
"""Variables with the token of a hub, which node packs use as well."""

FILE = "_FILE"
"""The end of a variable that names a file with the value of the one without it."""


def plan_environment(places: Places, given: Mapping[str, str]) -> dict[str, str]:
    """`given` plus what programs expect of a user, who has no entry in the container's passwd."""
    home = places.data / "user"
    defaults = {
        "HOME": str(home),
        "USER": "pycomfy",
        "XDG_CACHE_HOME": str(home / ".cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        # A crash of native code says in which Python code, and so in which node pack.
        "PYTHONFAULTHANDLER": "1",
    }
    # The engine sets HOME to / where the user is unknown; nobody can write there.
    ours = SECRETS | (STORAGE_SECRETS if given.get("PYCOMFY_STORAGE") else frozenset())
    kept = {k: v for k, v in given.items() if k.removesuffix(FILE) not in ours and not (k == "HOME" and v in ("", "/"))}
    return {**defaults, **kept, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}


def plan_model_paths(places: Places) -> dict[str, dict[str, object]]:
    """ComfyUI's model path file, for a ComfyUI that `installation.prepare` made: the folders of its `models` that it
    does not know already. A folder that it found twice, it would list twice."""
    models = places.comfyui / "models"
    names = [name for name in _folders(models) if name not in _known(places)]
    return {"models": {"base_path": str(models), **{name: name for name in names}}} if names else {}


def _known(places: Places) -> set[str]:
    try:
        text = (places.comfyui / "folder_paths.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {name for pair in _MODEL_FOLDER.findall(text) for name in pair if name}


def write_model_paths(places: Places) -> Path:
    """Write that file; JSON is YAML."""
    path = places.data / "user" / "model_paths.yaml"
    path.write_text(json.dumps(plan_model_paths(places), indent=1), encoding="utf-8")
    return path


def _folders(parent: Path) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            names = [e.name for e in entries if e.is_dir()]
    except OSError:
        return []
    return sorted(n for n in names if n not in RESERVED and not n.startswith(".") and n.isprintable())
