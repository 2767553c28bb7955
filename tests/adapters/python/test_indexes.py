"""Where packages come from: indexes and folders of wheels of one's own, and what the environment says."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.python.resolver import compile_pylock
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.lockfile.package_indexes import PackageIndex as Own
from pycomfy.core.python.wheel_selection import choose_wheels, undated_wheels
from pycomfy.errors import NetworkError, ResolutionImpossible
from tests.support.package_index import Index, make_wheel, serve
from tests.support.resolution import AMD64, AS_OF, no_cache, wants


@pytest.fixture
def other() -> Iterator[Index]:
    with serve() as index:
        yield index


def ask(*lines: str, index_config: IndexConfig = DEFAULT_INDEXES, cache: Path | None = None) -> list[str]:
    question = ResolutionRequest([wants("pack a", *lines)], AMD64, AS_OF, index_config=index_config)
    wheels = choose_wheels(compile_pylock(question, cache or no_cache()), "linux/amd64", "3.11")
    return [f"{w.name} {w.version} {'local' if w.url.startswith('file:') else w.url.split('/')[2]}" for w in wheels]


def host(index: Index) -> str:
    return index.url.removesuffix("/simple").rpartition("@")[2].removeprefix("http://")


def folder_of_wheels(folder: Path, *names: str, needs: tuple[str, ...] = ()) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        package, version = name.split("-")[:2]
        (folder / name).write_bytes(make_wheel(package, version, needs, []))
    return folder


def test_an_index_of_ones_own_goes_before_the_default_one(index: Index, other: Index) -> None:
    index.add("x", "2.0")
    index.add("y", "1.0")
    other.add("x", "1.0")
    assert ask("x", "y", index_config=IndexConfig((Own("ours", other.url),))) == [
        f"x 1.0 {host(other)}",
        f"y 1.0 {host(index)}",
    ]


def test_a_package_named_for_an_index_comes_from_there_alone(index: Index, other: Index) -> None:
    index.add("ours", "9.0")
    index.add("lib", "1.0", needs=["ours"])
    index.add("x", "1.0")
    other.add("x", "9.0")
    index_config = IndexConfig((Own("company", other.url, ("ours",)),))
    # Nothing there yet: the public one of that name is no substitute, also where another package brings it along.
    for line in ("ours", "lib"):
        with pytest.raises(ResolutionImpossible, match="ours"):
            ask(line, index_config=index_config)
    other.add("ours", "1.0")
    for line in ("ours", "lib"):
        assert f"ours 1.0 {host(other)}" in ask(line, "x", index_config=index_config)
    assert f"x 1.0 {host(index)}" in ask("ours", "x", index_config=index_config)
    assert "ours" not in index.asked and {"lib", "x"} <= set(index.asked)
    assert set(other.asked) == {"ours"}


def test_what_a_package_of_ones_own_brings_along_is_private_too(index: Index, other: Index) -> None:
    index.add("lib", "1.0", needs=["ours>=1"])
    other.add("ours", "2.0", needs=["secret-core>=1", "x"])
    other.add("secret-core", "1.5")
    index.add("x", "1.0")
    index_config = IndexConfig((Own("company", other.url, ("ours", "secret-core", "unused")),))
    assert sorted(ask("lib", index_config=index_config)) == [
        f"lib 1.0 {host(index)}",
        f"ours 2.0 {host(other)}",
        f"secret-core 1.5 {host(other)}",
        f"x 1.0 {host(index)}",
    ]
    assert set(index.asked) == {"lib", "x"} and set(other.asked) == {"ours", "secret-core"}


def test_a_private_package_that_no_platform_of_ours_needs_is_not_installed(index: Index, other: Index) -> None:
    index.add("lib", "1.0", needs=["ours; sys_platform == 'win32'"])
    index.add("ours", "9.0")
    other.add("ours", "1.0")
    index_config = IndexConfig((Own("company", other.url, ("ours",)),))
    assert ask("lib", index_config=index_config) == [f"lib 1.0 {host(index)}"]
    assert "ours" not in index.asked


def test_an_override_of_a_private_package_stays_with_its_index(index: Index, other: Index) -> None:
    index.add("lib", "1.0", needs=["ours"])
    index.add("ours", "1.0")
    other.add("ours", "1.0")
    other.add("ours", "2.0")
    index_config = IndexConfig((Own("company", other.url, ("ours",)),))
    question = ResolutionRequest(
        [wants("pack a", "lib")], AMD64, AS_OF, overrides=["ours==1.0"], index_config=index_config
    )
    wheels = choose_wheels(compile_pylock(question, no_cache()), "linux/amd64", "3.11")
    assert [(w.version, w.url.split("/")[2]) for w in wheels if w.name == "ours"] == [("1.0", host(other))]
    assert "ours" not in index.asked


def test_a_conflict_over_a_private_package_asks_no_other_index_for_it(index: Index, other: Index) -> None:
    index.add("lib", "1.0", needs=["ours>=2"])
    index.add("ours", "2.0")
    other.add("ours", "1.0")
    index_config = IndexConfig((Own("company", other.url, ("ours",)),))
    with pytest.raises(ResolutionImpossible, match="ours"):
        ask("lib", "ours<2", index_config=index_config)
    assert "ours" not in index.asked


def test_what_an_index_without_packages_has_no_later_one_is_asked_for(index: Index, other: Index) -> None:
    index.add("ours", "9.0")
    index.add("lib", "1.0", needs=["ours"])
    other.add("ours", "1.0")
    config = IndexConfig((Own("ours", other.url),))
    assert f"ours 1.0 {host(other)}" in ask("lib", index_config=config)
    assert index.asked == ["lib"]


def test_an_index_is_not_asked_for_what_no_platform_of_ours_needs(index: Index, other: Index) -> None:
    index.add("x", "1.0")
    index_config = IndexConfig((Own("company", other.url, ("ours",)),))
    assert ask("x", "ours; sys_platform == 'win32'", index_config=index_config) == [f"x 1.0 {host(index)}"]
    assert other.asked == []


def test_an_index_without_dates_says_so(index: Index, other: Index) -> None:
    other.add("ours", "1.0", uploaded=None)
    index_config = IndexConfig((Own("company", other.url, ("ours",)),))
    with pytest.raises(ResolutionImpossible) as e:
        ask("ours", index_config=index_config)
    assert "dated = false" in e.value.fix
    pylock = compile_pylock(
        ResolutionRequest(
            [wants("a", "ours")],
            AMD64,
            AS_OF,
            index_config=IndexConfig((replace(index_config.indexes[0], dated=False),)),
        ),
        no_cache(),
    )
    wheels = choose_wheels(pylock, "linux/amd64", "3.11")
    assert undated_wheels(pylock, wheels) == list(wheels)


def test_a_folder_of_wheels_is_an_index(index: Index, tmp_path: Path) -> None:
    index.add("x", "1.0")
    folder = folder_of_wheels(tmp_path / "a folder", "x-2.0-py3-none-any.whl")
    index_config = IndexConfig(find_links=(str(folder),))
    assert ask("x", index_config=index_config) == ["x 2.0 local"]
    folder_of_wheels(folder, "x-3.0-py3-none-any.whl")
    assert ask("x", index_config=index_config, cache=tmp_path / "answers") == ["x 3.0 local"]
    (folder / "x-3.0-py3-none-any.whl").unlink()
    assert ask("x", index_config=index_config, cache=tmp_path / "answers") == ["x 2.0 local"]


def test_hostile_file_names_in_a_folder_of_wheels_are_no_wheels(index: Index, tmp_path: Path) -> None:
    index.add("x", "1.0")
    folder = folder_of_wheels(tmp_path / "wheels", "x-0.5-py3-none-any.whl")
    for name in (
        "x-9.0-py3-none-any.whl\n",
        "x-9.0-$(id)-none-any.whl",
        "-x-9.0-py3-none-any.whl",
        "x-9.0.whl",
        "é.whl",
    ):
        (folder / name).write_bytes(b"")
    (folder / "x-9.1-py3-none-any.whl").symlink_to("/etc/passwd")
    (folder / "x-9.2-py3-none-any.whl").mkdir()
    with pytest.raises((ResolutionImpossible, NetworkError)):
        ask("x", index_config=IndexConfig(find_links=(str(folder),)))
    (folder / "x-9.1-py3-none-any.whl").unlink()
    (folder / "x-9.2-py3-none-any.whl").rmdir()
    assert ask("x", index_config=IndexConfig(find_links=(str(folder),))) == [f"x 1.0 {host(index)}"]


def test_pips_variables_name_indexes(index: Index, other: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add("x", "1.0")
    other.add("y", "1.0")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    assert ask("x") == [f"x 1.0 {host(index)}"]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", other.url)
    assert ask("x", "y") == [f"x 1.0 {host(index)}", f"y 1.0 {host(other)}"]
    monkeypatch.setenv("UV_DEFAULT_INDEX", other.url)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL")
    assert ask("y") == [f"y 1.0 {host(other)}"]


def test_a_folder_that_the_environment_names_is_asked_last(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("x", "1.0")
    folder = folder_of_wheels(tmp_path / "wheels", "x-2.0-py3-none-any.whl", "mine-1.0-py3-none-any.whl")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    assert ask("x") == [f"x 1.0 {host(index)}"]
    assert "mine 1.0 local" in ask("mine")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert ask("x") == ["x 2.0 local"]


def test_an_index_strategy_of_the_machine_does_not_choose(
    index: Index, other: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("x", "2.0")
    other.add("x", "1.0")
    monkeypatch.setenv("UV_INDEX_STRATEGY", "unsafe-best-match")
    assert ask("x", index_config=IndexConfig((Own("ours", other.url),))) == [f"x 1.0 {host(other)}"]


def test_a_login_is_used_and_not_told(index: Index, capfd: pytest.CaptureFixture[str]) -> None:
    with serve("s3cret/%40") as private:
        url = private.url.replace("s3cret/%40", "s3cret%2F%2540")
        private.add("ours", "1.0")
        for packages in ((), ("ours",)):
            assert ask("ours", index_config=IndexConfig((Own("c", url, packages),))) == ["ours 1.0 " + host(private)]
            wrong = Own("c", url.replace("s3cret", "wr0ng"), packages)
            assert "wr0ng" not in repr(IndexConfig((wrong,)))
            with pytest.raises((NetworkError, ResolutionImpossible)) as e:
                ask("ours", index_config=IndexConfig((wrong,)))
            assert "wr0ng" not in str(e.value)
    assert "s3cret" not in capfd.readouterr().err


def test_a_login_in_netrc_is_used(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("s3cret") as private:
        private.add("ours", "1.0")
        bare = f"http://{host(private)}/simple"
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        assert ask("ours", index_config=IndexConfig((Own("c", bare, ("ours",)),))) == [f"ours 1.0 {host(private)}"]


def test_a_page_of_hostile_links_gives_no_file_of_this_disk(index: Index, tmp_path: Path) -> None:
    data = make_wheel("x", "9.0", [], [])
    secret = tmp_path / "x-9.0-py3-none-any.whl"
    secret.write_bytes(data)
    index.add("x", "1.0")
    for number, url in enumerate([secret.as_uri(), str(secret), "../" * 20 + str(secret), "javascript:1", "data:,x"]):
        name = f"x-9.{number}-py3-none-any.whl"
        index.files["x"][name] = {
            "filename": name,
            "url": url,
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "upload-time": "2025-01-01T00:00:00Z",
        }
    with contextlib.suppress(ResolutionImpossible, NetworkError):
        assert ask("x") == [f"x 1.0 {host(index)}"]


def test_a_huge_page_is_read(index: Index) -> None:
    for number in range(20_000):
        name = f"x-1.{number}-py3-none-any.whl"
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        index.files.setdefault("x", {})[name] = {
            "filename": name,
            "url": f"../../files/{name}",
            "hashes": {"sha256": digest},
            "upload-time": "2030-01-01T00:00:00Z" if number else "2025-01-01T00:00:00Z",
            "size": 1,
        }
    index.add("x", "1.0")
    assert ask("x<=1.0") == [f"x 1.0 {host(index)}"]


def test_an_index_config_may_have_an_environment_of_its_own(index: Index, other: Index) -> None:
    index.add("x", "1.0")
    other.add("x", "2.0")
    environment = {**os.environ, "UV_DEFAULT_INDEX": other.url}
    assert ask("x") == [f"x 1.0 {host(index)}"]
    assert ask("x", index_config=IndexConfig(environment=environment)) == [f"x 2.0 {host(other)}"]
