"""Read what ComfyUI-Manager stores in an installation, as data: none of it is run."""

import configparser
import json
from pathlib import Path

from pycomfy.adapters.capture.files import read_text
from pycomfy.core.capture.model import CapturedManager
from pycomfy.core.loose_json import as_mapping

_FOLDERS = ("user/__manager", "user/default/ComfyUI-Manager", "custom_nodes/ComfyUI-Manager")
_SETTINGS = ("channel_url", "network_mode", "security_level", "use_uv", "downgrade_blacklist", "skip_migration_check")
_MAX_BYTES = 1 << 20
_MAX_OVERRIDES = 200


def read_manager(root: Path) -> CapturedManager | None:
    """Return the Manager's settings, overrides and newest snapshot; None if there is no Manager."""
    folders = [root / folder for folder in _FOLDERS if (root / folder).is_dir()]
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
        parser.read_string(read_text(path, _MAX_BYTES))
    except configparser.Error:
        return {}
    return {key: parser["default"][key] for key in _SETTINGS if parser.has_option("default", key)}


def _overrides(path: Path) -> dict[str, str]:
    """Packages that the Manager installs in place of those that a node pack requires."""
    try:
        data = as_mapping(json.loads(read_text(path, _MAX_BYTES)))
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in list(data.items())[:_MAX_OVERRIDES] if isinstance(value, str)}
