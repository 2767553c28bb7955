"""Builds one layer: `layer.tar`, uncompressed, and `layer.json` with its digest and the files it holds.

A layer's bytes depend on its contents alone: members are sorted, owners and modes are given, times are fixed.

The specification is
`{"name", "venv": {"prefix", "python"}, "inputs": [INPUT…]}`, an INPUT being one of

    {"kind": "wheel", "path", "owner", "exclude": […]}, the last only if files of the wheel are left out
    {"kind": "tree", "path", "owner", "prefix"}
    {"kind": "zip", "path", "owner", "prefix", "folder", "exclude": […]}
    {"kind": "file", "path", "owner", "to"}
    {"kind": "literal", "owner", "members": [{"path", "text" | "target", "mode": "0755", "uid", "gid"}…]}
"""

import gc
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archive import Archive, folder
from bytecode import with_bytecode
from derivation import output, specification
from member import Member, OnDisk, Refused, Text, arrange, safe_path, tree
from wheel import Venv, despite_records, install

_EPOCH = 1  # as in the Nix store; some tools take 0 for "no time"
_WRITE_BUFFER = 1 << 20


MISRECORDED = "misrecorded.json"
"""In the output, if there are any: the owners of the wheels whose RECORD is wrong."""


def members(item: dict[str, Any], venv: Venv, misrecorded: frozenset[str] = frozenset()) -> Iterator[Member]:
    """What one input of the specification brings. `misrecorded` are the owners of wheels whose RECORD is wrong."""
    owner, kind = item["owner"], item["kind"]
    if kind == "wheel":
        yield from install(
            Path(item["path"]), owner, venv, misrecorded=owner in misrecorded, exclude=item.get("exclude", ())
        )
    elif kind == "tree":
        yield from tree(Path(item["path"]), item["prefix"], owner)
    elif kind == "zip":
        exclude = frozenset(item["exclude"])
        yield from folder(Archive(Path(item["path"]), owner), item["folder"], item["prefix"], exclude)
    elif kind == "file":
        path = Path(item["path"])
        yield Member(safe_path(item["to"], owner), owner, OnDisk(path, path.stat().st_size), mode=0o644)
    elif kind == "literal":
        for m in item["members"]:
            content = Text(m["text"].encode()) if "text" in m else None
            mode = int(m.get("mode", "0644" if content else "0755"), 8)
            to = safe_path(m["path"], owner)
            yield Member(to, owner, content, m.get("target"), mode, m.get("uid", 0), m.get("gid", 0))
    else:
        raise Refused(f"{owner}: no such kind of input: {kind}")


def header(member: Member) -> bytes:
    """The tar header of a member (pax, so that any length of name fits)."""
    info = tarfile.TarInfo(member.path)
    info.mode, info.uid, info.gid, info.mtime = member.mode, member.uid, member.gid, _EPOCH
    if member.content is not None:
        info.size = member.content.size
    elif member.target is not None:
        info.type, info.linkname = tarfile.SYMTYPE, member.target
    else:
        info.type = tarfile.DIRTYPE
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def write_layer(placed: list[Member], out: Path) -> dict[str, Any]:
    """Write `layer.tar` and return `{digest, size, files: {path: [owner, sha256]}}`."""
    whole = hashlib.sha256()
    files: dict[str, list[str]] = {}
    with io.FileIO(out / "layer.tar", "w") as raw, io.BufferedWriter(raw, _WRITE_BUFFER) as f:
        for member in placed:
            head = header(member)
            whole.update(head)
            f.write(head)
            if member.content is None:
                continue
            own = None if member.content.sha256 else hashlib.sha256()
            for chunk in member.content.chunks():
                if own:
                    own.update(chunk)
                whole.update(chunk)
                f.write(chunk)
            files[member.path] = [member.owner, own.hexdigest() if own else str(member.content.sha256)]
            padding = bytes(-member.content.size % tarfile.BLOCKSIZE)
            whole.update(padding)
            f.write(padding)
        end = bytes(2 * tarfile.BLOCKSIZE)
        whole.update(end)
        f.write(end)
        size = f.tell()
    return {"digest": f"sha256:{whole.hexdigest()}", "size": size, "files": files}


def main() -> None:
    spec, out = specification(), output()
    venv = Venv(**spec["venv"])
    gc.disable()  # compiling makes millions of objects and no circles: a fifth of its time

    def make(misrecorded: frozenset[str]) -> dict[str, Any]:
        inputs = (member for item in spec["inputs"] for member in members(item, venv, misrecorded))
        placed = arrange(with_bytecode(inputs))
        out.mkdir(exist_ok=True)
        return write_layer(placed, out)

    try:
        made, misrecorded = despite_records(make)
    except Refused as e:
        sys.exit(f"pycomfy: layer {spec['name']}: {e}")
    if misrecorded:
        (out / MISRECORDED).write_text(json.dumps(sorted(misrecorded)) + "\n")
    (out / "layer.json").write_text(json.dumps({"name": spec["name"], **made}, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
