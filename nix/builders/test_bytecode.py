"""Bytecode depends on the source and its place, and on nothing else in the process that makes it."""

import ast
import importlib.util
import inspect
import json
import marshal
import random
import subprocess
import sys
import unittest
from pathlib import Path

from bytecode import cache_path, compile_source, with_bytecode
from member import Member, Text, read

SOURCES = [Path(inspect.getfile(m)) for m in (ast, json, random, subprocess, inspect, unittest.case)]


class BytecodeTest(unittest.TestCase):
    def test_it_is_the_same_in_any_process_in_any_order(self) -> None:
        program = (
            "import sys, hashlib, random, pathlib; sys.path.insert(0, sys.argv[1])\n"
            "from bytecode import compile_source\n"
            "files = sys.argv[3:]; random.Random(int(sys.argv[2])).shuffle(files)\n"
            "out = {f: hashlib.sha256(compile_source(pathlib.Path(f).read_bytes(), f)).hexdigest() for f in files}\n"
            "print(sorted(out.items()))"
        )
        here = str(Path(__file__).parent)
        answers = {
            subprocess.run(
                [sys.executable, *extra, "-c", program, here, str(seed), *map(str, SOURCES)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for seed, extra in ((1, []), (2, ["-E", "-s", "-S", "-B"]), (3, ["-X", "importtime", "-I"]))
        }
        self.assertEqual(len(answers), 1)

    def test_who_else_uses_a_string_changes_nothing(self) -> None:
        """Plain CPython before 3.11 failed this: a reference elsewhere made marshal write a shared object."""
        source = b"name_nobody_uses = {'some_constant', 'b', 'c'}\ndef f(argument_x): return ('nested_y', argument_x)\n"
        before = compile_source(source, "/opt/f.py")
        users = [sys.intern(name) for name in ("name_nobody_uses", "some_constant", "argument_x", "nested_y")]
        self.assertEqual(before, compile_source(source, "/opt/f.py"))
        self.assertEqual(len(users), 4)

    def test_who_else_interned_a_character_changes_nothing(self) -> None:
        """Paths such as /usr/bin/[ did so, before or after a source was compiled."""
        source = b"brackets = '[', '\xc3\xa9'\n"
        before = compile_source(source, "/opt/f.py")
        users = [sys.intern(name) for name in ("[", "\xe9")]
        self.assertEqual(before, compile_source(source, "/opt/f.py"))
        self.assertEqual(len(users), 2)

    def test_python_loads_it_without_looking_at_the_source(self) -> None:
        data = compile_source(b"answer = 42\n", "/opt/x.py")
        assert data is not None
        self.assertEqual(data[:4], importlib.util.MAGIC_NUMBER)
        self.assertEqual(data[4:8], b"\x01\0\0\0")
        scope: dict[str, object] = {}
        exec(marshal.loads(data[16:]), scope)
        self.assertEqual(scope["answer"], 42)

    def test_a_source_that_does_not_compile_has_none(self) -> None:
        for source in (b"print 'two'", b"\0", b"# coding: nonsense\n", b"(" * 10_000):
            with self.subTest(source[:20]):
                self.assertIsNone(compile_source(source, "x.py"))

    def test_members_get_theirs_beside_them_except_in_tests_and_shipped_ones_are_left_out(self) -> None:
        members = [
            Member("a/x.py", "o", Text(b"1")),
            Member("a/__pycache__/x.cpython-39.pyc", "o", Text(b"?")),
            Member("a/y.txt", "o", Text(b"")),
            Member("a/tests/test_x.py", "o", Text(b"2")),
        ]
        got = {m.path: m for m in with_bytecode(members)}
        self.assertEqual(set(got), {"a/x.py", "a/y.txt", cache_path("a/x.py"), "a/tests/test_x.py"})
        content = got["a/x.py"].content
        assert content is not None
        self.assertEqual(read(content), b"1")


if __name__ == "__main__":
    unittest.main()
