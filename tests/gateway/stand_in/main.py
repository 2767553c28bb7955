"""Speaks as much of ComfyUI's protocol as the runtime hears, and fails on request: the first node's class says how.

The real ComfyUI is asked in `tests/stories`.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser()
for flag in ("--listen", "--port", "--input-directory", "--output-directory", "--temp-directory", "--user-directory"):
    parser.add_argument(flag, required=True)
parser.add_argument("--extra-model-paths-config", required=True)
parser.add_argument("--database-url", required=True)
parser.add_argument("--disable-auto-launch", action="store_true", required=True)
parser.add_argument("--cpu", action="store_true")
given = parser.parse_args()
output, temp = Path(given.output_directory), Path(given.temp_directory) / "temp"
mode = (Path(__file__).parent / "mode").read_text() if (Path(__file__).parent / "mode").exists() else ""
exited = Path(given.input_directory) / "exited"  # the folder that all ComfyUIs share
history: dict[str, object] = {}
made: dict[str, dict[str, object]] = {}
left: dict[str, int] = {}
"""Nodes of a prompt that are not done."""

cached: dict[str, dict[str, object]] = {}
unanswerable = object()
sockets: list[asyncio.StreamWriter] = []
freed = asyncio.Event()

print("Traceback (most recent call last):\n  File ...\nImportError: no\n", flush=True)
print("Cannot import /opt/ComfyUI/custom_nodes/broken module for custom nodes: no", flush=True)
print("[Talkative] Warning: I go on without half of my nodes", flush=True)
if mode == "dies":
    sys.exit("cannot start: a module is missing")


def frame(data: bytes, code: int = 1) -> bytes:
    size = bytes((len(data),)) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return bytes((0x80 | code,)) + size + data


def tell(kind: str, **data: object) -> None:
    for socket in sockets:
        socket.write(frame(json.dumps({"type": kind, "data": data}).encode()))


def named(name: str) -> dict[str, str]:
    return {"filename": name, "subfolder": "", "type": "output"}


async def flood(number: str, node: str) -> None:
    """More than anybody asks for, of every shape, and a message that is too long for its connection."""
    kinds: list[object] = [[], {}, None, 1, "progress", "executing", "executed", "execution_cached", "progress_state"]
    values: list[object] = [None, [], 1, {}, {"nodes": 3}, {"nodes": {"1": 1}, "node": [], "value": "a", "max": {}}]
    for kind in kinds:
        for data in values:
            for socket in sockets:
                socket.write(frame(json.dumps({"type": kind, "data": data}).encode()))
    for step in range(20_000):
        tell("progress", node=node, value=step, max=20_000, prompt_id=number)
        if step % 500 == 0:
            await asyncio.gather(*(socket.drain() for socket in sockets))
    for socket in sockets:
        socket.write(frame(b"\xff\xfe") + frame(b"no JSON") + frame(b"\0\0\0\1", 2))
        socket.write(b"\x82\x7f" + struct.pack(">Q", 1 << 40))
    sockets.clear()


def end(number: str, outputs: dict[str, object], messages: list[object]) -> None:
    """Of one node; what it made comes to what the nodes before it made."""
    made[number] = {**made.get(number, {}), **outputs}
    left[number] -= 1
    if messages or not left[number]:
        status = {"status_str": "error" if messages else "success", "messages": messages}
        history[number] = {"outputs": made[number], "status": status}
        tell("executing", node=None, prompt_id=number)


def fail(number: str, node: str, kind: str, message: str) -> None:
    data = {"node_id": node, "exception_type": kind, "exception_message": message, "traceback": []}
    end(number, {}, [["execution_error", data]])


def choose(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes to run: all, or those that are named."""
    prompt = body["prompt"]
    return {node: prompt[node] for node in body.get("partial_execution_targets") or prompt}


async def work_all(number: str, nodes: dict[str, dict[str, Any]], extra: dict[str, object]) -> None:
    left[number] = len(nodes)
    for node, entry in nodes.items():
        if number not in history:
            await work(number, node, entry, extra)


