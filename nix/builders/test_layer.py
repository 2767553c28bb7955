"""A layer's bytes depend on its contents alone, and it is a tar that any engine reads."""

import hashlib
import json
import os
import stat
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any

import oci
from layer import members, write_layer
from member import Member, Refused, Text, arrange, safe_path, tree
from wheel import Venv

VENV = Venv("opt/venv", "3.11")


class LayerCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def layer(self, inputs: list[dict[str, Any]], name: str = "layer") -> dict[str, Any]:
        out = self.folder / name
        out.mkdir()
        made = write_layer(arrange(m for i in inputs for m in members(i, VENV)), out)
        (out / "layer.json").write_text(json.dumps({"name": name, **made}))
        return made

    def source(self, name: str, *, umask: int = 0o022, order: int = 1) -> Path:
        root = self.folder / name
        before = os.umask(umask)
        try:
            root.mkdir()
            for path in ["b/two.txt", "a.py", "b/bin/run", "ünïcode/" + "long" * 60][::order]:
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(path)
            (root / "b/bin/run").chmod(0o777 & ~umask)
            (root / "link").symlink_to("b/two.txt")
            (root / "empty").mkdir()
        finally:
            os.umask(before)
        os.utime(root / "a.py", (order, order + 1000))
        return root


class LayerTest(LayerCase):
    def test_times_umask_and_order_of_creation_change_nothing(self) -> None:
        one = self.source("one")
        two = self.source("two", umask=0o077, order=-1)
        spec = {"kind": "tree", "owner": "x", "prefix": "opt/x"}
        a = self.layer([{**spec, "path": str(one)}], "a")
        b = self.layer([{**spec, "path": str(two)}], "b")
        self.assertEqual(a["digest"], b["digest"])

    def test_the_tar_holds_what_the_folder_held(self) -> None:
        made = self.layer([{"kind": "tree", "owner": "x", "prefix": "opt/x", "path": str(self.source("s"))}])
        file = self.folder / "layer/layer.tar"
        self.assertEqual(made["digest"], "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest())
        self.assertEqual(made["size"], file.stat().st_size)
        with tarfile.open(file) as tar:
            entries = {e.name: e for e in tar}
            self.assertEqual(list(entries), sorted(entries))
            self.assertTrue(entries["opt"].isdir() and entries["opt/x/empty"].isdir())
            self.assertEqual(entries["opt/x/link"].linkname, "b/two.txt")
            self.assertEqual(stat.S_IMODE(entries["opt/x/b/bin/run"].mode), 0o755)
            self.assertEqual(stat.S_IMODE(entries["opt/x/a.py"].mode), 0o644)
            long = tar.extractfile("opt/x/ünïcode/" + "long" * 60)
            assert long is not None
            self.assertEqual(long.read().decode(), "ünïcode/" + "long" * 60)
            self.assertEqual({(e.uid, e.gid, e.mtime) for e in entries.values()}, {(0, 0, 1)})

    def test_literal_members_have_their_owner_and_mode(self) -> None:
        literal = [
            {"path": "data", "uid": 1000, "gid": 1000},
            {"path": "tmp", "mode": "1777"},
            {"path": "etc/x", "text": "hi"},
            {"path": "bin/python", "target": "/usr/bin/python3.11"},
        ]
        self.layer([{"kind": "literal", "owner": "x", "members": literal}])
        with tarfile.open(self.folder / "layer/layer.tar") as tar:
            entries = {e.name: e for e in tar}
        self.assertEqual((entries["data"].uid, entries["data"].mode), (1000, 0o755))
        self.assertEqual(entries["tmp"].mode, 0o1777)
        self.assertEqual(entries["etc/x"].mode, 0o644)
        self.assertTrue(entries["bin/python"].issym())

    def test_a_file_and_a_folder_at_one_path_are_refused(self) -> None:
        with self.assertRaisesRegex(Refused, "ships a as a file"):
            arrange([Member("a", "one", Text(b"")), Member("a/b", "two", Text(b""))])
        with self.assertRaisesRegex(Refused, "both ship a"):
            arrange([Member("a/b", "two", Text(b"")), Member("a", "one", Text(b""))])

    def test_unsafe_paths_are_refused(self) -> None:
        for path in ("", "/x", "../x", "a/../b", "a//b", "./a", "a/", "a\nb", "a\\b", ".."):
            with self.subTest(path), self.assertRaises(Refused):
                safe_path(path, "x")

    def test_a_folder_that_is_linked_is_not_walked_into(self) -> None:
        (self.folder / "real").mkdir()
        (self.folder / "real/file").write_text("x")
        root = self.folder / "root"
        root.mkdir()
        (root / "away").symlink_to(self.folder / "real")
        got = {m.path: m.target for m in tree(root, "p", "x")}
        self.assertEqual(got, {"p": None, "p/away": str(self.folder / "real")})


class ImageTest(LayerCase):
    def spec(self, *names: str) -> dict[str, Any]:
        layers = [{"name": n, "comment": f"about {n}", "path": str(self.folder / n)} for n in names]
        return {
            "name": "demo",
            "architecture": "arm64",
            "created": "2025-12-05T00:00:00Z",
            "config": {"User": "1000:1000"},
            "layers": layers,
        }

    def text_layer(self, name: str, path: str, text: str) -> None:
        self.layer([{"kind": "literal", "owner": name, "members": [{"path": path, "text": text}]}], name)

    def test_the_layout_links_its_layers_and_describes_them(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("two", "b", "2")
        out = self.folder / "oci"
        oci.write_layout(self.spec("one", "two"), out)
        index = json.loads((out / "index.json").read_text())
        blobs = out / "blobs/sha256"
        for blob in blobs.iterdir():
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)
        manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_text())
        self.assertEqual(config["architecture"], "arm64")
        self.assertEqual(config["rootfs"]["diff_ids"], [y["digest"] for y in manifest["layers"]])
        self.assertEqual([h["comment"] for h in config["history"]], ["about one", "about two"])

    def test_layers_that_ship_one_path_with_different_bytes_are_refused_by_name(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("two", "a", "2")
        with self.assertRaisesRegex(Refused, "one and two both ship a"):
            oci.write_layout(self.spec("one", "two"), self.folder / "oci")

    def test_a_file_in_one_layer_that_is_a_folder_in_another_is_refused_by_name(self) -> None:
        for names, paths in ((("one", "two"), ("a/b", "a/b/c/d")), (("three", "four"), ("a/b/c/d", "a/b"))):
            for name, path in zip(names, paths, strict=True):
                self.text_layer(name, path, "")
            with self.subTest(names), self.assertRaisesRegex(Refused, "ships a/b as a file, (two|three) as a folder"):
                oci.write_layout(self.spec(*names), self.folder / "oci")

    def test_layers_that_ship_one_path_with_equal_bytes_are_one_image(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("two", "a", "1")
        oci.write_layout(self.spec("one", "two"), self.folder / "oci")


if __name__ == "__main__":
    unittest.main()
