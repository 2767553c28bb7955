"""The walls of the house: imports run downwards, the core is pure, and only the command line speaks of itself."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.test_reference import reference

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pycomfy"

BELOW = {
    "errors": (),
    "progress": ("errors",),
    "operation": ("errors", "progress"),
    "core": ("errors", "progress", "operation", "gateway"),
    "adapters": ("core", "errors", "progress", "operation", "__version__"),
    "services": ("adapters", "core", "errors", "progress", "operation"),
    "server": ("services", "adapters", "core", "errors", "progress", "operation", "__version__"),
    "cli": ("server", "services", "adapters", "core", "errors", "progress", "operation", "__version__"),
    "__init__": ("api",),
    "api": ("services", "adapters", "core", "errors", "progress", "operation"),
    "__main__": ("cli",),
    "gateway": (),
}
"""What each layer may import of the package beside itself. The package's own `__init__` is the door to `services`."""

INTO_THE_GATEWAY = {
    "services/api_description.py": "pycomfy.gateway",
    "services/models/needed.py": "pycomfy.gateway.missing",
    "services/run/serve.py": "pycomfy.gateway.settings",
}
"""The modules that import the gateway, which otherwise runs in images only: to print the document that it serves, to
know the names of its settings, and to say of missing models what it says."""

EVERYTHING: frozenset[str] | None = None

CORE_STANDARD_LIBRARY: dict[str, frozenset[str] | None] = {
    # Types, and functions of their arguments alone.
    **dict.fromkeys(
        ("abc", "ast", "base64", "collections", "copy", "dataclasses", "decimal", "difflib", "enum"), EVERYTHING
    ),
    **dict.fromkeys(("functools", "hashlib", "itertools", "json", "math", "re", "shlex", "struct"), EVERYTHING),
    **dict.fromkeys(("textwrap", "tomllib", "types", "typing", "unicodedata", "urllib.parse"), EVERYTHING),
    # Of a text: `read` would open a file.
    "configparser": frozenset({"ConfigParser", "Error"}),
    # Values only: `now` and `today` ask the clock.
    "datetime": frozenset({"UTC", "date", "datetime", "timedelta"}),
    # Headers of package metadata, dates of a Release file.
    "email.parser": frozenset({"HeaderParser"}),
    "email.utils": frozenset({"parsedate_to_datetime"}),
    # Bytes in memory; `io.open` is a file.
    "io": frozenset({"BytesIO"}),
    "zipfile": frozenset({"ZipFile", "ZipInfo"}),
    # An import by a name in a table; a test of the formats sees that it stays in the core.
    "pkgutil": frozenset({"resolve_name"}),
    # What works on text; `exists`, `realpath`, `abspath` and `relpath` look at the disk or at the working folder.
    "posixpath": frozenset({"basename", "dirname", "join", "normpath", "split", "splitext"}),
    # A generator with a seed that is given; the module's functions share a state.
    "random": frozenset({"Random"}),
    # A fact about the language, not about the process.
    "sys": frozenset({"stdlib_module_names"}),
    # Python's parser is not for several threads.
    "threading": frozenset({"Lock"}),
    # What the parser says of other people's source goes nowhere.
    "warnings": frozenset({"catch_warnings", "simplefilter"}),
}
"""What the core may import of the standard library, and which names of it."""

CORE_PACKAGES: dict[str, frozenset[str] | None] = {
    **dict.fromkeys(("packaging", "pydantic", "pydantic_core", "tomlkit"), EVERYTHING),
    # Templates that are given as text: a loader would read files.
    "jinja2": frozenset({"Environment", "StrictUndefined"}),
    "yaml": frozenset({"AliasEvent", "SafeLoader", "YAMLError", "load", "safe_dump", "safe_load"}),
}

ASKS_MACHINE = re.compile(r"(datetime|date)\.(now|utcnow|today)|\w+\.(sys_tags|default_environment)")
"""What asks the clock, or the Python that runs."""

IMPURE_BUILTINS = frozenset({"open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint"})

STARTS_PROCESSES = re.compile(
    r"os\.(exec\w+|spawn\w+|posix_spawnp?|system|popen|fork|forkpty)|asyncio\.create_subpro\w+"
)
PROCESS_MODULES = frozenset({"subprocess", "multiprocessing", "pty"})


class Module(NamedTuple):
    path: str
    layer: str
    tree: ast.Module


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, `path` from the package."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE)
        layer = path.parts[0].removesuffix(".py")
        found.append(Module(str(path), layer, ast.parse(file.read_text())))
    return tuple(found)


