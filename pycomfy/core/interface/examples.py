"""Write programs that call a served workflow: with its own inputs, ready to be run."""

import json
import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pycomfy.core.interface.model import EXAMPLE_FILES, FILE_TYPES, Interface, Parameter
from pycomfy.core.printable import is_printable, printable

Language = Literal["curl", "python", "typescript", "comfy-sdk"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

MAX_INPUTS = 40
"""Inputs that an example sets; the others keep the workflow's values."""

MAX_TEXT = 2000
"""Characters of a value; a longer one is left out."""

_UNFINISHED = '["queued", "running", "canceling"]'

_DOWNLOADS = r'''.outputs[][] | "url = \(.url | tojson)\noutput = \(.name | split("/") | last | tojson)"'''
"""Of a job, a configuration of curl."""


@dataclass(frozen=True)
class Example:
    """What an example is made for: a version by its `label`, its interface, and the address where it is served."""

    label: str
    interface: Interface
    url: str

    @property
    def values(self) -> list[Parameter]:
        """The inputs with the workflow's values, without files."""
        plain = [p for p in self.interface.parameters if p.type not in FILE_TYPES and _is_short(p.default)]
        return plain[:MAX_INPUTS]

    @property
    def files(self) -> list[Parameter]:
        return [p for p in self.interface.parameters if p.type in FILE_TYPES][:MAX_INPUTS]


def write_example(language: Language, example: Example) -> str:
    """Return a program, which ends with a newline. A key comes from the variable PYCOMFY_API_KEY."""
    writers: dict[Language, Callable[[Example], str]] = {
        "curl": _write_curl,
        "python": _write_python,
        "typescript": _write_typescript,
        "comfy-sdk": _write_sdk,
    }
    return writers[language](example)


def write_call(example: Example, *, keyed: bool) -> str:
    """Return one line of a shell that runs a job: with the workflow's own values, and with files of the caller, as
    nobody else has any. A key, for one that is `keyed`, comes from the variable PYCOMFY_API_KEY."""
    key = ' -H "Authorization: Bearer $PYCOMFY_API_KEY"' if keyed else ""
    marks = {parameter.name: f"FILE-{number}" for number, parameter in enumerate(example.files)}
    body = shlex.quote(_json({"inputs": marks}))
    for parameter in example.files:
        body = body.replace(f'"{marks[parameter.name]}"', f'"\'"{_upload(example, parameter, key)}"\'"')
    headers = f"{key} -H 'Content-Type: application/json' -H 'Prefer: wait=60'"
    return f"curl {'--fail-with-body -sS ' if marks else ''}{example.url}/v1/jobs{headers} --data {body}"


def _upload(example: Example, parameter: Parameter, key: str = "") -> str:
    """Return what a shell replaces with the id of an uploaded file."""
    file = EXAMPLE_FILES[parameter.type]
    return f"$(curl --fail-with-body -sS {example.url}/v1/files{key} -F file=@{file} | jq -r .id)"


def _is_short(value: object) -> bool:
    """Return whether a value can stand in an example: JSON that is not long."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return False
    return len(json.dumps(value)) <= MAX_TEXT


def _json(value: object) -> str:
    """Return JSON in one line; what does not print is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if is_printable(text) else json.dumps(value)


def _title(example: Example) -> str:
    return printable(example.label)


def _write_curl(example: Example) -> str:
    lines = [f'# {_title(example)}. With keys, add to each call: -H "Authorization: Bearer $PYCOMFY_API_KEY"']
    marks = {}
    for number, parameter in enumerate(example.files):
        variable = f"{parameter.name.upper()}_ID"
        marks[parameter.name] = f"FILE-{number}"
        lines += [f"{variable}={_upload(example, parameter)}"]
    inputs = {p.name: p.default for p in example.values} | marks
    body = shlex.quote(_json({"inputs": inputs}))
    for name, mark in marks.items():
        body = body.replace(f'"{mark}"', f'"\'"${name.upper()}_ID"\'"')
    lines += [
        "",
        "# Waits up to a minute for the result; the answer is the job in any case.",
        f"curl --fail-with-body -sS {example.url}/v1/jobs -H 'Content-Type: application/json' -H 'Prefer: wait=60' \\",
        f"  --data {body} | tee job.json",
        "",
        "# Still running? This waits on; .../events is a stream of what happens.",
        "JOB=$(jq -r .id job.json)",
        f'curl --fail-with-body -sS "{example.url}/v1/jobs/$JOB?wait=60" | tee job.json',
        "",
        "# How it ended; why, if it failed.",
        "jq '{status, error}' job.json",
        "",
        "# Every output, into the current folder.",
        f"jq -r {shlex.quote(_DOWNLOADS)} job.json | curl -fsS -K -",
    ]
    return "\n".join(lines) + "\n"


def _write_python(example: Example) -> str:
    upload = (
        '''
    def upload(file: str) -> str:
        """Return the id of an uploaded file: the value of an input."""
        with Path(file).open("rb") as data:
            return check(api.post("/v1/files", files={"file": (Path(file).name, data)}, timeout=None)).json()["id"]
'''
        if example.files
        else ""
    )
    entries = [
        *(f"        {p.name!r}: {p.default!r},\n" for p in example.values),
        *(f'        {p.name!r}: upload("{EXAMPLE_FILES[p.type]}"),\n' for p in example.files),
    ]
    return f'''"""Call {_python_text(_title(example))} through its typed API. Needs: pip install httpx"""

import os
from pathlib import Path

import httpx

key = os.environ.get("PYCOMFY_API_KEY")
headers = {{"Authorization": f"Bearer {{key}}"}} if key else {{}}


def check(answer: httpx.Response) -> httpx.Response:
    """Return an answer of the gateway; end with what it says is wrong."""
    if answer.is_error:
        raise SystemExit(f"{{answer.status_code}}: {{answer.text}}")
    return answer


with httpx.Client(base_url="{example.url}", headers=headers, timeout=90) as api:
{upload}
    inputs = {{
{"".join(entries)}    }}
    job = check(api.post("/v1/jobs", json={{"inputs": inputs}}, headers={{"Prefer": "wait=60"}})).json()
    while job["status"] in {_UNFINISHED}:
        job = check(api.get(f"/v1/jobs/{{job['id']}}", params={{"wait": 60}})).json()
    if job["status"] != "succeeded":
        raise SystemExit(f"{{job['status']}}: {{job['error']}}")
    for name, files in job["outputs"].items():
        for file in files:
            path = Path(Path(file["name"]).name)
            path.write_bytes(check(api.get(file["url"])).content)
            print(f"{{name}}: {{path}}")
'''


def _python_text(text: str) -> str:
    """Return a text that may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _write_typescript(example: Example) -> str:
    imported = 'import { openAsBlob } from "node:fs";\n\n' if example.files else ""
    upload = (
        """
async function upload(file: Blob, name: string): Promise<string> {
  const form = new FormData();
  form.append("file", file, name);
  return (await call("/v1/files", { method: "POST", body: form })).id;
}
"""
        if example.files
        else ""
    )
    entries = [
        *(f"  {p.name}: {_json(p.default)},\n" for p in example.values if _is_safe(p.default)),
        *(
            f"  {p.name}: await upload(await openAsBlob({file}), {file}),\n"
            for p in example.files
            for file in [json.dumps(EXAMPLE_FILES[p.type])]
        ),
    ]
    types = "".join(f"  {p.name}?: {_typescript_type(p)};\n" for p in example.interface.parameters)
    return f"""// Call {_title(example)} through its typed API. In a file call.mts: node call.mts, from Node 22.18 on
// (before: npx tsx call.mts), Deno, Bun; a browser, if it may.
{imported}const base = "{example.url}";
const key = ""; // if it asks for one

type Inputs = {{
{types}}};

async function call(path: string, init: RequestInit = {{}}): Promise<any> {{
  const headers = new Headers(init.headers);
  if (key) headers.set("Authorization", `Bearer ${{key}}`);
  const answer = await fetch(new URL(path, base), {{ ...init, headers }});
  if (!answer.ok) throw new Error(`${{answer.status}}: ${{await answer.text()}}`);
  return answer.json();
}}
{upload}
const inputs: Inputs = {{
{"".join(entries)}}};
let job = await call("/v1/jobs", {{
  method: "POST",
  headers: {{ "Content-Type": "application/json", Prefer: "wait=60" }},
  body: JSON.stringify({{ inputs }}),
}});
while ({_UNFINISHED}.includes(job.status)) {{
  job = await call(`/v1/jobs/${{job.id}}?wait=60`);
}}
if (job.status !== "succeeded") throw new Error(`${{job.status}}: ${{JSON.stringify(job.error)}}`);
for (const [name, files] of Object.entries<any[]>(job.outputs)) {{
  for (const file of files) console.log(name, file.name, file.url);
}}

export {{}};
"""


def _is_safe(value: object) -> bool:
    """Return whether JavaScript has a number as it is: a seed may be larger than what it counts exactly."""
    return not isinstance(value, int) or abs(value) < 1 << 53


def _typescript_type(parameter: Parameter) -> str:
    if parameter.choices:
        return _union(parameter.choices)
    numbers = {"integer": "number", "number": "number", "boolean": "boolean", "json": "unknown"}
    return numbers.get(parameter.type, "string")


def _union(choices: Sequence[object]) -> str:
    return " | ".join(_json(choice) for choice in choices[:200]) + (" | string" if len(choices) > 200 else "")


def _write_sdk(example: Example) -> str:
    lines = []
    for parameter in example.values:
        for target in parameter.targets:
            value = parameter.default
            lines.append(f"    workflow.set_input({target.node!r}, {target.input!r}, {value!r})  # {parameter.name}\n")
    for parameter in example.files:
        lines.append(f"    {parameter.name}_file = client.assets.from_file({EXAMPLE_FILES[parameter.type]!r})\n")
        for target in parameter.targets:
            lines.append(f"    workflow.set_input({target.node!r}, {target.input!r}, {parameter.name}_file)\n")
    outputs = ", ".join(f"{o.node} is {o.name}" for o in example.interface.outputs[:MAX_INPUTS])
    return f'''"""Run {_python_text(_title(example))} with the official Comfy SDK. Needs: pip install comfy-sdk"""

import os
from pathlib import Path

import httpx
from comfy_sdk import Comfy

url = os.environ.setdefault("COMFY_BASE_URL", "{example.url}")
key = os.environ.get("PYCOMFY_API_KEY")
headers = {{"Authorization": f"Bearer {{key}}"}} if key else {{}}

with Comfy(api_key=key) as client:
    # Its own graph, which may be in a file as well; only values may be changed.
    answer = httpx.get(f"{{url}}/v1/workflow", headers=headers)
    if answer.is_error:
        raise SystemExit(f"{{answer.status_code}}: {{answer.text}}")
    workflow = client.workflows.from_json(answer.json()["graph"])
{"".join(lines)}
    job = client.run(workflow)
    for output in job.outputs:{f"  # by node: {printable(outputs)}" if outputs else ""}
        print(output.node_id, output.to_file(Path(output.name).name))
'''