async def work(number: str, node: str, entry: dict[str, Any], extra: dict[str, object]) -> None:
    kind = str(entry["class_type"])
    tell("executing", node=node, prompt_id=number)
    messages: list[object] = []
    outputs: dict[str, object] = {}
    inputs = json.dumps(entry.get("inputs"), sort_keys=True)
    if kind == "Cached" and inputs in cached:
        # As ComfyUI does it: the files of the first run with these inputs, whatever is in them by now.
        tell("execution_cached", nodes=[node], prompt_id=number)
        tell("executed", node=node, output=cached[inputs], prompt_id=number)
        end(number, {node: cached[inputs]}, [])
        return
    if kind == "Cached":
        cached[inputs] = {"images": [named("same.png")]}
        output.mkdir(parents=True, exist_ok=True)
        (output / "same.png").write_bytes(b"first")
        tell("executed", node=node, output=cached[inputs], prompt_id=number)
        end(number, {node: cached[inputs]}, [])
        (output / "same.png").write_bytes(b"first")
        return
    if kind == "Stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if kind == "Forgotten":
        return
    if kind == "Stubborn":
        stubborn.add(number)
        await asyncio.sleep(600)
    if kind == "Full" and not freed.is_set():
        output.mkdir(parents=True, exist_ok=True)
        (output / "half.mp4").write_bytes(b"begun")
        fail(number, node, "OutOfMemoryError", "Allocation on device 0 would exceed allowed memory")
        return
    if kind == "TooLarge":
        fail(number, node, "torch.OutOfMemoryError", "CUDA out of memory. Tried to allocate 80 GiB")
        return
    if kind == "Flood":
        await flood(number, node)
    if kind == "Chatty":
        for line in range(20_000):
            print(line, "x" * 100)
        print("y" * 1_000_000, flush=True)
    if kind == "Secret":
        print(json.dumps(extra), flush=True)
    if kind == "Absent":
        outputs["0"] = {"images": [named("absent.png"), named("../../etc/passwd")]}
    if kind == "Around":
        output.mkdir(parents=True, exist_ok=True)
        (output / "around.png").write_bytes(b"around")
        outputs["0"] = {"images": [{**named("around.png"), "subfolder": f"sub/../../{output.name}"}]}
    if kind == "Many":
        outputs["0"] = {"text": [f"text {number}" for number in range(250)]}
    if kind == "Stray":  # breaks off after files that no node speaks of
        output.mkdir(parents=True, exist_ok=True)
        (output / "stray.bin").write_bytes(b"half")
        os._exit(7)
    if kind == "Exit" or (kind == "ExitOnce" and not exited.exists()):
        exited.touch()
        os._exit(7)
    if kind == "Kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while kind == "Wait" and not exited.with_name("go").exists():
        await asyncio.sleep(0.01)
    if kind == "Hang":
        await asyncio.sleep(600)
    if kind == "Halfway":  # one node is done, another is writing
        output.mkdir(parents=True, exist_ok=True)
        (output / "done.png").write_bytes(b"png")
        tell("executed", node=node, output={"text": ["hello"], "images": [named("done.png")]}, prompt_id=number)
        with (output / "half.mp4").open("wb") as half:
            half.write(b"begun")
            half.flush()
            tell("executing", node="2", prompt_id=number)
            await asyncio.sleep(600)
    if kind == "Deep":
        history[number] = unanswerable
        tell("executing", node=None, prompt_id=number)
        return
    if kind.startswith("Told"):  # what the history has is not there: only who asks it fails
        output.mkdir(parents=True, exist_ok=True)
        (output / "told.png").write_bytes(b"told")
        tell("execution_start", prompt_id=number)
        if kind == "ToldInPieces":
            sockets.pop().close()
            await asyncio.sleep(0.5)
        tell("executed", node=node, display_node=node, output={"images": [named("told.png")]}, prompt_id=number)
        tell("execution_success", prompt_id=number)
        status = {"status_str": "success", "messages": []}
        history[number] = {"outputs": {node: {"images": [named("absent.png")]}}, "status": status}
        tell("status", status={"exec_info": {"queue_remaining": int(kind == "ToldBusy")}})
        return
    if kind == "Unlimited":
        for step, of in ((float("inf"), float("inf")), (float("nan"), 2), (-1, 2), (1, 10**400), (3, 2)):
            tell("progress", node=node, value=step, max=of, prompt_id=number)
    if kind == "Drop":
        for socket in sockets:
            socket.close()
    if kind == "Raise":
        bad = {
            "node_id": node,
            "exception_type": "ValueError",
            "exception_message": f"no {extra.get('api_key_comfy_org', '')}".rstrip() + "\n",
            "traceback": ["a\n", "b\n", str(extra.get("api_key_comfy_org", ""))],
        }
        messages.append(["execution_error", bad])
    else:
        for step in range(3):
            tell("progress", node=node, value=step, max=2, prompt_id=number)
        for socket in sockets:
            socket.write(frame(b"", 9) + frame(struct.pack(">II", 1, 2) + b"preview", 2))
        (output / "sub").mkdir(parents=True, exist_ok=True)
        (output / "sub" / "a.png").write_bytes(b"png")
        temp.mkdir(parents=True, exist_ok=True)
        (temp / "t.png").write_bytes(b"temporary")
        outputs[node] = {
            "images": [{"filename": "a.png", "subfolder": "sub", "type": "output"}],
            "gifs": [{"filename": "t.png", "subfolder": "", "type": "temp"}],
        }
    end(number, outputs, messages)