def in_layers(*layers: str) -> Iterator[Module]:
    return (m for m in modules() if m.layer in layers)


def imports(module: Module) -> Iterator[tuple[int, str, str]]:
    """(line, module, name) of every import, `name` "" for a whole module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # The gateway's package has another name inside an image.
            depth = module.path.count("/") if module.layer == "gateway" else 1
            assert node.level <= depth, f"{module.path} line {node.lineno} leaves its folder by a relative import"
            if node.level == 0:
                yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


# — imports —


def test_every_module_is_in_a_layer() -> None:
    assert {m.layer for m in modules()} <= set(BELOW)


def test_imports_run_downwards() -> None:
    wrong = []
    for module in modules():
        for line, source, name in imports(module):
            package, _, rest = source.partition(".")
            target = (rest or name).partition(".")[0]
            allowed = (module.layer, *BELOW[module.layer])
            if target == "gateway" and source.startswith(INTO_THE_GATEWAY.get(module.path, "nothing")):
                continue
            if package == "pycomfy" and target not in allowed:
                wrong.append(f"{module.path}:{line} imports {source} {name}")
    assert wrong == []


OF_THE_GATEWAY = {
    "pycomfy.gateway.graph": {"texts"},
    "pycomfy.gateway.graph.interface": set(),
    "pycomfy.gateway.graph.texts": set(),
}
"""What the core has of the gateway, which defines the contract: pure functions of graphs, and their types."""


def test_of_the_gateway_the_core_imports_what_is_pure() -> None:
    wrong = []
    for module in in_layers("core"):
        for line, source, name in imports(module):
            names = OF_THE_GATEWAY.get(source)
            if source.startswith("pycomfy.gateway") and (names is None or (names and name not in names)):
                wrong.append(f"{module.path}:{line} imports {source} {name}")
    assert wrong == []


IN_BOTH_DIRECTIONS = {
    # A lock and a pycomfy.toml consist of sources, which are made of the same types of values.
    ("lockfile/config.py", "sources"),
    ("lockfile/schema.py", "sources"),
    # The files of a project are written from a lock; a source says which store path it has.
    ("sources/lock_source.py", "nix"),
}
"""Imports of the core, from a module to a package, without which its packages would form no cycle."""


def test_packages_of_the_core_form_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    found = set()
    for module in in_layers("core"):
        path = module.path.removeprefix("core/")
        own = path.partition("/")[0].removesuffix(".py")
        for _, source, name in imports(module):
            if source != "pycomfy.core" and not source.startswith("pycomfy.core."):
                continue
            target = source.split(".")[2] if source != "pycomfy.core" else name
            if (path, target) in IN_BOTH_DIRECTIONS:
                found.add((path, target))
            elif target != own:
                graph.setdefault(own, set()).add(target)
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, with the cycle
    assert found == IN_BOTH_DIRECTIONS


def allowed_names(source: str, table: dict[str, frozenset[str] | None]) -> frozenset[str] | None:
    """The names that may be used of a module, None for all; nothing of one that is not in the table."""
    while source not in table and "." in source:
        source = source.rpartition(".")[0]
    return table.get(source, frozenset())


def test_the_core_uses_nothing_that_touches_the_machine() -> None:
    wrong = []
    for module in in_layers("core"):
        bound: dict[str, str] = {}
        for line, source, name in imports(module):
            if source.partition(".")[0] in ("pycomfy", "__future__"):
                continue
            table = CORE_STANDARD_LIBRARY if source.partition(".")[0] in sys.stdlib_module_names else CORE_PACKAGES
            allowed = allowed_names(source, table)
            if allowed is not None and (name not in allowed if name else not allowed):
                wrong.append(f"{module.path}:{line} imports {source} {name}")
            if not name:
                bound[source] = source
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute):
                owner = dotted(node.value)
                table = CORE_STANDARD_LIBRARY if owner in sys.stdlib_module_names else CORE_PACKAGES
                allowed = allowed_names(owner, table) if owner in bound else None
                if (allowed is not None and node.attr not in allowed) or ASKS_MACHINE.fullmatch(dotted(node)):
                    wrong.append(f"{module.path}:{node.lineno} uses {owner}.{node.attr}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
                wrong.append(f"{module.path}:{node.lineno} calls {node.func.id}")
    assert wrong == []


# — who prints, who starts processes —


IN_CONTAINERS = "adapters/browser/driver/"
"""Programs that run in containers, like the gateway: they print what they answer."""


def test_only_the_command_line_and_the_gateway_print() -> None:
    wrong = []
    for module in modules():
        if module.layer in ("cli", "gateway") or IN_CONTAINERS in str(module.path):
            continue
        wrong += [f"{module.path}:{line} imports rich" for line, source, _ in imports(module) if source == "rich"]
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            name = dotted(node.func)
            if name == "print" or re.search(r"\bstd(out|err)(\.buffer)?\.write", name):
                wrong.append(f"{module.path}:{node.lineno} calls {name}")
    assert wrong == []


PRINTERS = {"print", "input", "Console", "SafeConsole", "from_markup", "render_markup", "echo", "secho", "style"}
"""What writes on a terminal, or makes text act on it. In `cli` it is called in `cli/terminal.py` only, so that all that
is printed passes through what makes it safe."""


def test_everything_that_is_printed_passes_through_one_module() -> None:
    wrong = []
    for module in in_layers("cli"):
        if module.path == "cli/terminal.py":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.keyword) and node.arg in ("markup", "emoji"):
                allowed = isinstance(node.value, ast.Constant) and node.value.value is False
                wrong += [] if allowed else [f"{module.path}:{node.value.lineno} allows {node.arg}"]
            elif isinstance(node, ast.Call):
                owner, _, name = dotted(node.func).rpartition(".")
                prints = name in PRINTERS and owner in ("", "typer", "click", "Text", "rich", "rich.console")
                if prints or re.search(r"\bstd(out|err)(\.buffer)?\.write", dotted(node.func)):
                    wrong.append(f"{module.path}:{node.lineno} calls {dotted(node.func)}")
    assert wrong == []


def test_only_adapters_start_processes() -> None:
    wrong = []
    for module in modules():
        if module.layer in ("adapters", "gateway"):
            continue
        for line, source, name in imports(module):
            runs = source == "pycomfy.adapters.io.process" and name != "signals_as_exceptions"
            if source.partition(".")[0] in PROCESS_MODULES or runs:
                wrong.append(f"{module.path}:{line} imports {source} {name}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and STARTS_PROCESSES.fullmatch(dotted(node.func)):
                wrong.append(f"{module.path}:{node.lineno} calls {dotted(node.func)}")
    assert wrong == []


# — who speaks of commands and flags —


@cache
def commands() -> dict[str, Any]:
    """Every command by its words, as Typer's object."""
    return dict(reference.commands())


