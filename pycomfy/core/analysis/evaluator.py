"""Evaluate Python source without running it: just enough to see which names a module binds to which nodes.

Everything is bounded: source size, depth, steps, the size of values. A value that cannot be determined is `UNKNOWN`.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence

from pycomfy.core.analysis.evaluator_imports import bind_import
from pycomfy.core.analysis.evaluator_values import (
    ITEMS_PER_STEP,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_STEPS,
    MAX_TEXT,
    UNKNOWN,
    Class,
    Dict,
    Function,
    ModelFiles,
    Module,
    Trees,
    Value,
    bind,
    concatenate,
    merge,
    statements,
)

LISTS_MODELS = "get_filename_list"
"""The function of ComfyUI's `folder_paths` that lists the files in a model folder."""


class SourceEvaluator:
    """A folder of Python files, each evaluated when it is first needed."""

    def __init__(self, files: Mapping[str, str], trees: Trees | None = None) -> None:
        """`trees` are those of the files, if others use them too."""
        self._files = files
        self._trees = trees if trees is not None else Trees(files)
        self._modules: dict[str, Module] = {}
        self._steps = MAX_STEPS
        self._depth = 0

    def module(self, path: str) -> Module | None:
        """Return the file at `path` with its global names; None if there is no such file."""
        if path not in self._files:
            return None
        module = self._modules.get(path)
        if module is None:
            module = self._modules[path] = Module(path, self._trees.tree(path))
        if not module.evaluated and self._depth < MAX_DEPTH:
            module.evaluated = True
            self._depth += 1
            try:
                if module.tree is not None:
                    self._run(module.tree.body, module, module.names)
            finally:
                self._depth -= 1
        return module

    def result(self, function: Function) -> Value:
        """Return the value of a function without arguments: that of the first `return` that is known."""
        names = self.names(function)
        for statement in statements(function.body.body):
            if isinstance(statement, ast.Return) and statement.value is not None:
                value = self.evaluate(statement.value, function.module, names)
                if value is not UNKNOWN:
                    return value
        return UNKNOWN

    def names(self, function: Function) -> dict[str, object]:
        """Return the local names of a function that is called without arguments."""
        names: dict[str, object] = {}
        self._run(function.body.body, function.module, names)
        return names

    def attribute(self, class_: Class, name: str) -> Value:
        """Return a class attribute or method, looked up through the bases that are in the files."""
        for part in self.lineage(class_):
            names: dict[str, object] = {}
            self._run(part.body.body, part.module, names)
            if name in names:
                return names[name]
        return UNKNOWN

    def lineage(self, class_: Class) -> Iterator[Class]:
        """Yield the class and its bases, depth first, each once even if the bases form a cycle; at most 200."""
        seen: set[int] = set()
        waiting = [class_]
        while waiting and len(seen) < 200:
            part = waiting.pop()
            if id(part.body) in seen:
                continue
            seen.add(id(part.body))
            yield part
            bases = [self.evaluate(b, part.module, {}) for b in part.body.bases]
            waiting.extend(b for b in reversed(bases) if isinstance(b, Class))

    def evaluate(self, node: ast.expr, module: Module, local: dict[str, object]) -> Value:
        """Return the value of an expression, or UNKNOWN."""
        self._steps -= 1
        if self._steps < 0 or self._depth > MAX_DEPTH:
            return UNKNOWN
        self._depth += 1
        try:
            return self._evaluate(node, module, local)
        finally:
            self._depth -= 1

    def _evaluate(self, node: ast.expr, module: Module, local: dict[str, object]) -> Value:
        match node:
            case ast.Constant(value=str() | int() as value):
                return value[:MAX_TEXT] if isinstance(value, str) else value
            case ast.Name(id=name):
                return local.get(name, module.names.get(name, UNKNOWN))
            case ast.Attribute(value=owner, attr=name):
                return self._attribute_of(self.evaluate(owner, module, local), name)
            case ast.Dict():
                return self._dict(node, module, local)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return self._items(items, module, local)
            case ast.BinOp(left=left, op=ast.Add() | ast.BitOr(), right=right):
                one, other = self.evaluate(left, module, local), self.evaluate(right, module, local)
                self._charge(one)
                self._charge(other)
                return concatenate(one, other)
            case ast.JoinedStr(values=parts):
                return self._text(parts, module, local)
            case ast.Subscript(value=owner, slice=key):
                holder, index = self.evaluate(owner, module, local), self.evaluate(key, module, local)
                if isinstance(holder, Dict) and isinstance(index, str):
                    return holder.items.get(index, UNKNOWN)
                return UNKNOWN
            case ast.DictComp() | ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return self._comprehension(node, module, local)
            case ast.Call():
                return self._call(node, module, local)
            case ast.Await(value=value):
                return self.evaluate(value, module, local)
            case _:
                return UNKNOWN

    def _attribute_of(self, owner: Value, name: str) -> Value:
        if isinstance(owner, Module):
            return owner.names.get(name, UNKNOWN)
        if isinstance(owner, Class):
            if name == "__name__":
                return owner.body.name
            return self.attribute(owner, name)
        return UNKNOWN

    def _dict(self, node: ast.Dict, module: Module, local: dict[str, object]) -> Dict:
        result = Dict()
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                merged = self.evaluate(value, module, local)
                self._charge(merged)
                merge(result, merged)
                continue
            name = self.evaluate(key, module, local)
            if isinstance(name, str) and len(result.items) < MAX_ITEMS:
                result.items[name] = self.evaluate(value, module, local)
            else:
                result.partial = True
        return result

    def _items(self, nodes: Sequence[ast.expr], module: Module, local: dict[str, object]) -> list[Value]:
        items: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self.evaluate(node.value, module, local)
                # Names of files among others: what stands for them is the folder.
                items.extend(
                    value if isinstance(value, list) else [value if isinstance(value, ModelFiles) else UNKNOWN]
                )
            else:
                items.append(self.evaluate(node, module, local))
            if len(items) > MAX_ITEMS:
                return items[:MAX_ITEMS]
        return items

    def _text(self, parts: Sequence[ast.expr], module: Module, local: dict[str, object]) -> Value:
        texts = [self.evaluate(p.value if isinstance(p, ast.FormattedValue) else p, module, local) for p in parts[:50]]
        if all(isinstance(t, (str, int)) for t in texts):
            return "".join(str(t) for t in texts)[:MAX_TEXT]
        return UNKNOWN

    def _comprehension(
        self,
        node: ast.DictComp | ast.ListComp | ast.SetComp | ast.GeneratorExp,
        module: Module,
        local: dict[str, object],
    ) -> Value:
        """The value of a comprehension over one known list, without conditions; some names of files are files."""
        first = node.generators[0]
        if isinstance(node, ast.ListComp) and isinstance(node.elt, ast.Name) and isinstance(first.target, ast.Name):
            listed = self.evaluate(first.iter, module, local)
            if isinstance(listed, ModelFiles):
                return listed if node.elt.id == first.target.id and len(node.generators) == 1 else UNKNOWN
        if len(node.generators) != 1 or node.generators[0].ifs:
            return Dict(partial=True) if isinstance(node, ast.DictComp) else UNKNOWN
        generator = node.generators[0]
        over = self.evaluate(generator.iter, module, local)
        if isinstance(over, Dict):
            over = list(over.items)
        if not isinstance(over, list):
            return Dict(partial=True) if isinstance(node, ast.DictComp) else UNKNOWN
        result, items = Dict(), []
        for item in over[:MAX_ITEMS]:
            inner = {**local}
            bind(generator.target, item, inner)
            if isinstance(node, ast.DictComp):
                key = self.evaluate(node.key, module, inner)
                if isinstance(key, str):
                    result.items[key] = self.evaluate(node.value, module, inner)
                else:
                    result.partial = True
            else:
                items.append(self.evaluate(node.elt, module, inner))
        return result if isinstance(node, ast.DictComp) else items

    def _call(self, node: ast.Call, module: Module, local: dict[str, object]) -> Value:
        """The value of `dict(…)`, `list(…)`, `X.items()`, `X.copy()`, `folder_paths.get_filename_list(…)`, and of
        functions of the files without arguments."""
        func = node.func
        if isinstance(func, ast.Name) and func.id == "dict":
            result = Dict()
            for argument in node.args:
                merge(result, self.evaluate(argument, module, local))
            for keyword in node.keywords:
                value = self.evaluate(keyword.value, module, local)
                if keyword.arg is None:
                    merge(result, value)
                else:
                    result.items[keyword.arg] = value
            return result
        if isinstance(func, ast.Name) and func.id in ("list", "tuple", "set", "sorted") and len(node.args) == 1:
            value = self.evaluate(node.args[0], module, local)
            if isinstance(value, Dict):
                return list(value.items)
            return value if isinstance(value, (list, ModelFiles)) else UNKNOWN
        if isinstance(func, ast.Attribute) and func.attr == LISTS_MODELS and len(node.args) == 1:
            folder = self.evaluate(node.args[0], module, local)
            return ModelFiles(folder) if isinstance(folder, str) else UNKNOWN
        if isinstance(func, ast.Attribute) and not node.args:
            owner = self.evaluate(func.value, module, local)
            if isinstance(owner, Dict):
                return self._view(owner, func.attr)
        if not node.args and not node.keywords:
            called = self.evaluate(func, module, local)
            if isinstance(called, Function):
                return self.result(called)
        return UNKNOWN

    def _view(self, owner: Dict, method: str) -> Value:
        self._charge(owner)
        match method:
            case "copy":
                return owner
            case "items":
                return [[key, value] for key, value in owner.items.items()]
            case "keys":
                return list(owner.items)
            case "values":
                return list(owner.items.values())
            case _:
                return UNKNOWN

    def _charge(self, value: Value) -> None:
        """Count what it takes to copy a value."""
        size = len(value.items) if isinstance(value, Dict) else len(value) if isinstance(value, list) else 0
        self._steps -= size // ITEMS_PER_STEP

    def _run(self, body: Sequence[ast.stmt], module: Module, names: dict[str, object]) -> None:
        """Bind what the statements bind, in order, in both branches of every condition."""
        local = {} if names is module.names else names
        for statement in statements(body):
            self._steps -= 1
            if self._steps < 0:
                return
            match statement:
                case ast.ClassDef(name=name):
                    names[name] = Class(module, statement)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    names[name] = Function(module, statement)
                case ast.Assign(targets=targets, value=value):
                    result = self.evaluate(value, module, local)
                    for target in targets:
                        self._assign(target, result, module, names)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign(target, self.evaluate(value, module, local), module, names)
                case ast.AugAssign(target=ast.Name(id=name), value=value):
                    names[name] = concatenate(names.get(name, UNKNOWN), self.evaluate(value, module, local))
                case ast.ImportFrom():
                    bind_import(statement, module, names, self.module)
                case ast.Expr(value=ast.Call() as call):
                    self._mutate(call, module, names, local)
                case ast.For(target=target, iter=over):
                    self._loop(statement, self.evaluate(over, module, local), module, names)

    def _assign(self, target: ast.expr, value: Value, module: Module, names: dict[str, object]) -> None:
        if isinstance(target, ast.Subscript):
            holder = self.evaluate(target.value, module, names)
            key = self.evaluate(target.slice, module, names)
            if isinstance(holder, Dict):
                if isinstance(key, str) and len(holder.items) < MAX_ITEMS:
                    holder.items[key] = value
                else:
                    holder.partial = True
            return
        bind(target, value, names)

    def _mutate(self, call: ast.Call, module: Module, names: dict[str, object], local: dict[str, object]) -> None:
        """Apply `X.update(…)`, `X.append(…)`, `X.extend(…)`."""
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("update", "append", "extend"):
            return
        holder = self.evaluate(call.func.value, module, names)
        arguments = [self.evaluate(a, module, local) for a in call.args]
        if isinstance(holder, Dict) and call.func.attr == "update":
            for value in arguments:
                merge(holder, value)
            for keyword in call.keywords:
                value = self.evaluate(keyword.value, module, local)
                merge(holder, value if keyword.arg is None else Dict({keyword.arg: value}))
        elif isinstance(holder, list) and arguments and len(holder) < MAX_ITEMS:
            if call.func.attr == "append":
                holder.append(arguments[0])
            elif isinstance(arguments[0], list):
                holder.extend(arguments[0][:MAX_ITEMS])

    def _loop(self, loop: ast.For, over: Value, module: Module, names: dict[str, object]) -> None:
        """Run a loop over a known list item by item; over anything else once, with an unknown item."""
        items = list(over.items) if isinstance(over, Dict) else over if isinstance(over, list) else [UNKNOWN]
        for item in items[:MAX_ITEMS]:
            if self._steps < 0 or self._depth > MAX_DEPTH:
                return
            self._depth += 1
            try:
                bind(loop.target, item, names)
                self._run(loop.body, module, names)
            finally:
                self._depth -= 1
