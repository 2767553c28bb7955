"""`/docs`: the inputs and outputs of the workflow and how to call it, as one page without a script or anything from
elsewhere."""

import base64
import hashlib
import html
import json
import shlex
from typing import Any

from ...graph.interface import EXAMPLE_FILES, FILE_TYPES, Interface, Parameter

_STYLE = """\
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
caption{text-align:left;font-weight:600;padding:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #8885;overflow-wrap:anywhere}
th,td:first-child{min-width:6rem}
pre{overflow-x:auto;padding:1rem;border:1px solid #8885;border-radius:.4rem}
code{font:.9em ui-monospace,monospace}
"""

POLICY = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
"""Content-Security-Policy of the page: its own style and nothing else."""

MAX_SHOWN = 200
"""Characters of a default, and choices, that are shown."""


def render_page(name: str, interface: Interface, document: dict[str, Any], base: str) -> str:
    """The page. `document` is the OpenAPI document, `base` the address that the reader used."""
    inputs = "".join(map(_input_row, interface.parameters))
    outputs = "".join(
        f"<tr><td><code>{_text(o.name)}</code><td>{_text(o.kind)}<td>{_text(o.title)}" for o in interface.outputs
    )
    operations = "".join(
        f"<tr><td><code>{_text(method.upper())}</code><td><code>{_text(path)}</code>"
        f"<td>{_mark_code(str(operation.get('description') or operation.get('summary') or ''))}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{_text(name)}: API</title><style>{_STYLE}</style></head><body><main>
<h1>{_text(name)}</h1>
<p>This workflow as an API. Machines read <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1), of which clients in
many languages are generated; <a href="/v1/workflow">/v1/workflow</a> has the graph and its lock. The same jobs are at
<code>/api/v2</code>, which the Comfy SDKs speak.</p>
{_table("Inputs", ("Name", "Type", "Default", "What it is"), inputs)}
{_table("Outputs", ("Name", "Kind", "Node"), outputs)}
<h2>curl</h2>
<pre><code>{_text(_write_curl(interface, base))}</code></pre>
<h2>Python</h2>
<pre><code>{_text(_write_python(interface, base))}</code></pre>
<p>With keys, add the header <code>Authorization: Bearer KEY</code>. A file is the <code>id</code> of an upload to
<code>/v1/files</code>, an https address, or a data URI.</p>
{_table("All operations", ("Method", "Path", "What it does"), operations)}
</main></body></html>
"""


def _table(caption: str, heads: tuple[str, ...], rows: str) -> str:
    head = "".join(f'<th scope="col">{head}' for head in heads)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</thead><tbody>{rows}</tbody></table>"


def _input_row(parameter: Parameter) -> str:
    default = json.dumps(parameter.default, ensure_ascii=False)
    shown = default if len(default) <= MAX_SHOWN else default[:MAX_SHOWN] + "…"
    seed = "-1 or null: drawn at random, and reported" if parameter.is_seed else ""
    file = "a file of yours in each job: the workflow's own is not in the image" if parameter.type in FILE_TYPES else ""
    about = "; ".join(filter(None, (parameter.title, parameter.description, seed, file)))
    return (
        f"<tr><td><code>{_text(parameter.name)}</code><td>{_text(_describe_type(parameter))}"
        f"<td><code>{_text(shown)}</code><td>{_text(about)}"
    )


def _describe_type(parameter: Parameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    if parameter.choices:
        more = ", …" if len(parameter.choices) > MAX_SHOWN else ""
        return "one of: " + ", ".join(map(str, parameter.choices[:MAX_SHOWN])) + more
    if low is not None and high is not None:
        return f"{parameter.type}, {low} to {high}"
    if low is not None or high is not None:
        return f"{parameter.type}, {f'at least {low}' if low is not None else f'at most {high}'}"
    return parameter.type


def _find_example(interface: Interface) -> dict[str, Any]:
    """Values that are short enough to read, and that run as they are."""
    return {
        p.name: p.default
        for p in interface.parameters
        if p.default is not None and p.type not in FILE_TYPES and len(json.dumps(p.default)) <= MAX_SHOWN
    }


def _find_files(interface: Interface) -> list[Parameter]:
    """The inputs that the examples upload a file for."""
    return [p for p in interface.parameters if p.type in FILE_TYPES]


def _write_curl(interface: Interface, base: str) -> str:
    files = _find_files(interface)
    marks = {p.name: f"FILE-{number}" for number, p in enumerate(files)}
    body = shlex.quote(json.dumps({"inputs": {**marks, **_find_example(interface)}}, indent=2))
    uploads = ""
    for p in files:
        mark = marks[p.name]
        variable = mark.lower().replace("-", "_")
        body = body.replace(f'"{mark}"', f'"\'"${variable}"\'"', 1)
        uploads += f"{variable}=$(curl --fail-with-body -sS {shlex.quote(base + '/v1/files')} "
        uploads += f"-F file=@{EXAMPLE_FILES[p.type]} | jq -r .id)\n"
    return (
        f"{uploads}curl --fail-with-body -sS {shlex.quote(base + '/v1/jobs')} \\\n"
        f"  -H 'Content-Type: application/json' -H 'Prefer: wait=60' \\\n"
        f"  -d {body}"
    )


def _write_python(interface: Interface, base: str) -> str:
    files = _find_files(interface)
    upload = """
def upload(path):
    with open(path, "rb") as file:
        return read(api.post("/v1/files", files={"file": file}))["id"]
"""
    values = [f"    {p.name!r}: upload({EXAMPLE_FILES[p.type]!r}),\n" for p in files]
    values += [f"    {name!r}: {value!r},\n" for name, value in _find_example(interface).items()]
    return f"""import httpx

api = httpx.Client(base_url={base!r}, timeout=90)

def read(answer):
    if answer.is_error:
        raise SystemExit(f"{{answer.status_code}}: {{answer.text}}")
    return answer.json()
{upload if files else ""}
inputs = {{
{"".join(values)}}}
job = read(api.post("/v1/jobs", json={{"inputs": inputs}}, headers={{"Prefer": "wait=60"}}))
while job["status"] in ("queued", "running", "canceling"):
    job = read(api.get(f"/v1/jobs/{{job['id']}}", params={{"wait": 60}}))
print(job["status"], job["outputs"], job["error"])"""


def _mark_code(text: str) -> str:
    """What stands between backticks is code."""
    return "".join(f"<code>{_text(p)}</code>" if i % 2 else _text(p) for i, p in enumerate(text.split("`")))


def _text(text: str) -> str:
    return html.escape(text)
