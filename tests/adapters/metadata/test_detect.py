"""Workflows inside files. `files/` were made by Pillow and FFmpeg with the metadata calls that ComfyUI makes, and those
of `vhs*` with the metadata file that VideoHelperSuite gives to FFmpeg: until 2025 a comment, in 2026 two tags, of which
the prompt was quoted twice."""

import io
import json
import random
import struct
import zipfile
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
    title = 'Ein Käse 🧀; #1 = "a\\b"\nzwei' if path.name.startswith("vhs") else "Ein Käse 🧀"
    assert workflow.graph.nodes[0].title == title


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


def box(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(data) if size is None else size, kind) + data


def mp4(*tags: bytes) -> bytes:
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"ilst", b"".join(tags)))
    return box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", box(b"udta", meta))


def comment(text: bytes, size: int | None = None) -> bytes:
    return box(b"\xa9cmt", box(b"data", struct.pack(">II", 1, 0) + text, size))


def element(id_: bytes, data: bytes, size: int | None = None) -> bytes:
    return id_ + struct.pack(">Q", 1 << 56 | (len(data) if size is None else size)) + data


def webm(*tags: tuple[bytes, bytes], size: int | None = None) -> bytes:
    simple = b"".join(
        element(b"\x67\xc8", element(b"\x45\xa3", name) + element(b"\x44\x87", value, size)) for name, value in tags
    )
    inner = element(b"\x12\x54\xc3\x67", element(b"\x73\x73", simple))
    return element(b"\x1a\x45\xdf\xa3", b"") + element(b"\x18\x53\x80\x67", inner)


UI, OTHER_UI = b'{"nodes": [{"id": 1, "type": "A"}]}', b'{"nodes": [{"id": 1, "type": "B"}]}'
PROMPT = b'{"1": {"class_type": "A"}}'


def found(data: bytes) -> object:
    return json.loads(find_workflow(io.BytesIO(data), where="x"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"prompt": "{}", "workflow": %s, "extra": NaN}' % UI,
        b'{"workflow": "%s"}' % UI.replace(b'"', b'\\"'),
        b"workflow:%s" % UI,
        UI,
    ],
)
def test_a_comment_of_a_video_holds_a_workflow(text: bytes) -> None:
    for data in (mp4(comment(text)), webm((b"COMMENT", text)), webm((b"comment", text + b"\0"))):
        assert found(data) == json.loads(UI)


def test_a_comment_with_only_a_prompt_holds_that() -> None:
    assert found(mp4(comment(b'{"prompt": "%s"}' % PROMPT.replace(b'"', b'\\"')))) == json.loads(PROMPT)
    assert found(webm((b"PROMPT", json.dumps(PROMPT.decode()).encode()))) == json.loads(PROMPT)


def test_a_tag_of_its_own_goes_before_a_comment() -> None:
    old = b'{"workflow": %s}' % OTHER_UI
    assert found(webm((b"COMMENT", old), (b"WORKFLOW", UI))) == json.loads(UI)


@pytest.mark.parametrize(
    "data",
    [
        mp4(comment(b"")),
        mp4(comment(b"made with love")),
        mp4(comment(b"{not json}")),
        mp4(comment(b'{"workflow": 3, "prompt": []}')),
        mp4(comment(b'{"workflow":' * 100_000)),
        mp4(comment(UI, size=0xFFFFFFFF)),
        mp4(comment(UI, size=1)),
        box(b"ftyp", b"qt  ") + box(b"moov", box(b"udta", box(b"\xa9cmt", b"\0"))),
        webm((b"COMMENT", b'{"prompt": 1}')),
        webm((b"COMMENT", b"[" * 100_000)),
        webm((b"COMMENT", UI), size=1 << 50),
    ],
)
def test_a_comment_that_is_hostile_or_another_is_no_workflow_or_one_that_is_complete(data: bytes) -> None:
    try:
        assert found(data) == json.loads(UI)
    except BadWorkflow as e:
        assert "no workflow in" in e.what


