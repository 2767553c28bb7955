"""Break the code in small ways, and tell what no test noticed: `make mutants`.

    python -m tests.support.mutants [MODULE …] [--number N] [--seed S] [--line L …] [--jobs J]

The changes are Cosmic Ray's, and one of our own: a statement is removed, such as a refusal. They are drawn by place, so
that an operator with ten replacements weighs no more than a `not`. Each is made in a copy of the working tree, never in
the tree itself, and tried with the tests that hold the module by rule: those of its own file, then all that import it;
then those of `mutants.toml`, which also names the survivors that change no behaviour. Where there are none, with those
of its room.
"""

import argparse
import ast
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from queue import Queue
from typing import Any

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "tests" / "mutants.toml"
SLOWER = 8
"""A mutant whose tests take this many times as long as the code's own, and a minute more, hangs: it is killed."""


@dataclass(frozen=True)
class Mutant:
    module: str
    line: int
    operator: str
    source: str
    """The module's whole text with the change in it."""

    def change(self, original: str) -> tuple[str, str]:
        """Return the lines that are other than before, and what they are now, each without indentation."""
        diff = difflib.ndiff(original.splitlines(), self.source.splitlines())
        lines = [line for line in diff if line[:2] in ("- ", "+ ") and line[2:].strip()]
        old, new = ([text[2:].strip() for text in lines if text[0] == sign] for sign in "-+")
        return "\n".join(old), "\n".join(new)


@dataclass(frozen=True)
class Settings:
    modules: tuple[str, ...]
    also: tuple[tuple[str, list[str]], ...]
    """Tests that hold the modules of a pattern besides those that do by rule."""
    skip: tuple[str, ...]
    """Patterns of tests that are not run unless `also` names them."""
    equivalent: tuple[dict[str, str], ...]

    @classmethod
    def read(cls) -> "Settings":
        data = tomllib.loads(SETTINGS.read_text())
        return cls(
            tuple(data["modules"]),
            tuple((held["module"], held["tests"]) for held in data.get("held", ())),
            tuple(data["skip"]),
            tuple(data.get("equivalent", ())),
        )

    def is_equivalent(self, mutant: Mutant) -> bool:
        """Return whether the settings say that a change changes nothing."""
        old, new = mutant.change((ROOT / mutant.module).read_text())
        return any(
            (known["module"], known["old"]) == (mutant.module, old)
            and (known["new"] == new if "new" in known else mutant.operator.startswith(known["operator"]))
            for known in self.equivalent
        )


# — which tests hold a module —


def find_tests(module: str, settings: Settings) -> list[list[str]]:
    """Return the test files for a module, in the stages in which they are tried."""
    path = Path(module)
    room = path.parent if module.startswith("nix/") else Path("tests", *path.parent.parts[1:])
    name = path.stem if module.startswith("nix/") else ".".join(path.with_suffix("").parts)
    own = _find(room, f"test_{path.stem}*.py")
    importing = sorted(test for test, imported in imports().items() if name in imported)
    ruled = [[t for t in stage if not any(fnmatch(t, p) for p in settings.skip)] for stage in (own, importing)]
    named = [test for pattern, tests in settings.also if fnmatch(module, pattern) for test in tests]
    if not any(ruled) and not named:
        named = _find(room, "test_*.py")
    stages: list[list[str]] = []
    for stage in (*ruled, named):
        seen = {test for earlier in stages for test in earlier}
        stages.append([test for test in stage if test not in seen])
    return [stage for stage in stages if stage]


def _find(room: Path, pattern: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / room).glob(pattern))


_IMPORTS: dict[str, set[str]] = {}


def imports() -> dict[str, set[str]]:
    """Return the modules that each test file imports."""
    if not _IMPORTS:
        for folder in ("tests", "nix/builders"):
            for path in sorted((ROOT / folder).rglob("test_*.py")):
                if "stories" not in path.parts:
                    _IMPORTS[str(path.relative_to(ROOT))] = set(_imported(ast.parse(path.read_text())))
    return _IMPORTS


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# — which changes there are —


