"""What ComfyUI-Manager keeps in an installation: data of its own, none of which is run."""

import configparser
import json
from pathlib import Path

from pycomfy.adapters.capture.git_dir import read_small
from pycomfy.core.capture.model import CapturedManager

_PLACES = ("user/__manager", "user/default/ComfyUI-Manager", "custom_nodes/ComfyUI-Manager")
_SETTINGS = ("channel_url", "network_mode", "security_level", "use_uv", "downgrade_blacklist", "skip_migration_check")
_MAX_BYTES = 1 << 20


def read_manager(root: Path) -> CapturedManager | None:
    """The Manager's settings, overrides and newest snapshot; None if there is nothing of it."""
    folders = [root / place for place in _PLACES if (root / place).is_dir()]
    if not folders:
        return None
    settings: dict[str, str] = {}
    overrides: dict[str, str] = {}
    snapshots: list[Path] = []
    for folder in folders:
        settings = {**_settings(folder / "config.ini"), **settings}
        overrides = {**_overrides(folder / "pip_overrides.json"), **overrides}
        snapshots += sorted((folder / "snapshots").glob("*.json"))
    newest = max(snapshots, key=lambda p: p.name, default=None)
    return CapturedManager(settings, None if newest is None else str(newest.relative_to(root)), overrides)


def _settings(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_small(path, _MAX_BYTES))
    except configparser.Error:
        return {}
    return {key: parser["default"][key] for key in _SETTINGS if parser.has_option("default", key)}


def _overrides(path: Path) -> dict[str, str]:
    """Packages that the Manager installs instead of those that a pack asks for."""
    try:
        data = json.loads(read_small(path, _MAX_BYTES))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in list(data.items())[:200] if isinstance(value, str)}
