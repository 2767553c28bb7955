"""The hooks of a build backend are called as PEP 517 says, and what is lacking is told in a line."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import hooks

BACKEND = """
import sys
class inner:
    @staticmethod
    def get_requires_for_build_wheel(settings):
        return ASKS
    @staticmethod
    def build_wheel(folder, settings, metadata):
        assert (settings, metadata, sys.argv[1:]) == (None, None, [])
        open(folder + "/made", "w").write(__file__)
"""


class HooksTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_hooks(self, backend: str, asks: list[str], system: str = "") -> "subprocess.CompletedProcess[str]":
        (self.folder / "own").mkdir()
        (self.folder / "own" / "the_backend.py").write_text(f"ASKS = {asks!r}\n{backend}")
        (self.folder / "pyproject.toml").write_text(
            system or '[build-system]\nbuild-backend = "the_backend:inner"\nbackend-path = ["own"]\n'
        )
        command = [sys.executable, "-B", hooks.__file__, str(self.folder)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def test_the_backend_is_found_beside_the_source_and_called(self) -> None:
        done = self.run_hooks(BACKEND, [])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual((self.folder / "made").read_text(), str(self.folder / "own" / "the_backend.py"))

    def test_what_a_build_asks_for_is_told_unless_it_is_there(self) -> None:
        done = self.run_hooks(BACKEND, ["no-such-package[x]>=2", 'no-such-other; python_version < "3"'])
        self.assertEqual((done.returncode, done.stderr), (1, 'pycomfy needs: ["no-such-package[x]>=2"]\n'))
        self.assertFalse((self.folder / "made").exists())

    def test_a_backend_that_is_not_there_is_named(self) -> None:
        done = self.run_hooks(BACKEND, [], '[build-system]\nbuild-backend = "nowhere.at.all"\n')
        self.assertIn("pycomfy: the build backend nowhere.at.all cannot be imported", done.stderr)

    def test_without_pyproject_it_is_setuptools(self) -> None:
        self.assertEqual(hooks.backend_of(self.folder), (hooks.LEGACY, []))


if __name__ == "__main__":
    unittest.main()
