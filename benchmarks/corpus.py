"""How much of what the community saved is read, converted as the editor does, and locked without a question.

Run: `python -m benchmarks.corpus [FOLDER] [--object-info FILE] [--editor FILE] [--save]`. FOLDER has a subfolder for
each source, with its workflows (JSON, pictures, videos); nothing is fetched then. Without it the sources are cloned
from their public repositories, where they can be reached, and the official templates come from a Python index. FILE of
`--editor` has the prompts that a real editor made: `{"source/file": prompt}`. The catalog of node packs is this
machine's; without one nothing is chosen. `--save` puts the table into RESULTS.md.
"""

import argparse
import json
import subprocess
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.table import put_section
from pycomfy.adapters.catalog.database import Catalog, catalog_path
from pycomfy.adapters.catalog.fetch import TEMPLATES
from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.metadata.load import read_workflow
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.core.nodes.pack_resolution import Knowledge, PackPreferences, UnresolvedType
from pycomfy.core.nodes.pack_resolver import resolve_packs
from pycomfy.core.nodes.provenance import pack_references
from pycomfy.core.prompt.convert import Prompt, try_convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.providers import running_types
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import PycomfyError
from tests.support.prompt_comparison import comparable, without_ids

MEDIA = frozenset((".png", ".webp", ".jpg", ".gif", ".mp4", ".webm", ".mov", ".flac"))
TITLE = "Community corpus"
COLUMNS = ("files", "read", "converted", "equal to the editor", "locked without a question", "asked", "wrong")
_PACKS = "custom_nodes."
_EXPLANATION = """Files of public repositories that say that they have a workflow. Converted are those that have node
types of the given definitions only; compared with the editor are those of them that it loaded. Locked means that each
node type's pack is chosen; wrong, that the definitions name another one. Made by `python -m benchmarks.corpus`."""

# fmt: off
REPOSITORIES = (
    "1038lab/ComfyUI-RMBG", "Acly/comfyui-inpaint-nodes", "Fannovel16/comfyui_controlnet_aux",
    "Kosinkadink/ComfyUI-Advanced-ControlNet", "Kosinkadink/ComfyUI-VideoHelperSuite",
    "Suzie1/ComfyUI_Comfyroll_CustomNodes", "TinyTerra/ComfyUI_tinyterraNodes", "XLabs-AI/x-flux-comfyui",
    "adieyal/comfyui-dynamicprompts", "chflame163/ComfyUI_LayerStyle", "chrisgoringe/cg-use-everywhere",
    "crystian/ComfyUI-Crystools", "cubiq/ComfyUI_IPAdapter_plus", "cubiq/PuLID_ComfyUI",
    "jags111/efficiency-nodes-comfyui", "kijai/ComfyUI-HunyuanVideoWrapper", "kijai/ComfyUI-KJNodes",
    "kijai/ComfyUI-WanVideoWrapper", "ltdrdata/ComfyUI-Impact-Pack", "melMass/comfy_mtb", "rgthree/rgthree-comfy",
    "ssitu/ComfyUI_UltimateSDUpscale", "welltop-cn/ComfyUI-TeaCache",
)
# fmt: on
"""Node packs with example workflows."""


@dataclass
class Count:
    """What was counted of one source. Only files whose types the definitions have are converted; only those of
    them that the editor made a prompt of are compared. `different` says what is wrong with which file."""

    counts: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)

    def cells(self, known: frozenset[str]) -> Iterator[str]:
        yield from (str(self.counts[column]) if column in known else "–" for column in COLUMNS)


