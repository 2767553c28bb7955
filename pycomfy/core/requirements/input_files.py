"""Find input files: images, video, audio and the like that nodes read from ComfyUI's `input` folder."""

import re
from collections.abc import Iterator, Mapping

from pycomfy.core.loose_json import as_list
from pycomfy.core.prompt.node_definitions import NodeSpec
from pycomfy.core.requirements.model import InputKind, RequiredFile

UPLOADS: Mapping[str, InputKind] = {
    "image_upload": "image",
    "animated_image_upload": "image",
    "video_upload": "video",
    "audio_upload": "audio",
    "file_upload": "3d",
}
"""Options of an input in `/object_info` for which the frontend offers an upload."""

# fmt: off
KNOWN: Mapping[str, Mapping[str, InputKind]] = {
    "LoadImage": {"image": "image"}, "LoadImageMask": {"image": "image"}, "LoadImageOutput": {"image": "image"},
    "LoadAudio": {"audio": "audio"}, "LoadVideo": {"file": "video"}, "Load3D": {"model_file": "3d"},
    "Load3DAnimation": {"model_file": "3d"}, "LoadLatent": {"latent": "file"},
    "VHS_LoadVideo": {"video": "video"}, "VHS_LoadAudioUpload": {"audio": "audio"},
}
# fmt: on
"""Nodes that read an input file, for workflows without definitions."""

_ANNOTATION = re.compile(r"\s*\[(input|output|temp)\]$")


def find_files(node: str, type_: str, inputs: Mapping[str, object], spec: NodeSpec | None) -> Iterator[RequiredFile]:
    """Yield the files named by the values of one node. `name [output]` is a file of the output folder."""
    for name, value in inputs.items():
        kind = find_kind(type_, name, spec)
        if kind is None:
            continue
        for one in [value] if isinstance(value, str) else as_list(value):
            if not isinstance(one, str) or not one or one.lower() == "none":
                continue
            match = _ANNOTATION.search(one)
            folder = match[1] if match is not None else "output" if type_ == "LoadImageOutput" else "input"
            path = (one[: match.start()] if match is not None else one).replace("\\", "/")
            yield RequiredFile(path, kind, node, name, folder)


def find_kind(type_: str, input_: str, spec: NodeSpec | None) -> InputKind | None:
    """Return the kind of file that an input takes; None if it takes none."""
    found = spec.input(input_) if spec is not None else None
    if found is not None:
        for option, kind in UPLOADS.items():
            if found.options.get(option):
                return kind
    return KNOWN.get(type_, {}).get(input_)
