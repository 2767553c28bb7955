"""`object-info`: every node type the image has, and every node pack it could not import, as one JSON object."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

from .events import Failure
from .gpu import has_gpu
from .installation import prepare
from .log import LINE_LIMIT
from .places import Places
from .remarks import find_remarks
from .server import Refused, Server, running
from .spare import give_packs, make_pipe

MOST_LINES = 20_000
"""Lines of ComfyUI's log that are searched for remarks; a pack that prints more than that says nothing with it."""


async def _ask(places: Places, packs: Path | None) -> dict[str, object]:
    lines: list[str] = []

    def show(line: str) -> None:
        print(line, file=sys.stderr)
        if len(lines) < MOST_LINES:
            lines.append(line[:LINE_LIMIT])

    places = prepare(places)
    async with contextlib.AsyncExitStack() as stack:
        pipe = stack.enter_context(make_pipe()) if packs is not None else None
        server = await stack.enter_async_context(running(places, cpu=not has_gpu(), on_line=show, hold=pipe))
        try:
            if packs is not None and pipe is not None:
                await give_packs(server, places, packs, pipe)
            await server.wait_until_ready()
            answer = await _list_nodes(server)
        except (Failure, Refused) as e:
            answer = {"error": str(e)}
        failures = [f.as_dict() for f in server.log.failures]
        return {**answer, "import_failures": failures, "remarks": find_remarks(lines, _packs(places))}


async def _list_nodes(server: Server) -> dict[str, object]:
    try:
        types = await server.api.get("/object_info", timeout=300)
    except OSError:
        raise await server.death("while it listed its nodes") from None
    system = (await server.api.get("/system_stats")).get("system", {})
    return {"comfyui_version": system.get("comfyui_version"), "object_info": types}


def _packs(places: Places) -> list[str]:
    folder = places.comfyui / "custom_nodes"
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") if folder.is_dir() else []


def run(places: Places, *, packs: Path | None = None) -> int:
    """`{"comfyui_version", "object_info": {type: …}, "import_failures": [{pack, message, traceback}], "remarks":
    [{pack, text}]}` on standard output, ComfyUI's log on standard error. If ComfyUI could not be started or asked, the
    exit status is 1, and the object has `error` in place of the first two. With `packs`, ComfyUI starts as far as its
    node packs, and waits for the newest code of some of them there (see `spare`)."""
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = asyncio.run(_ask(places, packs))
    except Failure as e:
        answer = {"error": str(e), "import_failures": [], "remarks": []}
    if "error" in answer:
        print(f"object-info: {answer['error']}", file=sys.stderr)
    with os.fdopen(out, "w", encoding="utf-8") as f:
        json.dump(answer, f)
        f.write("\n")
    return 1 if "error" in answer else 0