def find_mutants(module: str, seed: int, lines: Iterable[int] = ()) -> list[Mutant]:
    """Return one change for each place of a module, or of its given lines."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    source = (ROOT / module).read_text()
    annotations = list(_annotations(source))
    wanted = set(lines)
    places: dict[tuple[int, int, str], list[tuple[str, Any, int]]] = {}
    nodes = list(ast_nodes(get_ast(source)))
    for name, operator in _operators():
        positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, start in enumerate(positions):
            if not any(first <= start < last for first, last in annotations) and (not wanted or start[0] in wanted):
                kind = name.split("_")[0]
                places.setdefault((*start, kind), []).append((name, operator, occurrence))
    mutants = []
    for place, choices in sorted(places.items()):
        drawn = random.Random(f"{seed} {module} {place}").choice(choices)
        changed = mutate_code(source, drawn[1], drawn[2])
        if changed is not None and changed != source and _is_python(changed):
            mutants.append(Mutant(module, place[0], drawn[0], changed))
    return mutants


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:  # Cosmic Ray takes the `*` of a keyword-only parameter for a product
        return False
    return True


def _annotations(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where types stand, which no program runs, and what a `dataclass` forbids, which no program does.

    Lines and columns are as the parser of Cosmic Ray counts them.
    """
    text = source.splitlines()

    def at(line: int, column: int) -> tuple[int, int]:
        return line, len(text[line - 1].encode()[:column].decode())

    for node in ast.walk(ast.parse(source)):
        declared = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dataclass"
        for found in (getattr(node, "annotation", None), getattr(node, "returns", None), node if declared else None):
            if isinstance(found, ast.expr) and found.end_lineno is not None and found.end_col_offset is not None:
                yield at(found.lineno, found.col_offset), at(found.end_lineno, found.end_col_offset)


def _operators() -> list[tuple[str, Any]]:
    import cosmic_ray.plugins
    import parso.python.tree as tree
    from cosmic_ray.operators.operator import Operator

    class RemoveStatement(Operator):  # type: ignore[misc, unused-ignore]
        """Leave out a statement that does something: a `raise`, a call, a change of a value."""

        def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
            if node.type == "simple_stmt" and _acts(node.children[0]):
                yield node.start_pos, node.end_pos

        def mutate(self, node: Any, index: int) -> Any:
            gone = node.children[0]
            node.children[0] = tree.Keyword("pass", gone.start_pos, prefix=gone.get_first_leaf().prefix)
            return node

        @classmethod
        def examples(cls) -> tuple[()]:
            return ()

    class LetPass(RemoveStatement):
        """Catch one kind of exception less. Cosmic Ray's own operator for it fails at `except zipfile.BadZipFile`."""

        def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
            for caught in _caught(node):
                yield caught.start_pos, caught.end_pos

        def mutate(self, node: Any, index: int) -> Any:
            gone = _caught(node)[index]
            siblings = gone.parent.children
            siblings[siblings.index(gone)] = tree.Name("()", gone.start_pos, prefix=gone.get_first_leaf().prefix)
            return node

    found = [("RemoveStatement", RemoveStatement()), ("LetPass", LetPass())]
    for name in cosmic_ray.plugins.operator_names():
        operator = cosmic_ray.plugins.get_operator(name)
        if not operator.arguments() and not name.endswith("/ExceptionReplacer"):
            found.append((name.partition("/")[2], operator()))
    return found


def _acts(statement: Any) -> bool:
    """Tell whether a statement does something that may be left out: no return, no first value of a variable."""
    if statement.type == "expr_stmt":
        target, sign = statement.children[:2]
        return bool(target.type in ("power", "atom_expr") or getattr(sign, "value", "=") != "=")
    acting = statement.type in ("raise_stmt", "del_stmt", "atom_expr", "power", "yield_expr", "await")
    return acting or (statement.type == "keyword" and statement.value in ("raise", "yield"))


def _caught(node: Any) -> list[Any]:
    """Return what an `except` names, each exception of a tuple by itself."""
    if node.type != "except_clause":
        return []
    named = node.children[1]
    if named.type == "atom" and named.children[1].type == "testlist_comp":
        return list(named.children[1].children[::2])
    return [named]


# — trying them —


@dataclass(frozen=True)
class Outcome:
    mutant: Mutant
    result: str
    """`killed`, `hangs` (killed, as its tests did not end), or `survived`."""
    by: str = ""


class Copy:
    """A copy of the working tree, in which one mutant after the other is tried."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.temporary = folder / "tmp"
        self._writes = 0
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in os.fsdecode(listed.stdout).split("\0"):
            source = ROOT / name
            if name and (source.is_file() or source.is_symlink()):
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, self.tree / name, follow_symlinks=False)

    def write(self, module: str, text: str) -> None:
        """Write a module with a time that it never had, or Python would take the bytecode of the text before it."""
        self._writes += 1
        (self.tree / module).write_text(text)
        written = int(time.time()) + 10 * self._writes
        os.utime(self.tree / module, (written, written))

    def test(self, files: list[str], limit: float | None) -> tuple[int | None, str]:
        """Run test files until one fails. The value is pytest's exit status, None at the time limit, and its output."""
        self.temporary.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(self.tree), "TMPDIR": str(self.temporary)}
        options = [
            "-x",
            "-q",
            "-m",
            "not story",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--tb=line",
            "--no-header",
        ]
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *files],
            cwd=self.tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=limit)
                status: int | None = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, status = process.communicate()[0], None
        _remove(self.temporary)
        return status, output


def _remove(folder: Path) -> None:
    """Remove a folder, with those in it that tests made read-only."""
    for inner, _, _ in os.walk(folder):
        if not Path(inner).is_symlink():
            Path(inner).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Stage:
    files: list[str]
    limit: float


