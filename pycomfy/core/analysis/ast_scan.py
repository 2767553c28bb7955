"""One file's syntax tree, read once: what it imports, and what it does to the machine that imports it."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pycomfy.core.analysis.expressions import dotted, expects_absence, is_main, shown_call, suppresses, texts_of, walk

How = Literal["plain", "conditional", "guarded", "called"]
"""An import happens always when the file is imported; if a condition holds; with an ImportError expected; or in a
function only."""

Action = Literal["installs", "downloads"]

MAX_DEPTH = 200

_RUNNERS = ("run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput")
_STARTS = frozenset({*(f"subprocess.{name}" for name in _RUNNERS), "os.system", "os.popen", "os.execvp", "os.spawnvp"})
_INSTALLS = frozenset({"pip.main", "pip._internal.main", "pip._internal.cli.main.main"})
_FETCHES = frozenset(
    {
        "basicsr.utils.download_util.load_file_from_url",
        "folder_paths.download_model",
        "gdown.download",
        "httpx.get",
        "httpx.stream",
        "huggingface_hub.hf_hub_download",
        "huggingface_hub.snapshot_download",
        "nltk.download",
        "requests.get",
        "requests.post",
        "torch.hub.download_url_to_file",
        "torch.hub.load",
        "torch.hub.load_state_dict_from_url",
        "torchvision.datasets.utils.download_url",
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "wget.download",
    }
)
_FETCHING_NAMES = frozenset({"hf_hub_download", "snapshot_download", "urlretrieve", "load_file_from_url"})
"""As these are called nowhere else, whoever imports them from wherever."""

# The words of a command line: `pip install`, `python -m pip install`, `uv pip install`, `apt-get install`.
_INSTALL_WORDS = re.compile(r"\b(pip3?|uv|conda|mamba|apt|apt-get|npm)\b.*?\b(install|add|sync|ci)\b", re.DOTALL)
_FETCH_WORDS = re.compile(r"\b(git)\b.*?\b(clone|pull|fetch|submodule)\b|\b(wget|curl|aria2c)\b", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Import:
    """One module that is imported: `module` is dotted; `level` counts the dots of a relative import."""

    module: str
    level: int
    line: int
    how: How
    names: tuple[str, ...] = ()
    """What is taken from it; each may be a module of its own."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A call that installs or downloads; `text` is the call's source, shortened. `function` is where it stands, "" at
    the top of the file."""

    action: Action
    text: str
    line: int
    function: str


@dataclass(slots=True)
class FileReading:
    """What one file does. `calls` are the functions that each function, or the top of the file (""), calls by a plain
    or dotted name; `aliases` what the file's names stand for, dotted; `dynamic` says that it imports by computed
    names."""

    imports: list[Import] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    calls: dict[str, set[str]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    dynamic: bool = False


def read_file(tree: ast.Module) -> FileReading:
    """Read a syntax tree; nothing of it is run."""
    reader = _Reader(tree)
    reader.block(tree.body, _Place())
    return reader.made


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stands."""

    how: How = "plain"
    function: str = ""
    depth: int = 0

    def deeper(self, how: How | None = None, function: str | None = None) -> "_Place":
        """Nested: what is softer stays so. Inside a `try`, a function's import is guarded all the same."""
        soft = self.how if how is None or self.how == "guarded" or (self.how == "called" and how != "guarded") else how
        return _Place(soft, self.function if function is None else function, self.depth + 1)


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self.made = FileReading()
        self.tree = tree

    @cached_property
    def texts(self) -> Mapping[str, tuple[str, ...]]:
        return texts_of(self.tree)

    def block(self, body: Sequence[ast.stmt], place: _Place) -> None:
        if place.depth > MAX_DEPTH:
            return
        for statement in body:
            self._statement(statement, place)

    def _statement(self, statement: ast.stmt, place: _Place) -> None:
        match statement:
            case ast.Import(names=names):
                for alias in names:
                    self.made.imports.append(Import(alias.name, 0, statement.lineno, place.how))
                    top = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.made.aliases[alias.asname or top] = top
            case ast.ImportFrom(module=module, names=names, level=level):
                taken = tuple(alias.name for alias in names)
                self.made.imports.append(Import(module or "", level, statement.lineno, place.how, taken))
                for alias in names:
                    prefix = "." * level + (f"{module}." if module else "")
                    self.made.aliases[alias.asname or alias.name] = prefix + alias.name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._expressions([*statement.decorator_list, *statement.args.defaults], place)
                inner = f"{place.function}.{name}" if place.function else name
                self.made.functions.add(inner)
                self.block(statement.body, place.deeper("called", inner))
            case ast.ClassDef():
                self._expressions(statement.bases, place)
                self.block(statement.body, place.deeper())
            case ast.Try() | ast.TryStar():
                guarded = any(expects_absence(handler) for handler in statement.handlers)
                self.block(statement.body, place.deeper("guarded" if guarded else None))
                for handler in statement.handlers:
                    self.block(handler.body, place.deeper("guarded" if guarded else "conditional"))
                self.block(statement.orelse, place.deeper("guarded" if guarded else None))
                self.block(statement.finalbody, place.deeper())
            case ast.If(test=test):
                self._if(statement, test, place)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                self._expressions([item.context_expr for item in items], place)
                suppressed = any(suppresses(item.context_expr) for item in items)
                self.block(statement.body, place.deeper("guarded" if suppressed else None))
            case ast.For() | ast.AsyncFor() | ast.While():
                self._expressions([statement.iter if not isinstance(statement, ast.While) else statement.test], place)
                self.block(statement.body, place.deeper("conditional"))
                self.block(statement.orelse, place.deeper("conditional"))
            case ast.Match(subject=subject, cases=cases):
                self._expressions([subject], place)
                for case in cases:
                    self.block(case.body, place.deeper("conditional"))
            case _:
                self._expressions([statement], place)

    def _if(self, statement: ast.If, test: ast.expr, place: _Place) -> None:
        self._expressions([test], place)
        name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
        if name == "TYPE_CHECKING" or is_main(test):
            # Neither is true when the file is imported; what runs it as a program counts as called.
            self.block(statement.body, place.deeper("called" if is_main(test) else "guarded", "__main__"))
        else:
            self.block(statement.body, place.deeper("conditional"))
        self.block(statement.orelse, place.deeper("conditional"))

    def _expressions(self, roots: Sequence[ast.AST], place: _Place) -> None:
        """The calls in expressions; a lambda's are its caller's."""
        for root in roots:
            for node in walk(root):
                if isinstance(node, ast.Call):
                    self._call(node, place)

    def _call(self, call: ast.Call, place: _Place) -> None:
        written = dotted(call.func)
        first, _, rest = written.partition(".")
        meant = ".".join(filter(None, (self.made.aliases.get(first, first), rest)))
        self.made.calls.setdefault(place.function, set()).add(written)
        self._dynamic(call, meant, place)
        deed = self._deed(call, meant)
        if deed is not None:
            self.made.activities.append(Activity(deed, shown_call(call), call.lineno, place.function))

    def _dynamic(self, call: ast.Call, meant: str, place: _Place) -> None:
        if meant not in ("importlib.import_module", "__import__", "importlib.util.spec_from_file_location"):
            return
        named = call.args[0] if call.args else None
        if isinstance(named, ast.Constant) and isinstance(named.value, str) and not meant.endswith("location"):
            level = len(named.value) - len(named.value.lstrip("."))
            self.made.imports.append(Import(named.value.lstrip("."), level, call.lineno, place.how))
        else:
            self.made.dynamic = True

    def _deed(self, call: ast.Call, meant: str) -> Action | None:
        if meant in _INSTALLS:
            return "installs"
        if meant in _FETCHES or meant.rpartition(".")[2] in _FETCHING_NAMES:
            return "downloads"
        if meant in _STARTS:
            words = " ".join(self._words(call))
            if _INSTALL_WORDS.search(words):
                return "installs"
            if _FETCH_WORDS.search(words):
                return "downloads"
        return None

    def _words(self, call: ast.Call) -> Iterator[str]:
        """The texts in a call's arguments, and in what the names in them were set to anywhere in the file."""
        for argument in call.args:
            for node in walk(argument):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value[:1000]
                elif isinstance(node, ast.Name):
                    yield from self.texts.get(node.id, ())