def test_comments_that_would_fill_the_memory_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.adapters.metadata.binary_reader.MAX_PIECE", 500)
    many = [(b"COMMENT", b" " * 400)] * 3 + [(b"COMMENT", b'{"workflow": %s}' % UI)]
    with pytest.raises(BadWorkflow, match="no workflow in this WebM"):
        found(webm(*many))


def test_texts_after_the_end_of_a_png_are_read() -> None:
    assert found(png((b"IEND", b""), (b"tEXt", b"workflow\0" + UI))) == json.loads(UI)
    assert found(png((b"tEXt", b"workflow\0" + UI), (b"IEND", b"")) + b"appended by a mail program") == json.loads(UI)
    assert found(png((b"IEND", b""), (b"tEXt", b"workflow\0" + UI))[:-4]) == json.loads(UI)


@pytest.mark.parametrize(
    "chunks",
    [
        ((b"tEXt", b"workflow\0" + OTHER_UI), (b"tEXt", b"workflow\0" + UI)),
        ((b"tEXt", b"workflow\0" + OTHER_UI), (b"IEND", b""), (b"iTXt", b"workflow\0\0\0\0\0" + UI)),
        ((b"iTXt", b"workflow\0\0\0en\0title\0" + OTHER_UI), (b"comf", b"workflow\0" + UI)),
        ((b"tEXt", b"workflow\0" + UI), (b"iTXt", b"workflow\0\1\0\0\0not zlib")),
        ((b"tEXt", b"workflow\0" + UI), (b"tEXt", b"Workflow\0" + OTHER_UI)),
        ((b"tEXt", b"workflow\0" + UI), (b"zTXt", b"workflow\0\0" + zlib.compress(OTHER_UI))),
        ((b"tEXt", b"workflow\0" + UI), (b"tEXt", b"prompt\0" + PROMPT), (b"tEXt", b"prompt\0" + PROMPT)),
    ],
)
def test_of_several_texts_of_a_png_the_one_counts_that_the_editor_takes(
    chunks: tuple[tuple[bytes, bytes], ...],
) -> None:
    assert found(png(*chunks)) == json.loads(UI)


def test_a_compressed_chunk_that_would_fill_the_memory_is_refused() -> None:
    bomb = zlib.compress(b" " * 200_000_000, 9)
    with pytest.raises(PycomfyError):
        find_workflow(io.BytesIO(png((b"zTXt", b"workflow\0\0" + bomb))), where="x")


def test_only_a_prompt_is_taken_as_such() -> None:
    prompt = json.dumps({"1": {"class_type": "A"}}).encode()
    assert find_workflow(io.BytesIO(png((b"tEXt", b"prompt\0" + prompt))), where="x") == prompt


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        (("read me.txt", b"hello"), ("flow/portrait.json", UI)),
        (("portrait.json", UI), ("package.json", b'{"name": "x"}'), ("broken.json", b"{")),
        (("workflow_api.json", PROMPT), ("workflow.json", UI), ("snapshot.json", b'{"python": "3.11"}')),
        (("a.json", UI), ("a (API).json", b'{"7": {"class_type": "Edited"}}')),
        (("prompts/x.json", PROMPT), ("a.json", UI)),
        (("a.json", UI), ("copy of a.json", UI), ("__MACOSX/._a.json", OTHER_UI), (".a.json", OTHER_UI)),
        (("snapshot.json", b"{}"), ("workflow.json", UI), ("input/other.json", OTHER_UI)),
        (("workflow.json", UI), ("picture.png", png((b"tEXt", b"workflow\0" + OTHER_UI)))),
        (("picture.png", png((b"tEXt", b"workflow\0" + UI))), ("other.jpg", b"\xff\xd8\xff")),
        (("README.md", b"```json\n" + UI + b"\n```\n"),),
        (("request.json", b'{"input": {"workflow": {"1": {"class_type": "A"}}}}'), ("a.json", UI)),
    ],
    ids=lambda members: "+".join(name for name, _ in members),
)
def test_a_zip_file_with_one_workflow_is_that(members: tuple[tuple[str, bytes], ...]) -> None:
    assert found(zipped(*members)) == json.loads(UI)