def try_unchanged(copy: Copy, module: str, settings: Settings) -> list[Stage]:
    """Run the tests of a module as it is. Returns the stages, with the time that each may take of a mutant."""
    stages = []
    for files in find_tests(module, settings):
        began = time.monotonic()
        status, output = copy.test(files, None)
        if status not in (0, 5):  # 5: none of them are for now
            raise SystemExit(f"{module}: its tests fail as it is:\n{output[-3000:]}")
        if status == 0:
            stages.append(Stage(files, 60 + SLOWER * (time.monotonic() - began)))
    return stages


def try_mutant(copy: Copy, mutant: Mutant, stages: list[Stage]) -> Outcome:
    original = (ROOT / mutant.module).read_text()
    copy.write(mutant.module, mutant.source)
    try:
        for stage in stages:
            status, output = copy.test(stage.files, stage.limit)
            if status is None:
                return Outcome(mutant, "hangs")
            if status != 0:
                failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return Outcome(mutant, "killed", failed[0] if failed else output[-300:])
    finally:
        copy.write(mutant.module, original)
    return Outcome(mutant, "survived")


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="files, or patterns of them; default: mutants.toml"
    )
    parser.add_argument("--number", type=int, default=150, help="how many to draw, 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--line", type=int, action="append", default=[], help="only changes on this line")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--least", type=float, default=95.0, help="percent to kill of those that change behaviour")
    parser.add_argument("--list", action="store_true", help="only tell what would be tried")
    parser.add_argument("--verbose", action="store_true", help="tell the test that killed each one")
    given = parser.parse_args()
    settings = Settings.read()
    patterns = given.modules or settings.modules
    sources = sorted(str(p.relative_to(ROOT)) for d in ("pycomfy", "nix/builders") for p in (ROOT / d).rglob("*.py"))
    modules = [m for m in sources if any(fnmatch(m, p) for p in patterns) and not Path(m).name.startswith("test_")]
    mutants = [mutant for module in modules for mutant in find_mutants(module, given.seed, given.line)]
    places = len(mutants)
    if given.number and given.number < places:
        drawn = random.Random(given.seed).sample(range(places), given.number)
        mutants = [mutants[i] for i in sorted(drawn)]
    print(f"{len(mutants)} mutants of {places} places in {len(modules)} modules, seed {given.seed}", flush=True)
    if given.list:
        for mutant in mutants:
            print(*_describe(mutant), sep="\n")
        return 0
    outcomes = run(mutants, settings, given.jobs, given.verbose)
    return report(outcomes, settings, given.least)


def run(mutants: list[Mutant], settings: Settings, jobs: int, verbose: bool) -> list[Outcome]:
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        copies: Queue[Copy] = Queue()
        for number in range(jobs):
            (Path(folder) / str(number)).mkdir()
            copies.put(Copy(Path(folder) / str(number)))

        def unchanged(module: str) -> list[Stage]:
            copy = copies.get()
            try:
                return try_unchanged(copy, module, settings)
            finally:
                copies.put(copy)

        def changed(mutant: Mutant) -> Outcome:
            copy = copies.get()
            try:
                outcome = try_mutant(copy, mutant, stages[mutant.module])
            finally:
                copies.put(copy)
            tried.append(outcome)
            if outcome.result != "killed" or verbose:
                print(f"{outcome.result}: {_describe(mutant)[0]} {outcome.by}", flush=True)
            if len(tried) % 20 == 0:
                print(f"{len(tried)} of {len(mutants)} are tried", flush=True)
            return outcome

        tried: list[Outcome] = []

        with ThreadPoolExecutor(jobs) as pool:
            modules = sorted({mutant.module for mutant in mutants})
            stages = dict(zip(modules, pool.map(unchanged, modules), strict=True))
            return list(pool.map(changed, mutants))


def report(outcomes: list[Outcome], settings: Settings, least: float) -> int:
    """Print who survived. Returns 1 if fewer than `least` percent of those that change behaviour were killed."""
    lived = [o.mutant for o in outcomes if o.result == "survived"]
    equivalent = [m for m in lived if settings.is_equivalent(m)]
    for mutant in lived:
        if mutant not in equivalent:
            print("", *_describe(mutant), sep="\n")
    count = len(outcomes) - len(equivalent)
    killed = len(outcomes) - len(lived)
    percent = 100 * killed / count if count else 100.0
    hanging = sum(o.result == "hangs" for o in outcomes)
    print(f"\n{killed} of {count} that change behaviour were killed: {percent:.1f} % ({hanging} of them as they hang);")
    print(f"{len(equivalent)} survivors change nothing, as {SETTINGS.relative_to(ROOT)} says")
    return int(percent < least)


def _describe(mutant: Mutant) -> tuple[str, str, str]:
    old, new = mutant.change((ROOT / mutant.module).read_text())
    return f"{mutant.module}:{mutant.line} {mutant.operator}", f"  - {old}", f"  + {new}"


if __name__ == "__main__":
    sys.exit(main())
