"""Find model files: in the inputs of loaders, in `properties.models`, as `embedding:` in prompts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.node_definitions import Definitions, NodeSpec
from pycomfy.core.requirements.model import RequiredModel

ModelInputs = Mapping[str, Mapping[str, str | None]]
"""For node types, the model folders of inputs; None for an input whose names are no files in a model folder."""

FOLDER_ALIASES = {
    "unet": "diffusion_models",
    "clip": "text_encoders",
    "t2i_adapter": "controlnet",
    "unet_gguf": "diffusion_models",
    "clip_gguf": "text_encoders",
}
"""Older names of model folders, and those that packs give to folders of ComfyUI for other kinds of files."""

# fmt: off
FOLDERS_BY_NODE: Mapping[str, Mapping[str, str]] = {
    "CLIPVisionLoader": {"clip_name": "clip_vision"},
    "UpscaleModelLoader": {"model_name": "upscale_models"},
    "ModelPatchLoader": {"name": "model_patches"},
    "CheckpointLoader": {"config_name": "configs"},
    "TrainLoraNode": {"existing_lora": "loras"},
    "LatentUpscaleModelLoader": {"model_name": "latent_upscale_models"},
    "UltralyticsDetectorProvider": {"model_name": "ultralytics"},
    "SAMLoader": {"model_name": "sams"},
    "IPAdapterModelLoader": {"ipadapter_file": "ipadapter"},
}
"""Inputs with names that do not determine the folder."""

FOLDERS_BY_INPUT: Mapping[str, str] = {
    "ckpt_name": "checkpoints", "ckpt": "checkpoints", "checkpoint": "checkpoints", "checkpoint_name": "checkpoints",
    "base_ckpt_name": "checkpoints", "refiner_ckpt_name": "checkpoints",
    "unet_name": "diffusion_models", "diffusion_model_name": "diffusion_models", "diffusion_model": "diffusion_models",
    "clip_name": "text_encoders", "clip_name1": "text_encoders", "clip_name2": "text_encoders",
    "clip_name3": "text_encoders", "clip_name4": "text_encoders", "text_encoder": "text_encoders",
    "vae_name": "vae", "lora_name": "loras", "control_net_name": "controlnet", "controlnet_name": "controlnet",
    "style_model_name": "style_models", "gligen_name": "gligen", "hypernetwork_name": "hypernetworks",
    "photomaker_model_name": "photomaker", "upscale_model_name": "upscale_models", "upscale_model": "upscale_models",
    "clip_vision_name": "clip_vision", "audio_encoder_name": "audio_encoders", "ipadapter_file": "ipadapter",
}
"""Inputs of core loaders, and of custom ones that follow them."""

LORA_TAG_NODES = frozenset((
    "ImpactWildcardEncode", "Power Prompt (rgthree)", "SDXL Power Prompt - Positive (rgthree)", "LoraTagLoader",
    "easy wildcards",
))
"""Nodes that load what `<lora:NAME:STRENGTH>` in their texts names; to others it is a text."""

NO_FILE = frozenset(
    ("", "none", "[none]", "pixel_space", "baked vae", "default", "taesd", "taesdxl", "taesd3", "taef1")
)
"""Choices of loaders that are not files, in lower case. The TAESD names stand for pairs of files in `vae_approx`."""
# fmt: on

_MODEL_FILE = re.compile(r"\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx|pkl|engine)$", re.IGNORECASE)
_NUMBERED = re.compile(r"_?\d+(?=_|$)")
_EMBEDDING = re.compile(r"embedding:([^\s,:()\[\]{}<>|\"']{1,200})")
_LORA = re.compile(r"<lora:([^:<>\n]{1,200})[:>]")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def find_models(
    node: str,
    type_: str,
    inputs: Mapping[str, object],
    spec: NodeSpec | None,
    known: ModelInputs = MappingProxyType({}),
) -> tuple[RequiredModel, ...]:
    """Return the models named by the values of one node. What is `known` from a pack's source wins over what the names
    of inputs tell."""
    return tuple(_find(node, type_, inputs, spec, known.get(type_, {})))


def _find(
    node: str, type_: str, inputs: Mapping[str, object], spec: NodeSpec | None, known: Mapping[str, str | None]
) -> Iterator[RequiredModel]:
    for name, value in texts_of(inputs):
        folder = _known_folder(known, name) or folder_by_name(type_, name)
        found = spec.input(name) if spec is not None else None
        is_file = is_model_file(value) and "\n" not in value and "://" not in value
        # Loaders have choices. A string is a model only if it looks like one; free text never is.
        is_combo = found is not None and found.type == "COMBO"
        is_other = found is not None and not is_combo and folder is None
        if name in known and known[name] is None:
            is_file = is_combo = False
        if (is_file and not is_other) or (is_combo and folder is not None and value.lower() not in NO_FILE):
            yield RequiredModel(folder, model_path(value), node)
        if "embedding:" in value:
            for embedding in _EMBEDDING.findall(value):
                yield RequiredModel("embeddings", model_path(embedding.rstrip(".;")), node)
        if type_ in LORA_TAG_NODES:
            for lora in _LORA.findall(value):
                yield RequiredModel("loras", model_path(lora), node)


def texts_of(inputs: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the texts among the values, with the name of the input, or of the field in a value that is an object."""
    for name, value in inputs.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping):
            yield from texts_of(value)