def test_a_zip_file_with_several_workflows_names_them() -> None:
    with pytest.raises(BadWorkflow, match=r"2 different workflows: a\.json, b/c\.json"):
        found(zipped(("a.json", UI), ("b/c.json", OTHER_UI)))
    pictures = [png((b"tEXt", b"workflow\0" + text)) for text in (UI, OTHER_UI)]
    with pytest.raises(BadWorkflow, match=r"2 different workflows: a\.png, b\.png"):
        found(zipped(("a.png", pictures[0]), ("b.png", pictures[1])))


def test_a_malformed_workflow_in_a_zip_file_is_named() -> None:
    with pytest.raises(BadWorkflow, match="not JSON") as raised:
        found(zipped(("a.json", UI[:-1])))
    assert raised.value.where == "a.json in x"


def test_a_zip_file_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadWorkflow, match="too large"):
        found(zipped(("a.json", b" " * (80 << 20))))
    monkeypatch.setattr("pycomfy.adapters.metadata.zip_workflow.MAX_MEMBERS", 10)
    with pytest.raises(BadWorkflow, match="more than 10 files"):
        found(zipped(*((f"{n}.txt", b"") for n in range(11))))
    monkeypatch.setattr("pycomfy.adapters.metadata.zip_workflow.MAX_DIRECTORY", 100)
    with pytest.raises(BadWorkflow, match="more than 10 files"):
        found(zipped(*((f"{n}.txt", b"") for n in range(9))))


def test_a_damaged_zip_file_is_a_workflow_or_an_error_of_ours() -> None:
    data, chance = zipped(("a.json", UI), ("b.png", png((b"IEND", b"")))), random.Random(1)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        read_or_refuse(bytes(damaged))


@pytest.mark.parametrize(
    "text",
    [
        "# Portrait\n\n```json\n%s\n```\n\n```sh\nls\n```\n",
        "<!-- made by hand -->\n~~~\n%s\n~~~\n",
        "1. Load this:\n\n   ````json\n   %s\n   ````\n```\nnot closed",
        "\ufeff> quoted\r\n```JSON title=x\r\n%s\r\n```\r\nthe same again\r\n```\r\n%s\r\n```",
        "```json\n{not json}\n```\n```json\n%s\n```\n```json\n" + PROMPT.decode() + "\n```",
        "text\n```\n%s",
    ],
)
def test_a_markdown_text_with_one_workflow_is_that(text: str) -> None:
    assert found(text.replace("%s", UI.decode()).encode()) == json.loads(UI)


def test_a_markdown_text_with_several_workflows_names_their_lines() -> None:
    text = b"```\n%s\n```\n\n```\n%s\n```\n" % (UI, OTHER_UI)
    with pytest.raises(BadWorkflow, match="2 different workflows: line 2, line 6"):
        found(text)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (png((b"tEXt", b"Title\0cat"), (b"IEND", b"")), "no workflow in this PNG"),
        (png((b"tEXt", b"Title\0cat"))[:-8], "malformed PNG"),
        (b"\x7fELF\x02\x01\x01", "not a file format"),
        (b"PK\x03\x04", "the zip file cannot be read"),
        (zipped(), "no workflow in this zip file"),
        (zipped(("a.json", b"{}"), ("b.png", b"not one"), ("c.txt", UI)), "no workflow in this zip file"),
        (zipped(("snapshot.json", b"{}"), ("input/a.json", UI)), "no workflow in this zip file"),
        (b"# A workflow\n\n```sh\nls\n```\n", "no workflow in this Markdown"),
        (b"<!-- A workflow -->\n\n```sh\nls\n```\n", "no workflow in this Markdown"),
    ],
)
def test_files_without_a_workflow_say_so(data: bytes, what: str) -> None:
    with pytest.raises(BadWorkflow, match=what):
        find_workflow(io.BytesIO(data), where="x")


def test_json_is_its_own_workflow() -> None:
    assert find_workflow(io.BytesIO(b' {"nodes": []}'), where="x") == b' {"nodes": []}'
