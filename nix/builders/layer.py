"""Builds one layer: `diff/`, its files at their place in the image, and `layer.json` with what they are.

What has a digest is the layer's tar, which `image_tar.py` makes of the folder when somebody wants it; the digest is
computed while the files are written. It depends on the layer's contents alone.

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
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archive import Archive, folder
from bytecode import with_bytecode
from derivation import output, specification
from image_tar import END, Entry, header, padding
from member import Content, Member, OnDisk, Refused, Text, arrange, safe_path, tree
from wheel import Venv, despite_records, install

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


def write_layer(placed: list[Member], out: Path) -> dict[str, Any]:
    """Write the files to the new folder `out / "diff"`, and return what `layer.json` says:
    `{digest, size, files: {path: [owner, sha256]}, exceptions: {path: [mode, uid, gid]}}`."""
    whole, size = hashlib.sha256(), 0
    files: dict[str, list[str]] = {}
    exceptions: dict[str, list[int]] = {}
    top = out / "diff"
    top.mkdir()
    for member in placed:
        content = member.content
        entry = Entry(
            member.path,
            member.mode,
            member.uid,
            member.gid,
            None if content is None else content.size,
            member.target,
        )
        if entry.is_exception:
            exceptions[member.path] = [member.mode, member.uid, member.gid]
        head = header(entry)
        whole.update(head)
        size += len(head)
        path = top / member.path
        if member.target is not None:
            path.symlink_to(member.target)
        elif content is None:
            path.mkdir()
        else:
            files[member.path] = [member.owner, _write_file(content, path, member.mode, whole)]
            rest = padding(content.size)
            whole.update(rest)
            size += content.size + len(rest)
    whole.update(END)
    return {
        "digest": f"sha256:{whole.hexdigest()}",
        "size": size + len(END),
        "files": files,
        "exceptions": exceptions,
    }


def _write_file(content: Content, path: Path, mode: int, whole: "hashlib._Hash") -> str:
    """Write a file, add its bytes to the hash `whole`, and return their own SHA-256."""
    own = None if content.sha256 else hashlib.sha256()
    # Of a mode the store keeps whether a file can be run.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777), "wb", buffering=0) as f:
        for chunk in content.chunks():
            if own:
                own.update(chunk)
            whole.update(chunk)
            if f.write(chunk) != len(chunk):
                raise OSError(f"{path} could not be written whole")
    return own.hexdigest() if own else str(content.sha256)


def main() -> None:
    spec, out = specification(), output()
    venv = Venv(**spec["venv"])
    gc.disable()  # compiling makes millions of objects and no circles: a fifth of its time

    def make(misrecorded: frozenset[str]) -> dict[str, Any]:
        inputs = (member for item in spec["inputs"] for member in members(item, venv, misrecorded))
        placed = arrange(with_bytecode(inputs))
        shutil.rmtree(out, ignore_errors=True)  # of the attempt before
        out.mkdir()
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
