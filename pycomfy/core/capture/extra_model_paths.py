"""Read ComfyUI's `extra_model_paths.yaml`: folders of models, and of node packs, outside the installation."""

import yaml

from pycomfy.core.loose_json import as_text
from pycomfy.core.requirements.model_files import FOLDER_ALIASES

PACKS = "custom_nodes"
_NO_FOLDERS = ("base_path", "is_default")


def parse_model_paths(text: str) -> dict[str, tuple[str, ...]]:
    """Return the paths that the file gives for each model folder, and for `custom_nodes`, in the order in which ComfyUI
    searches them. A relative one is relative to the section's `base_path`, and that to the file's folder.

    Raises `ValueError` for text that is not such a file.
    """
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as e:
        raise ValueError("not YAML: " + str(e).split("\n")[0]) from e
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ValueError("no sections")
    folders: dict[str, list[tuple[bool, str]]] = {}
    for section in data.values():
        if not isinstance(section, dict):
            continue
        base, default = as_text(section.get("base_path")), section.get("is_default") is True
        for key, value in section.items():
            if key in _NO_FOLDERS or not (isinstance(key, str) and isinstance(value, str)):
                continue
            for line in value.split("\n"):
                if path := line.strip():
                    joined = path if path.startswith(("/", "~")) or not base else f"{base.rstrip('/')}/{path}"
                    folders.setdefault(FOLDER_ALIASES.get(key, key), []).append((default, joined))
    return {key: tuple(path for _, path in sorted(paths, key=lambda p: not p[0])) for key, paths in folders.items()}
