from typing import Any, ClassVar, Literal

import pytest
from pydantic import ValidationError

from pycomfy.adapters.sources.kinds import adapter_for_spec
from pycomfy.core.lockfile.schema import Pack
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.kinds import parse_source, register_kind, spec_types
from pycomfy.core.sources.lock_source import FileSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.source_spec import SourceSpec

TREE = "sha256-" + "A" * 43 + "="


class ZipSpec(SourceSpec):
    key: ClassVar[str] = "zip"

    zip: str


class ZipSource(FileSource):
    kind: Literal["zip"] = "zip"

    def describe(self) -> str:
        return f"the zip file {self.url}"

    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        return {"zip": self.url}


def test_what_a_kind_does_not_define_has_an_answer() -> None:
    source = ZipSource(url="https://x.test/x.zip", sha256="ab" * 32, name="x.zip")
    assert source.pin == "abababababab of https://x.test/x.zip" and source.origin == source.address == source.url
    assert source.portable == "the zip file https://x.test/x.zip, which only pycomfy knows"
    assert (source.local_path, source.manual_origin, source.repository, source.download_size) == (None,) * 4
    assert source.relocated(str.upper) is source and source.config_files("x") == {}
    assert source.fixed_output("pack").name == "x.zip" and not source.fixed_output("pack").recursive
    spec = ZipSpec(zip="x")
    assert (spec.repository_url, spec.registry_id, spec.at_revision("v1")) == (None,) * 3
    assert spec.held_at(source) is spec


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"kind": "zip"}, "unknown kind of source 'zip': this pycomfy knows git, path, url, wheel-tree"),
        ({}, "unknown kind of source: this pycomfy knows"),
        ("git", "unknown kind of source: this pycomfy knows"),
        ({"kind": ["git"]}, "unknown kind of source"),
        ({"kind": "path", "path": "x"}, "tree"),
        ({"kind": "path", "path": "x", "tree": TREE, "url": "x"}, "Extra inputs"),
    ],
)
def test_what_is_no_source_is_refused_with_the_reason(value: object, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as e:
        Pack.model_validate({"name": "x", "source": value})
    assert all(error["loc"][0] == "source" for error in e.value.errors())


def test_a_registered_kind_is_read_and_written_until_it_is_taken_out() -> None:
    undo = register_kind(ZipSpec, ZipSource)
    table = {"kind": "zip", "url": "https://x.test/x.zip", "sha256": "a" * 64, "name": "x.zip"}
    try:
        pack = Pack.model_validate({"name": "x", "source": table})
        assert isinstance(pack.source, ZipSource) and pack.model_dump()["source"] == table
    finally:
        undo()
    with pytest.raises(Exception, match="unknown kind"):
        parse_source(table)


def test_kinds_that_could_be_taken_for_one_another_are_refused() -> None:
    class Ambiguous(SourceSpec):
        key: ClassVar[str] = "mirror"
        mirror: str
        path: str

    class Nameless(FileSource):
        def describe(self) -> str:
            return ""

        def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
            return {}

    class Impostor(PathSource):
        pass

    before = spec_types()
    with pytest.raises(ValueError, match="another kind of source has the key mirror"):
        register_kind(Ambiguous, ZipSource)
    with pytest.raises(ValueError, match="another kind of source is called path"):
        register_kind(ZipSpec, Impostor)
    with pytest.raises(ValueError, match=r"Nameless\.kind has no default"):
        register_kind(ZipSpec, Nameless)
    assert spec_types() == before


def test_a_kind_may_have_the_lock_part_of_another() -> None:
    undo = register_kind(ZipSpec, GitSource)
    undo()
    assert isinstance(parse_source({"kind": "git", "url": "x", "commit": "a" * 40, "tree": TREE}), GitSource)


def test_every_kind_has_both_halves() -> None:
    assert [adapter_for_spec(spec.model_construct()).spec_type for spec in spec_types()] == list(spec_types())
