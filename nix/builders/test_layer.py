"""A layer's digest depends on its contents alone; it is that of a tar that any engine reads."""

import hashlib
import io
import json
import os
import stat
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any

import image_tar
from layer import members, write_layer
from layout import write_layout
from member import Member, Refused, Text, arrange, safe_path, tree
from oci import write_oci
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
        as_in_store(out)
        return made

    def tar(self, name: str = "layer") -> Path:
        """The tar of a layer's folder."""
        file = self.folder / f"{name}.tar"
        image_tar.write_layer(self.folder / name, file)
        return file

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


def as_in_store(folder: Path) -> None:
    """Take from the files of a folder what the Nix store does not keep: modes but for the run bit, and times."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444)
        os.utime(path, (1, 1), follow_symlinks=False)


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
        file = self.tar()
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
        made = self.layer([{"kind": "literal", "owner": "x", "members": literal}])
        self.assertEqual(made["exceptions"], {"data": [0o755, 1000, 1000], "tmp": [0o1777, 0, 0]})
        with tarfile.open(self.tar()) as tar:
            entries = {e.name: e for e in tar}
        self.assertEqual((entries["data"].uid, entries["data"].mode), (1000, 0o755))
        self.assertEqual(entries["tmp"].mode, 0o1777)
        self.assertEqual(entries["etc/x"].mode, 0o644)
        self.assertTrue(entries["bin/python"].issym())

    def test_a_link_has_the_mode_that_extractors_give_it(self) -> None:
        # `podman system check` calls an image damaged that has another.
        self.layer([{"kind": "literal", "owner": "x", "members": [{"path": "a", "target": "b"}]}])
        with tarfile.open(self.tar()) as tar:
            self.assertEqual(tar.getmember("a").mode, 0o777)

    def test_the_tar_of_other_files_is_refused(self) -> None:
        self.layer([{"kind": "tree", "owner": "x", "prefix": "opt/x", "path": str(self.source("s"))}])
        changed = self.folder / "layer/diff/opt/x/a.py"
        changed.chmod(0o644)
        changed.write_text("b.py")
        with self.assertRaisesRegex(ValueError, "not those of the layer sha256:"):
            self.tar()

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


def read(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    assert file is not None
    return file.read()


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

    def text_layer(self, name: str, path: str, text: str) -> dict[str, Any]:
        return self.layer([{"kind": "literal", "owner": name, "members": [{"path": path, "text": text}]}], name)

    def image(self, *names: str) -> Path:
        out = self.folder / "image"
        write_layout(self.spec(*names), out)
        return out

    def test_the_layout_links_its_layers_and_describes_them(self) -> None:
        made = [self.text_layer("one", "a", "1"), self.text_layer("two", "b", "2")]
        out = self.image("one", "two")
        index = json.loads((out / "index.json").read_text())
        blobs = out / "blobs/sha256"
        for blob in blobs.iterdir():
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)
        manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_text())
        self.assertEqual(config["architecture"], "arm64")
        self.assertEqual(config["rootfs"]["diff_ids"], [y["digest"] for y in manifest["layers"]])
        self.assertEqual([h["comment"] for h in config["history"]], ["about one", "about two"])
        self.assertEqual([y["digest"] for y in manifest["layers"]], [y["digest"] for y in made])
        for layer, name in zip(manifest["layers"], ("one", "two"), strict=True):
            self.assertEqual((out / "layers" / layer["digest"][7:]).readlink(), self.folder / name)

    def test_with_the_tars_it_is_a_whole_layout(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("two", "b", "2")
        image, out = self.image("one", "two"), self.folder / "oci"
        write_oci(image, [self.tar("one"), self.tar("two")], out)
        self.assertEqual((out / "index.json").read_bytes(), (image / "index.json").read_bytes())
        self.assertTrue((out / "oci-layout").is_file())
        names = [blob.name for blob in (out / "blobs/sha256").iterdir()]
        self.assertEqual(len(names), 4)
        for name in names:
            self.assertEqual(hashlib.sha256((out / "blobs/sha256" / name).read_bytes()).hexdigest(), name)

    def test_the_image_is_one_tar_with_every_blob(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("same", "a", "1")
        image = image_tar.read_image(self.image("one", "same"))
        out = io.BytesIO()
        image_tar.write_image(image, "localhost/x:latest", out)
        out.seek(0)
        with tarfile.open(fileobj=out) as tar:
            content = {entry.name: read(tar, entry) for entry in tar}
        (listing,) = json.loads(content["manifest.json"])
        self.assertEqual(listing["RepoTags"], ["localhost/x:latest"])
        self.assertEqual(len(listing["Layers"]), 2)
        blobs = {name: data for name, data in content.items() if name.startswith("blobs/")}
        self.assertEqual(set(blobs), {listing["Config"], *listing["Layers"], f"blobs/sha256/{image.manifest[7:]}"})
        for name, data in blobs.items():
            self.assertEqual(hashlib.sha256(data).hexdigest(), name.rpartition("/")[2])

    def test_layers_that_ship_one_path_with_different_bytes_are_refused_by_name(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("two", "a", "2")
        with self.assertRaisesRegex(Refused, "one and two both ship a"):
            self.image("one", "two")

    def test_a_file_in_one_layer_that_is_a_folder_in_another_is_refused_by_name(self) -> None:
        for names, paths in ((("one", "two"), ("a/b", "a/b/c/d")), (("three", "four"), ("a/b/c/d", "a/b"))):
            for name, path in zip(names, paths, strict=True):
                self.text_layer(name, path, "")
            with self.subTest(names), self.assertRaisesRegex(Refused, "ships a/b as a file, (two|three) as a folder"):
                self.image(*names)

    def test_layers_that_ship_one_path_with_equal_bytes_are_one_image(self) -> None:
        self.text_layer("one", "a", "1")
        self.text_layer("two", "a", "1")
        self.image("one", "two")


if __name__ == "__main__":
    unittest.main()