@cache
def flags() -> frozenset[str]:
    """The options of all commands, and those of none: `--help`, `--version`."""
    own = {o for command in commands().values() for p in command.params for o in (*p.opts, *p.secondary_opts)}
    return frozenset(o for o in (*own, "--help", "--version") if o.startswith("-"))


@cache
def patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """What names a command by itself, what names a group's command in backticks, and what names a flag."""
    verbs = "|".join(sorted({words.partition(" ")[0] for words in commands()}))
    grouped = "|".join(sorted(words for words in commands() if " " in words))
    options = "|".join(sorted(map(re.escape, flags())))
    return (
        re.compile(rf"\bpycomfy\s+({verbs})\b(?!-)"),
        re.compile(rf"`({grouped})\b"),
        re.compile(rf"(?<![\w-])({options})(?![\w-])"),
    )


_BACKTICKS = re.compile(r"`([^`]*)`", re.DOTALL)
_ONE_ARGUMENT = re.compile(r"--?[A-Za-z][\w-]*(=.*)?", re.DOTALL)
_SPOKEN = frozenset({"where", "fix", "what", "why", "note", "text", "hint", "reason"})
"""Arguments and variables of these names are for people, even where they are one word."""


def without_other_programs(text: str) -> str:
    """The text without command lines of other programs, which stand in backticks."""
    verbs = {"pycomfy", *(words.partition(" ")[0] for words in commands())}

    def keep(match: re.Match[str]) -> str:
        words = match[1].split()
        other = len(words) > 1 and words[0] not in verbs and not words[0].startswith("-")
        return "``" if other else match[0]

    return _BACKTICKS.sub(keep, text)


def names_itself(text: str, *, spoken: bool = True, heading: bool = False) -> str:
    """The command or flag that a text names; "" if none. Neither `spoken` nor a sentence: an argument of another
    program is allowed. In the first line of a module that is a use case, the `heading`, its command may be named."""
    if not spoken and _ONE_ARGUMENT.fullmatch(text):
        return ""
    command, grouped, flag = patterns()
    _, newline, rest = text.partition("\n")
    whole = without_other_programs(text)
    told = without_other_programs(rest if heading and newline else "" if heading else text)
    found = command.search(told) or grouped.search(told) or flag.search(whole)
    return found[0] if found else ""