@dataclass(frozen=True)
class Judges:
    """What is known beside the files: node definitions, the editor's prompts, the catalog of node packs."""

    definitions: Definitions | None = None
    prompts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    catalog: Catalog | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that can be filled."""
        known = {"files", "read"}
        known |= {"converted"} if self.definitions is not None else set()
        known |= {"equal to the editor"} if self.prompts else set()
        known |= {"locked without a question", "asked"} if self.catalog is not None else set()
        return frozenset(known | ({"wrong"} if self.catalog is not None and self.definitions is not None else set()))


def measure(folder: Path, judges: Judges) -> dict[str, Count]:
    """Return the counts of each source, a subfolder of `folder`."""
    found: dict[str, Count] = {}
    for source in sorted(p for p in folder.iterdir() if p.is_dir()):
        count = Count()
        for file in sorted(p for p in source.rglob("*") if p.is_file() and _is_candidate(p)):
            _measure_file(file, f"{source.name}/{file.relative_to(source)}", judges, count)
        if count.counts["files"]:
            found[source.name] = count
    return found


def _is_candidate(file: Path) -> bool:
    """Whether a file says that it has a workflow."""
    suffix = file.suffix.lower()
    if suffix == ".json":
        data = file.read_bytes()
        return b'"class_type"' in data or (b'"nodes"' in data and b'"links"' in data)
    return suffix in MEDIA and any(word in file.read_bytes() for word in (b"class_type", b'"nodes"', b'\\"nodes\\"'))


def _measure_file(file: Path, name: str, judges: Judges, count: Count) -> None:
    count.counts["files"] += 1
    try:
        workflow = read_workflow(str(file))
    except PycomfyError as e:
        count.different.append(f"{name}: {e.what}")
        return
    count.counts["read"] += 1
    if judges.definitions is not None:
        conversion = try_convert(workflow, judges.definitions)
        count.counts["converted"] += not conversion.problems
        theirs = judges.prompts.get(name) if not conversion.problems else None
        if theirs is not None and is_equal(conversion.prompt, theirs):
            count.counts["equal to the editor"] += 1
        elif theirs is not None:
            count.different.append(f"{name}: another prompt than the editor's")
    if judges.catalog is not None:
        count.counts[_choose(workflow, judges.catalog, judges.definitions, name, count)] += 1


def is_equal(ours: Prompt, theirs: Mapping[str, Any]) -> bool:
    """Return whether two prompts do the same: ids may differ, as the editor gives nodes of subgraphs new ones. What
    only the editor knows is left out: players, previews, buttons, which have no value, and nodes that it could not
    make."""
    first, second = _as_sent(ours), _as_sent(theirs)
    return comparable(first) == comparable(second) or without_ids(first) == without_ids(second)


def _as_sent(prompt: Prompt | Mapping[str, Any]) -> dict[str, Any]:
    """The prompt with numbers as JavaScript has them: 8.0 is 8."""
    read = {
        id_: {"class_type": node["class_type"], "inputs": {k: v for k, v in node["inputs"].items() if v is not None}}
        for id_, node in prompt.items()
        if node.get("class_type") is not None
    }
    as_json: dict[str, Any] = json.loads(json.dumps(read), parse_float=lambda t: _whole(float(t)))
    return as_json


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number


def _choose(workflow: Workflow, catalog: Catalog, definitions: Definitions | None, name: str, count: Count) -> str:
    """The column of a file: whether a pack for each of its types is chosen without a question, and whether the
    definitions say that a type is another pack's."""
    nodes = collect_requirements(workflow).nodes
    types = running_types(nodes)
    named = {n: found for n in pack_references(nodes) if (found := catalog.find(n)) is not None}
    wanted = [UnresolvedType(type_, tuple(users)) for type_, users in types.items()]
    chosen = resolve_packs(wanted, Knowledge(catalog.claims(types), named), PackPreferences())
    for choice in chosen.choices:
        spec = definitions.find(choice.type) if definitions is not None else None
        folder = spec.module.removeprefix(_PACKS) if spec is not None and spec.module.startswith(_PACKS) else None
        if folder is not None and folder.lower() != choice.pack.identity.rsplit("/", 1)[-1].lower():
            count.different.append(f"{name}: {choice.type} from {choice.pack.identity}, not {folder}")
            return "wrong"
    return "asked" if any(question.core is None for question in chosen.questions) else "locked without a question"


def render(found: Mapping[str, Count], known: frozenset[str]) -> str:
    """Return the table as Markdown, with the sums at the end."""
    total = Count(sum((count.counts for count in found.values()), Counter()))
    rows = [*((name.replace("+", "/"), count) for name, count in found.items()), ("all", total)]
    lines = [f"| source | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    lines += [f"| {name} | {' | '.join(count.cells(known))} |" for name, count in rows]
    return "\n".join([*lines, "", _EXPLANATION, ""])


def fetch(folder: Path, paths: Paths) -> None:
    """Clone every repository that answers into `folder`, and unpack the official templates there."""
    for repository in REPOSITORIES:
        to = folder / repository.replace("/", "+")
        command = ("git", "clone", "--quiet", "--depth=1", f"https://github.com/{repository}", str(to))
        if subprocess.run(command, check=False, capture_output=True).returncode:
            print(f"{repository} cannot be reached")
    wheel, _ = pin_wheel(TEMPLATES, Target("linux/amd64", "3.11"), paths.cache)
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, cache=paths.cache)
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(".json") and "index" not in n]
        archive.extractall(folder / "Comfy-Org+workflow_templates", names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--object-info", type=Path)
    parser.add_argument("--editor", type=Path)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    paths = find_paths()
    definitions = Definitions(json.loads(given.object_info.read_bytes())) if given.object_info else None
    prompts = json.loads(given.editor.read_bytes()) if given.editor else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if given.folder is None:
            fetch(folder, paths)
        if catalog_path(paths).is_file():
            with Catalog(paths) as catalog:
                judges = Judges(definitions, prompts, catalog)
                found = measure(folder, judges)
        else:
            judges = Judges(definitions, prompts)
            found = measure(folder, judges)
    text = render(found, judges.columns)
    for count in found.values():
        print(*count.different, sep="\n")
    print(text)
    if given.save:
        put_section(TITLE, text)


if __name__ == "__main__":
    main()
