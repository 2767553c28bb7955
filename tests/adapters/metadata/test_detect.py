"""Workflows inside files. `files/` were made by Pillow and FFmpeg with the metadata calls that ComfyUI makes."""

import io
import json
import random
import struct
import zlib
from pathlib import Path

import pytest

from pycomfy.adapters.metadata.detect import find_workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadWorkflow, PycomfyError

FILES = sorted((Path(__file__).parent / "files").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_saved_file_holds_its_workflow(path: Path) -> None:
    with path.open("rb") as file:
        workflow = parse_workflow(find_workflow(file, where=path.name), where=path.name)
    assert workflow.format == "ui-0.4"
    assert workflow.graph.nodes[0].title == "Ein Käse 🧀"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_cut_file_is_a_workflow_or_an_error_of_ours(path: Path) -> None:
    data = path.read_bytes()
    step = max(1, len(data) // 300)
    for length in range(0, len(data), step):
        read_or_refuse(data[:length])


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_damaged_file_is_a_workflow_or_an_error_of_ours(path: Path) -> None:
    data = path.read_bytes()
    chance = random.Random(path.name)
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(min(len(damaged), 1500))] = chance.choice(
                [0, 1, 127, 128, 255, chance.randrange(256)]
            )
        read_or_refuse(bytes(damaged))


def read_or_refuse(data: bytes) -> None:
    try:
        parse_workflow(find_workflow(io.BytesIO(data), where="x"), where="x")
    except PycomfyError as e:
        assert e.where == "x" or "x" in e.where
        assert e.fix


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_compressed_chunk_that_would_fill_the_memory_is_refused() -> None:
    bomb = zlib.compress(b" " * 200_000_000, 9)
    with pytest.raises(PycomfyError):
        find_workflow(io.BytesIO(png((b"zTXt", b"workflow\0\0" + bomb))), where="x")


def test_only_a_prompt_is_taken_as_such() -> None:
    prompt = json.dumps({"1": {"class_type": "A"}}).encode()
    assert find_workflow(io.BytesIO(png((b"tEXt", b"prompt\0" + prompt))), where="x") == prompt


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (png((b"tEXt", b"Title\0cat"), (b"IEND", b"")), "no workflow in this PNG"),
        (png((b"tEXt", b"Title\0cat"))[:-8], "malformed PNG"),
        (b"\x7fELF\x02\x01\x01", "not a file format"),
        (b"PK\x03\x04", "not a file format"),
    ],
)
def test_files_without_a_workflow_say_so(data: bytes, what: str) -> None:
    with pytest.raises(BadWorkflow, match=what):
        find_workflow(io.BytesIO(data), where="x")


def test_json_is_its_own_workflow() -> None:
    assert find_workflow(io.BytesIO(b' {"nodes": []}'), where="x") == b' {"nodes": []}'