def is_spoken(parents: list[ast.AST]) -> bool:
    """Whether a literal is the value of an argument or a variable that is for people."""
    for node in reversed(parents):
        if isinstance(node, ast.keyword):
            return node.arg in _SPOKEN
        if isinstance(node, ast.Assign):
            names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            return not _SPOKEN.isdisjoint(names)
        if isinstance(node, (ast.Call, ast.stmt)):
            return False
    return False


def literals(node: ast.AST, parents: list[ast.AST]) -> Iterator[tuple[ast.expr, str, list[ast.AST]]]:
    """Every literal text below, docstrings included, with the nodes around it; of an f-string its parts in one, with
    `{}` for the values."""
    if isinstance(node, ast.JoinedStr):
        yield node, "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values), parents
        inner: list[ast.AST] = [p for p in node.values if not isinstance(p, ast.Constant)]
    else:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node, node.value, parents
        inner = list(ast.iter_child_nodes(node))
    for child in inner:
        yield from literals(child, [*parents, node])


def named_in(module: Module) -> list[str]:
    """The texts of a module that name a command or a flag, each with its line."""
    first = module.tree.body[0] if module.tree.body else None
    docstring = first.value if isinstance(first, ast.Expr) else None
    return [
        f"{module.path}:{node.lineno} names {found}"
        for node, text, parents in literals(module.tree, [])
        if (found := names_itself(text, spoken=is_spoken(parents), heading=node is docstring))
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run `pycomfy lock` again", "pycomfy lock"),
        ("leave out --offline", "--offline"),
        ("`--force` replaces it", "--force"),
        ("--node {}", "--node"),
        ("`archive fill` does so", "`archive fill"),
        ("`restore --to`: a plain folder", "--to"),
        ("this pycomfy reads up to 3", ""),
        ("see that `podman run --name x` works", ""),
        ("pycomfy-lock and x--json", ""),
        ("`nix build --offline` and --json", "--json"),
    ],
)
def test_what_names_a_command_or_a_flag(text: str, found: str) -> None:
    assert names_itself(text) == found


def test_an_argument_of_another_program_is_no_flag_of_ours() -> None:
    assert names_itself("--force", spoken=False) == ""
    assert names_itself("--format=%H {}", spoken=False) == ""
    assert names_itself("--force", spoken=True) == "--force"


def test_no_module_below_the_command_line_names_a_command_or_a_flag() -> None:
    assert [line for m in modules() if m.layer not in ("cli", "gateway") for line in named_in(m)] == []


# — fixes as data —


def test_every_fix_names_a_command_and_parameters_of_it() -> None:
    """One that repeats the command names parameters that some command has, all of them; or, of a use case that is a
    part of others, parameters of its own command."""
    parameters = {words: {p.name for p in command.params} for words, command in commands().items()}
    wrong = []
    for module in modules():
        calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
        for call in calls:
            at, name = f"{module.path}:{call.lineno}", dotted(call.func).rpartition(".")[2]
            if name == "Fix" and module.path not in ("errors.py", "cli/fixes.py"):
                wrong.append(f"{at}: use `suggest` or `suggest_retry`, which this test understands")
            if name not in ("suggest", "suggest_retry"):
                continue
            action = str(call.args[0].value) if isinstance(call.args[0], ast.Constant) else None
            given = {keyword.arg for keyword in call.keywords}
            if action is None or None in given:
                wrong.append(f"{at}: write the action and the names of its arguments as they are")
            elif action == "retry" and not any(given <= known for known in parameters.values()):
                wrong.append(f"{at}: no command has all of {', '.join(sorted(map(str, given)))}")
            elif action != "retry" and action not in parameters:
                wrong.append(f"{at}: there is no command {action}")
            elif action != "retry" and not given <= parameters[action]:
                wrong.append(f"{at}: {action} has no {', '.join(sorted(map(str, given - parameters[action])))}")
    assert wrong == []


def test_every_bad_argument_is_one_of_a_command() -> None:
    known = {p.name for command in commands().values() for p in command.params}
    wrong = []
    for module in modules():
        for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
            if dotted(call.func).rpartition(".")[2] != "BadArgument":
                continue
            value = next((k.value for k in call.keywords if k.arg == "argument"), None)
            if isinstance(value, ast.Constant) and value.value not in known:
                wrong.append(f"{module.path}:{call.lineno} names no parameter of a command")
    assert wrong == []
