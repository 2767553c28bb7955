"""`object-info`: every node type the image has, and every node pack it could not import, as one JSON object."""

import asyncio
import json
import os
import sys

from .events import Failure
from .gpu import has_gpu
from .places import Places
from .server import Refused, running


async def _ask(places: Places) -> dict[str, object]:
    def show(line: str) -> None:
        print(line, file=sys.stderr)

    async with running(places, cpu=not has_gpu(), on_line=show) as server:
        await server.wait_until_ready()
        try:
            types = await server.api.get("/object_info", timeout=300)
        except OSError:
            raise await server.death("while it listed its nodes") from None
        failures = [f.as_dict() for f in server.log.failures]
        system = (await server.api.get("/system_stats")).get("system", {})
        return {"comfyui_version": system.get("comfyui_version"), "object_info": types, "import_failures": failures}


def run(places: Places) -> int:
    """`{"comfyui_version", "object_info": {type: …}, "import_failures": [{pack, message, traceback}]}` on standard
    output, ComfyUI's log on standard error. Exit status 1 if ComfyUI could not be started or asked."""
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = asyncio.run(_ask(places))
    except (Failure, Refused) as e:
        print(f"object-info: {e}", file=sys.stderr)
        return 1
    with os.fdopen(out, "w", encoding="utf-8") as f:
        json.dump(answer, f)
        f.write("\n")
    return 0