def _known_folder(known: Mapping[str, str | None], name: str) -> str | None:
    """The folder of an input, or of a value whose name the file does not have (`#3`), if all inputs have the same."""
    folders = set(known.values())
    return folders.pop() if name.startswith("#") and len(folders) == 1 else known.get(name)


def folder_by_name(type_: str, input_: str) -> str | None:
    """Return the model folder that an input's name tells, None for other names. `lora_name_2` and `lora_02` are
    treated like `lora_name`."""
    by_node = FOLDERS_BY_NODE.get(type_, {})
    if input_ in by_node:
        return by_node[input_]
    name = input_.rsplit(".", 1)[-1]
    found = FOLDERS_BY_INPUT.get(name) or FOLDERS_BY_INPUT.get(_NUMBERED.sub("", name))
    return found or FOLDERS_BY_INPUT.get(_NUMBERED.sub("", name) + "_name")


def portable_values(type_: str, inputs: Mapping[str, object], spec: NodeSpec | None) -> dict[str, object]:
    """Return the values of one node with `/` in the names of models, as the image has them: a workflow saved on Windows
    has `\\`, which no server on Linux finds."""

    def portable(name: str, value: object) -> object:
        if isinstance(value, Mapping):
            return {key: portable(key, inner) for key, inner in value.items()}
        if not isinstance(value, str) or "\\" not in value:
            return value
        if any(m.name == model_path(value) for m in find_models("", type_, {name: value}, spec)):
            return model_path(value)
        value = _EMBEDDING.sub(lambda found: model_path(found[0]), value)
        return _LORA.sub(lambda found: model_path(found[0]), value) if type_ in LORA_TAG_NODES else value

    return {name: portable(name, value) for name, value in inputs.items()}


def portable_prompt(prompt: Prompt, definitions: Definitions) -> Prompt:
    """Return a prompt with the values of its nodes as `portable_values` has them."""
    return {
        id_: {
            **node,
            "inputs": portable_values(node["class_type"], node["inputs"], definitions.find(node["class_type"])),
        }
        for id_, node in prompt.items()
    }


def is_model_file(name: str) -> bool:
    """Return whether a file name is that of a model, by its ending."""
    return _MODEL_FILE.search(name) is not None


def model_path(name: str) -> str:
    """Return the name below its folder, with `/` between its parts, whichever system saved the workflow."""
    return name.replace("\\", "/")


def declared_models(models: Iterable[Mapping[str, object]], node: str) -> tuple[RequiredModel, ...]:
    """Return the models in `properties.models`, or in the file's own `models`: folder, name, URL, SHA-256."""
    found = []
    for model in models:
        name, folder, url = model.get("name"), model.get("directory"), model.get("url")
        if not isinstance(name, str) or not name:
            continue
        kind = str(model.get("hash_type", "sha256")).lower().replace("-", "")
        hash_ = model.get("hash")
        sha256 = hash_ if isinstance(hash_, str) and kind == "sha256" and _SHA256.fullmatch(hash_) else None
        found.append(
            RequiredModel(
                FOLDER_ALIASES.get(folder, folder) if isinstance(folder, str) and folder else None,
                model_path(name),
                node,
                url if isinstance(url, str) and url else None,
                sha256.lower() if sha256 is not None else None,
            )
        )
    return tuple(found)


def merge_models(
    used: Iterable[RequiredModel], declared: Iterable[RequiredModel], *, keep_declared: bool = False
) -> tuple[RequiredModel, ...]:
    """Return the `used` models, each once, with URL and hash of the `declared` model with the same file name. A name
    with and without a folder is one model.

    With `keep_declared`, the declared ones are returned if none is used: the node reads them some other way. Where
    declaration and use name the same file in different folders, the declaration is right.
    """
    by_name: dict[str, RequiredModel] = {}
    for model in declared:
        by_name.setdefault(_file(model.name), model)
    merged: dict[tuple[str | None, str], RequiredModel] = {}
    seen: set[str] = set()
    for model in used:
        seen.add(_file(model.name))
        known = by_name.get(_file(model.name))
        folder = (known.folder if known is not None and known.folder is not None else None) or model.folder
        url = model.url or (known.url if known is not None else None)
        sha256 = model.sha256 or (known.sha256 if known is not None else None)
        before = merged.get((folder, model.name))
        if before is None:
            merged[folder, model.name] = RequiredModel(folder, model.name, model.node, url, sha256)
        else:
            merged[folder, model.name] = RequiredModel(
                folder, model.name, before.node, before.url or url, before.sha256 or sha256
            )
    if keep_declared and not seen:
        for model in by_name.values():
            merged.setdefault((model.folder, model.name), model)
    placed = {model.name for model in merged.values() if model.folder is not None}
    return tuple(m for m in merged.values() if m.folder is not None or m.name not in placed)


def _file(name: str) -> str:
    """The last part of a name, by which files are compared: the workflow's author may use subfolders."""
    return name.rsplit("/", 1)[-1].lower()
