"""What ComfyUI has against a prompt, or why it failed."""

from typing import Any

from ..events import Event, error
from ..follow import about


def find_refusals(body: Any, prompt: dict[str, Any]) -> list[Event]:
    """What ComfyUI has against the prompt, an event for each error of each node."""
    body = body if isinstance(body, dict) else {"error": str(body)}
    events = []
    for node, found in (body.get("node_errors") or {}).items():
        for e in found.get("errors") or []:
            head = {**about(prompt, str(node)), "details": str(e.get("details") or "")}
            extra = e.get("extra_info")
            if isinstance(extra, dict) and isinstance(extra.get("input_name"), str):
                head["input"] = extra["input_name"]
            events.append(error(str(e.get("type") or "invalid"), str(e.get("message") or "invalid"), **head))
    whole = body.get("error")
    if not events:
        whole = whole if isinstance(whole, dict) else {"message": str(whole or "ComfyUI refused the prompt")}
        node = str((whole.get("extra_info") or {}).get("node_id") or "")
        head = about(prompt, node.removeprefix("#")) if node else {}
        kind, message = str(whole.get("type") or "invalid-prompt"), str(whole.get("message") or "invalid prompt")
        events.append(error(kind, message, **head, details=str(whole.get("details") or "")))
    return events


def find_problems(entry: dict[str, Any], prompt: dict[str, Any]) -> list[Event]:
    """Why a finished prompt is not a success; nothing if it is one."""
    status = entry.get("status")
    if not isinstance(status, dict):
        return []
    events = []
    messages = status.get("messages")
    for message in messages if isinstance(messages, list) else ():
        kind, data = message if isinstance(message, list | tuple) and len(message) == 2 else (None, None)
        if not isinstance(data, dict):
            continue
        if kind == "execution_error":
            trace = data.get("traceback")
            text = "".join(map(str, trace)) if isinstance(trace, list) else str(trace or "")
            head = about(prompt, str(data.get("node_id")))
            what = str(data.get("exception_message") or "").strip()
            events.append(error(str(data.get("exception_type")), what, **head, traceback=text[-20_000:]))
        elif kind == "execution_interrupted":
            events.append(error("interrupted", "the prompt was interrupted", **about(prompt, str(data.get("node_id")))))
    if not events and status.get("status_str") != "success":
        events.append(error("failed", "ComfyUI says that the prompt failed, and not why"))
    return events
