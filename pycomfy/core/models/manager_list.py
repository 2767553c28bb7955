"""Parse ComfyUI-Manager's list of models: the addresses of models with well-known names. It has no hashes.

The list is untrusted: malformed entries are left out, and everything is bounded.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pycomfy.core.catalog.manager_lists import MAX_BYTES
from pycomfy.core.requirements.model_files import FOLDER_ALIASES
from pycomfy.errors import BadInput

MODELS = "model-list.json"
"""The Manager's file: `{"models": [{"filename", "save_path", "type", "url", …}]}`."""

MAX_MODELS = 100_000
MAX_TEXT_LENGTH = 2_000

_FOLDERS = {
    "checkpoint": "checkpoints",
    "upscale": "upscale_models",
    "vae": "vae",
    "clip": "text_encoders",
    "diffusion_model": "diffusion_models",
    "unet": "diffusion_models",
    "lora": "loras",
    "controlnet": "controlnet",
    "embedding": "embeddings",
}
"""The model folder of an entry with the `save_path` `default`, by its type."""

# Names that do not identify a model: hundreds of different ones have them.
_GENERIC_NAME = re.compile(
    r"(model|unet|vae|lora|config|weights)(\.|-\d|$)|(pytorch|diffusion_pytorch|adapter)_", re.IGNORECASE
)


@dataclass(frozen=True)
class ListedModel:
    """A model of the list. `name` is the path below the model folder `folder`, where the Manager puts the file."""

    folder: str
    name: str
    url: str

    @property
    def file(self) -> str:
        """The last part of the name, in lower case."""
        return self.name.rsplit("/", 1)[-1].lower()


def parse_models(files: Mapping[str, bytes]) -> tuple[ListedModel, ...]:
    """Return the models in the Manager's file `MODELS`; none if it is missing. Raises `BadInput` if it is not JSON."""
    data = files.get(MODELS, b"{}")
    try:
        value = json.loads(data) if len(data) <= MAX_BYTES else {}
    except (ValueError, RecursionError) as e:
        raise BadInput(f"not JSON: {e}", where=MODELS, fix="update the catalog from another version") from e
    entries = value.get("models") if isinstance(value, dict) else None
    found = (_read(entry) for entry in (entries if isinstance(entries, list) else [])[:MAX_MODELS])
    return tuple(dict.fromkeys(model for model in found if model is not None))


def choose_model(listed: Iterable[ListedModel], folder: str, name: str) -> str | None:
    """Return the address of a model: by its whole path, or by a file name that is specific and that only one has. None
    if no model or several match."""
    here = [m for m in listed if m.folder == folder]
    exact = {m.url for m in here if m.name == name}
    if len(exact) == 1:
        return exact.pop()
    file = name.rsplit("/", 1)[-1].lower()
    same_file = {m.url for m in here if m.file == file}
    return same_file.pop() if len(same_file) == 1 and not exact and _GENERIC_NAME.match(file) is None else None


def _read(entry: object) -> ListedModel | None:
    if not isinstance(entry, dict):
        return None
    texts = [entry.get(key) for key in ("filename", "save_path", "type", "url")]
    name, path, kind, url = (t if isinstance(t, str) and len(t) <= MAX_TEXT_LENGTH else "" for t in texts)
    if path == "default":
        path = _FOLDERS.get(kind.lower(), "")
    folder, _, below = path.strip("/").partition("/")
    if not (folder and name and url.startswith("https://")) or "/" in name or "<" in name:
        return None
    return ListedModel(FOLDER_ALIASES.get(folder, folder), f"{below}/{name}" if below else name, url)
