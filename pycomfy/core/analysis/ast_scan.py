"""Scan one file's syntax tree: what it imports, and what it does to the machine that imports it."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from pycomfy.core.analysis.expressions import (
    asks_for_module,
    catches_failure,
    dotted,
    expects_absence,
    handles_failure,
    is_conditional,
    is_main,
    may_leave,
    shown_call,
    suppresses,
    texts_of,
    walk,
)
from pycomfy.core.analysis.system_uses import PROGRAMS, is_font_folder, is_system_font

How = Literal["plain", "conditional", "guarded", "called"]
"""When an import runs: always when the file is imported; if a condition holds; with an ImportError expected; or only in
a function."""

ALWAYS, CONDITIONAL, HANDLED = range(3)
"""The doubts about a call: it runs whenever the code around it does; if a condition holds; its failure is handled."""

Action = Literal["installs", "downloads"]

MAX_DEPTH = 200

_RUNNERS = ("run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput")
_STARTS = frozenset({*(f"subprocess.{name}" for name in _RUNNERS), "os.system", "os.popen", "os.execvp", "os.spawnvp"})
_LISTS = frozenset({"os.listdir", "os.scandir", "os.walk"})
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
"""Names that mean a download wherever they are imported from: nothing else is called so."""

_WEIGHTS = re.compile(r"https?://[^\s\"']{4,500}|[\w.-]{1,96}/[\w.-]{1,96}")
"""An address, or a repository at Hugging Face."""

# The words of a command line: `pip install`, `python -m pip install`, `uv pip install`, `apt-get install`.
_INSTALLER, _INSTALLING = re.compile(r"\b(pip3?|uv|conda|mamba|apt|npm)\b"), re.compile(r"\b(install|add|sync|ci)\b")
_GIT, _FETCHING = re.compile(r"\bgit\b"), re.compile(r"\b(clone|pull|fetch|submodule)\b")
_FETCHER = re.compile(r"\b(wget|curl|aria2c)\b")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: `module` is dotted; `level` counts the dots of a relative import."""

    module: str
    level: int
    line: int
    how: How
    names: tuple[str, ...] = ()
    """The names imported from it; each may be a module."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A call that installs or downloads; `text` is the call's source, shortened. `function` contains it; "" at the top
    of the file. `doubt` is that in the function. `unless` are the modules that it runs for the want of: where all are
    there, it does not run."""

    action: Action
    text: str
    line: int
    function: str
    doubt: int = ALWAYS
    unless: tuple[str, ...] = ()


UseKind = Literal["program", "font", "weights"]


@dataclass(frozen=True, slots=True)
class Use:
    """What a call uses that is in no Python package: a "program" or "font" of the system by its name, or "weights" that
    it downloads, by their address or repository."""

    kind: UseKind
    name: str
    line: int


@dataclass(slots=True)
class FileReading:
    """What one file does. `calls` are the plain or dotted names that each function, or the top of the file (""), calls,
    each with the least doubt;
    `aliases` maps the file's names to the dotted names they stand for; `dynamic` says that it imports computed
    names."""

    imports: list[Import] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    compiles: list[int] = field(default_factory=list)
    """The lines that name `torch.compile`: as a call, a decorator or an argument."""
    aliases: dict[str, str] = field(default_factory=dict)
    dynamic: bool = False