MORE = (
    "Stop",
    "Forgotten",
    "Stubborn",
    "Full",
    "TooLarge",
    "Flood",
    "Chatty",
    "Secret",
    "Absent",
    "Many",
    "Around",
    "Stray",
)
KINDS = (
    *MORE,
    "Cached",
    "Exit",
    "ExitOnce",
    "Kill",
    "Hang",
    "Wait",
    "Halfway",
    "Deep",
    "Told",
    "ToldBusy",
    "ToldInPieces",
    "Unlimited",
    "Drop",
    "Raise",
    "Save",
    "Unknown",
    "Half",
)
tasks: dict[asyncio.Task[None], str] = {}
running: set[str] = set()
stubborn: set[str] = set()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, path = head.split(" ")[:2]
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n"))}
    if path.startswith("/ws") and mode == "deaf":
        writer.close()
        return
    if path.startswith("/ws"):
        key = headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(f"{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        sockets.append(writer)
        return
    body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
    status = 200
    reply: dict[str, object] = {}
    if path == "/prompt" and method == "POST":
        nodes = choose(body)
        kinds = [str(entry["class_type"]) for entry in nodes.values()]
        kind = "Half" if "Half" in kinds else kinds[0]
        if kind == "Unknown":
            status, reply = 400, {"error": {"type": "invalid_prompt", "message": "no such node", "details": "#1"}}
        elif kind == "Half":
            more = {"details": "x: 'y' not in []", "extra_info": {"input_name": "x"}}
            errors = [{"type": "value_not_in_list", "message": "Value not in list", **more}]
            reply = {"prompt_id": body["prompt_id"], "node_errors": {"1": {"errors": errors}}}
        else:
            reply = {"prompt_id": body["prompt_id"], "node_errors": {}}
            running.add(body["prompt_id"])
            task = asyncio.create_task(work_all(body["prompt_id"], nodes, body.get("extra_data") or {}))
            task.add_done_callback(lambda _: running.discard(body["prompt_id"]))
            tasks[task] = body["prompt_id"]
    elif path == "/history":
        for number in body["delete"]:
            history.pop(number, None)
    elif path.startswith("/history/"):
        number = path.rsplit("/", 1)[1]
        status = 500 if history.get(number) is unanswerable else 200
        reply = {number: history[number]} if number in history and status == 200 else {}
    elif path == "/queue":
        reply = {"queue_running": [[0, number] for number in running], "queue_pending": []}
        for number in body.get("delete", []):
            if number not in stubborn:
                running.discard(number)
    elif path == "/interrupt":
        for task, number in list(tasks.items()):
            if number == body.get("prompt_id") and number not in stubborn:
                task.cancel()
                running.discard(number)
                messages = [["execution_interrupted", {"node_id": "1"}]]
                history[number] = {"outputs": {}, "status": {"status_str": "error", "messages": messages}}
    elif path == "/free":
        freed.set()
        cached.clear()
    elif path == "/object_info":
        dynamic = {"input": {"required": {}, "optional": {"text": ["STRING", {"dynamicPrompts": True}]}}}
        reply = {kind: {"output_node": True, **dynamic} for kind in KINDS}
        # Its input "photo" takes an upload.
        takes = {"input": {"required": {"photo": [[], {"image_upload": True}]}}}
        reply["Take"] = {"output_node": True, **takes}
    elif path == "/system_stats":
        reply = {"system": {"comfyui_version": "0"}}
    data = json.dumps(reply).encode()
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
    await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, given.listen, int(given.port))
    await server.serve_forever()


asyncio.run(main())