def read_file(tree: ast.Module) -> FileReading:
    """Return what a syntax tree says. Nothing is run."""
    reader = _Reader(tree)
    reader.block(tree.body, _Context())
    return reader.reading


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a statement is."""

    how: How = "plain"
    function: str = ""
    depth: int = 0
    doubt: int = ALWAYS
    """The doubt about calls, in the function."""
    unless: tuple[str, ...] = ()
    """The modules whose absence is handled here, in the function."""

    def deeper(self, how: How | None = None, function: str | None = None, doubt: int = ALWAYS) -> "_Context":
        """Return the context of a nested block, where an import is at least as uncertain as here: in a function inside
        a `try`, it is guarded."""
        if how is None or self.how == "guarded" or (self.how == "called" and how != "guarded"):
            how = self.how
        if function is None:
            return _Context(how, self.function, self.depth + 1, max(doubt, self.doubt), self.unless)
        return _Context(how, function, self.depth + 1)


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self.reading = FileReading()
        self.tree = tree
        self.actions: dict[tuple[tuple[bool, str], ...], Action | None] = {}
        self.weights: set[str] = set()

    @cached_property
    def texts(self) -> Mapping[str, tuple[str, ...]]:
        """The texts that names are set to in the file; computed only where a call needs them."""
        return texts_of(self.tree)

    def block(self, body: Sequence[ast.stmt], context: _Context) -> None:
        """Read the statements of a block; nothing below `MAX_DEPTH` blocks."""
        if context.depth > MAX_DEPTH:
            return
        for statement in body:
            self._statement(statement, context)
            if may_leave(statement):
                context = replace(context, doubt=max(context.doubt, CONDITIONAL))

    def _statement(self, statement: ast.stmt, context: _Context) -> None:
        match statement:
            case ast.Import(names=names):
                for alias in names:
                    self.reading.imports.append(Import(alias.name, 0, statement.lineno, context.how))
                    top = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.reading.aliases[alias.asname or top] = top
            case ast.ImportFrom(module=module, names=names, level=level):
                imported = tuple(alias.name for alias in names)
                self.reading.imports.append(Import(module or "", level, statement.lineno, context.how, imported))
                for alias in names:
                    prefix = "." * level + (f"{module}." if module else "")
                    self.reading.aliases[alias.asname or alias.name] = prefix + alias.name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._expressions([*statement.decorator_list, *statement.args.defaults], context)
                inner = f"{context.function}.{name}" if context.function else name
                self.reading.functions.add(inner)
                self.block(statement.body, context.deeper("called", inner))
            case ast.ClassDef():
                self._expressions(statement.bases, context)
                self.block(statement.body, context.deeper())
            case ast.Try() | ast.TryStar():
                guarded = any(expects_absence(handler) for handler in statement.handlers)
                doubt = HANDLED if handles_failure(statement) else ALWAYS
                self.block(statement.body, context.deeper("guarded" if guarded else None, doubt=doubt))
                for handler in statement.handlers:
                    inside = context.deeper("guarded" if guarded else "conditional", doubt=CONDITIONAL)
                    self.block(handler.body, replace(inside, unless=_tried(statement, handler) or inside.unless))
                self.block(statement.orelse, context.deeper("guarded" if guarded else None))
                self.block(statement.finalbody, context.deeper())
            case ast.If(test=test):
                self._if(statement, test, context)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                self._expressions([item.context_expr for item in items], context)
                suppressed = any(suppresses(item.context_expr) for item in items)
                doubt = HANDLED if suppressed and any(_suppresses_failure(i.context_expr) for i in items) else ALWAYS
                self.block(statement.body, context.deeper("guarded" if suppressed else None, doubt=doubt))
            case ast.For() | ast.AsyncFor() | ast.While():
                self._expressions([statement.iter if not isinstance(statement, ast.While) else statement.test], context)
                self.block(statement.body, context.deeper("conditional"))
                self.block(statement.orelse, context.deeper("conditional"))
            case ast.Match(subject=subject, cases=cases):
                self._expressions([subject], context)
                for case in cases:
                    self.block(case.body, context.deeper("conditional", doubt=CONDITIONAL))
            case _:
                self._expressions([statement], context)

    def _if(self, statement: ast.If, test: ast.expr, context: _Context) -> None:
        self._expressions([test], context)
        name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
        if asks_for_module(test):
            self.block(statement.body, context.deeper("guarded", doubt=CONDITIONAL))
        elif name == "TYPE_CHECKING" or is_main(test):
            # Neither is true when the file is imported; what runs when it is a program counts as called.
            self.block(statement.body, context.deeper("called" if is_main(test) else "guarded", "__main__"))
        else:
            self.block(statement.body, context.deeper("conditional", doubt=CONDITIONAL))
        self.block(statement.orelse, context.deeper("conditional", doubt=CONDITIONAL))

    def _expressions(self, roots: Sequence[ast.AST], context: _Context) -> None:
        """Read the calls in expressions. Those in a lambda count as calls of the block around it."""
        for root in roots:
            for node in walk(root):
                if isinstance(node, ast.Call):
                    self._call(node, root, context)
                elif isinstance(node, ast.Attribute) and node.attr == "compile" and dotted(node) == "torch.compile":
                    self.reading.compiles.append(node.lineno)

    def _call(self, call: ast.Call, root: ast.AST, context: _Context) -> None:
        name = dotted(call.func)
        first, _, rest = name.partition(".")
        resolved = ".".join(filter(None, (self.reading.aliases.get(first, first), rest)))
        calls = self.reading.calls.setdefault(context.function, {})
        calls[name] = min(context.doubt, calls.get(name, HANDLED))
        self._import_by_call(call, resolved, context)
        if context.doubt < HANDLED:
            self.reading.uses += self._find_uses(call, resolved)
        action = self._find_action(call, resolved)
        if action is not None:
            doubt = max(context.doubt, CONDITIONAL if is_conditional(call, root) else ALWAYS)
            self.reading.activities.append(
                Activity(action, shown_call(call), call.lineno, context.function, doubt, context.unless)
            )

    def _import_by_call(self, call: ast.Call, function: str, context: _Context) -> None:
        if function not in ("importlib.import_module", "__import__", "importlib.util.spec_from_file_location"):
            return
        name = call.args[0] if call.args else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and not function.endswith("location"):
            level = len(name.value) - len(name.value.lstrip("."))
            self.reading.imports.append(Import(name.value.lstrip("."), level, call.lineno, context.how))
        else:
            self.reading.dynamic = True

    def _find_action(self, call: ast.Call, function: str) -> Action | None:
        if function in _INSTALLS:
            return "installs"
        if function in _FETCHES or function.rpartition(".")[2] in _FETCHING_NAMES:
            return "downloads"
        if function in _STARTS:
            # The same call may be there a thousand times, with a name that has many long texts.
            mentioned = tuple(self._mentioned(call))
            if mentioned not in self.actions:
                self.actions[mentioned] = _judge_words(" ".join(self._words(call)))
            return self.actions[mentioned]
        return None

    def _find_uses(self, call: ast.Call, function: str) -> Iterator[Use]:
        if function in _STARTS:
            first = next(self._words(call), "").split(None, 1)
            if first and first[0] in PROGRAMS:
                yield Use("program", first[0], call.lineno)
        elif function.endswith("ImageFont.truetype"):
            path = call.args[0] if call.args else None
            if isinstance(path, ast.Constant) and isinstance(path.value, str) and is_system_font(path.value):
                yield Use("font", path.value, call.lineno)
        elif function in _LISTS:
            yield from (Use("font", path, call.lineno) for path in {*self._words(call)} if is_font_folder(path))
        elif function.rpartition(".")[2] in _FETCHING_NAMES:
            words = [*self._words(call), *self._keyword_words(call)]
            # A list of addresses may be anywhere in the file, and a call takes one of them.
            new = [word for word in dict.fromkeys(words) if word not in self.weights and _WEIGHTS.fullmatch(word)]
            self.weights.update(new)
            yield from (Use("weights", word, call.lineno) for word in new)

    def _keyword_words(self, call: ast.Call) -> Iterator[str]:
        for keyword in call.keywords:
            if keyword.arg in ("repo_id", "url"):
                yield from self._words(ast.Call(call.func, [keyword.value], []))

    def _words(self, call: ast.Call) -> Iterator[str]:
        """The texts in a call's arguments, and those that the names in them are set to anywhere in the file."""
        for is_name, text in self._mentioned(call):
            if is_name:
                yield from self.texts.get(text, ())
            else:
                yield text

    def _mentioned(self, call: ast.Call) -> Iterator[tuple[bool, str]]:
        """The names (True) and texts (False) in a call's arguments."""
        for argument in call.args:
            for node in walk(argument):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield False, node.value[:1000]
                elif isinstance(node, ast.Name):
                    yield True, node.id


def _judge_words(words: str) -> Action | None:
    """What a command line with these words does."""
    if _is_followed(words, _INSTALLER, _INSTALLING):
        return "installs"
    if _FETCHER.search(words) or _is_followed(words, _GIT, _FETCHING):
        return "downloads"
    return None


def _is_followed(words: str, program: re.Pattern[str], command: re.Pattern[str]) -> bool:
    """Whether a program is named, and a command after it. One pattern for both would look for the command once more
    behind each program."""
    found = program.search(words)
    return found is not None and command.search(words, found.end()) is not None


def _tried(statement: ast.Try | ast.TryStar, handler: ast.ExceptHandler) -> tuple[str, ...]:
    """The modules that a `try` only imports, where `handler` handles that one is missing."""
    modules: list[str] = []
    for one in statement.body:
        if isinstance(one, ast.Import):
            modules += [alias.name for alias in one.names]
        elif isinstance(one, ast.ImportFrom) and one.module and not one.level:
            modules.append(one.module)
        else:
            return ()
    return tuple(modules) if expects_absence(handler) else ()


def _suppresses_failure(context: ast.expr) -> bool:
    return isinstance(context, ast.Call) and catches_failure(context.args)
