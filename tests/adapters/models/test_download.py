import contextlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.download import fetch_unknown, pull_models
from pycomfy.adapters.models.hubs import find_hubs
from pycomfy.adapters.models.store import ModelStore
from pycomfy.core.lockfile.schema import CivitaiModel, HuggingFaceModel, ModelFile, UrlModel
from pycomfy.errors import (
    BadInput,
    ErrorGroup,
    HashMismatch,
    NetworkError,
    NoSpace,
    NotFound,
    Placeholder,
    suggest,
)
from tests.support.model_hub import COMMIT, TOKEN, Site, make_bytes, sha256
from tests.support.waiting import wait_until

DATA = make_bytes("model", 300_000)
LFS = f"/lfs/{sha256(DATA)}"


def hub_model(site: Site, data: bytes = DATA, name: str = "a.safetensors") -> ModelFile:
    site.add("org/repo", name, data)
    source = HuggingFaceModel(repository="org/repo", revision=COMMIT, path=name)
    return ModelFile(folder="checkpoints", name=name, sha256=sha256(data), size=len(data), sources=(source,))


def fetch(store: ModelStore, *models: ModelFile) -> list[ModelFile]:
    return pull_models(models, store, find_hubs())


def read(store: ModelStore, data: bytes = DATA) -> bytes:
    path = store.find(sha256(data))
    assert path is not None
    return path.read_bytes()


def left(store: ModelStore) -> list[str]:
    return sorted(p.name for p in (store.folder / "partial").iterdir())


def test_a_model_is_fetched_through_the_redirect_and_only_once(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    assert fetch(store, model, model) == [model]
    assert read(store) == DATA and left(store) == []
    assert fetch(store, model) == []
    assert len(site.downloads()) == 1
    assert store.blob_path(model.sha256).stat().st_mode & 0o777 == 0o444


def test_several_models_come_at_once_and_the_same_content_once(site: Site, store: ModelStore) -> None:
    contents = [make_bytes(str(i), 50_000 + i) for i in range(6)]
    models = [hub_model(site, c, f"{i}.safetensors") for i, c in enumerate(contents)]
    twin = hub_model(site, contents[0], "twin.safetensors")
    assert fetch(store, *models, twin) == models
    assert [read(store, c) for c in contents] == contents
    assert len(site.downloads()) == 6


def test_a_cut_connection_goes_on_where_it_broke(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    # As often as something comes, patience begins anew: eight cuts are more than the tries of one request.
    site.trouble[LFS] = ["cut"] * 8
    fetch(store, model)
    assert read(store) == DATA
    ranges = [a.range for a in site.downloads()]
    assert ranges[:3] == [None, "bytes=150000-", "bytes=225000-"] and len(ranges) == 9


def test_a_server_without_ranges_sends_it_again(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    site.trouble[LFS] = ["cut", "whole"]
    fetch(store, model)
    assert read(store) == DATA


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_busy_server_is_asked_again(site: Site, store: ModelStore, status: int) -> None:
    model = hub_model(site)
    site.trouble[LFS] = [status, status, "slow"]
    fetch(store, model)
    assert read(store) == DATA and len(site.downloads()) == 3


def test_a_server_that_stays_busy_is_given_up(site: Site, store: ModelStore) -> None:
    site.trouble[LFS] = [429] * 20
    with pytest.raises(NetworkError, match="429"):
        fetch(store, hub_model(site))


def test_a_download_that_was_broken_off_is_continued_by_the_next_process(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    part = store.partial_path(model.sha256)
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:200_000])
    fetch(store, model)
    assert read(store) == DATA and [a.range for a in site.downloads()] == ["bytes=200000-"]


def test_a_complete_partial_file_is_taken_without_asking(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    store.partial_path(model.sha256).parent.mkdir(parents=True)
    store.partial_path(model.sha256).write_bytes(DATA)
    fetch(store, model)
    assert read(store) == DATA and site.asked == []


@pytest.mark.parametrize("start", [b"something else", DATA + b"more", b"x" * len(DATA)])
def test_a_partial_file_of_something_else_is_begun_anew(site: Site, store: ModelStore, start: bytes) -> None:
    model = hub_model(site)
    store.partial_path(model.sha256).parent.mkdir(parents=True)
    store.partial_path(model.sha256).write_bytes(start)
    fetch(store, model)
    assert read(store) == DATA


def test_wrong_bytes_are_refused_and_kept_aside(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    site.trouble[LFS] = ["wrong"]
    with pytest.raises(HashMismatch, match=f"expected SHA-256 {model.sha256}") as caught:
        fetch(store, model)
    assert store.find(model.sha256) is None and left(store) == []
    (kept,) = (store.folder / "refused").iterdir()
    assert str(kept) in caught.value.where and kept.read_bytes() == bytes(b ^ 1 for b in DATA)
    fetch(store, model)
    assert read(store) == DATA


@pytest.mark.parametrize("size", [1000, len(DATA) + 1])
def test_a_file_of_another_size_is_not_even_fetched(site: Site, store: ModelStore, size: int) -> None:
    model = hub_model(site).model_copy(update={"size": size})
    with pytest.raises(HashMismatch, match=f"expected {size} bytes, but the file there has {len(DATA)}"):
        fetch(store, model)
    assert store.find(model.sha256) is None and not (store.folder / "refused").exists()


def test_more_bytes_than_pinned_are_refused_without_reading_on(site: Site, store: ModelStore) -> None:
    model = hub_model(site).model_copy(update={"size": 1000})
    site.trouble[LFS] = ["unsized"]
    with pytest.raises(HashMismatch, match="more than 1000 bytes"):
        fetch(store, model)
    assert store.find(model.sha256) is None


def test_an_answer_that_ends_early_without_a_word_goes_on(site: Site, store: ModelStore) -> None:
    site.trouble[LFS] = ["silent", "silent", "unsized"]
    fetch(store, hub_model(site))
    assert read(store) == DATA
    assert [a.range for a in site.downloads()] == [None, "bytes=150000-", "bytes=225000-"]


def test_the_next_source_is_asked_when_one_is_gone_or_wrong(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    site.files["/wrong"] = b"x" * len(DATA)
    sources = (UrlModel(url=f"{site.cdn}/gone"), UrlModel(url=f"{site.cdn}/wrong"), *model.sources)
    fetch(store, model.model_copy(update={"sources": sources}))
    assert read(store) == DATA


def test_all_failures_are_told_at_once_and_the_rest_is_kept(site: Site, store: ModelStore) -> None:
    model = hub_model(site)
    gone = [
        ModelFile(folder="vae", name=f"{i}.pt", sha256=sha256(b"%d" % i), sources=(UrlModel(url=f"{site.cdn}/{i}"),))
        for i in range(2)
    ]
    with pytest.raises(ErrorGroup) as caught:
        fetch(store, gone[0], model, gone[1])
    assert [p.where for p in caught.value.problems] == [f"{site.cdn}/0", f"{site.cdn}/1"]
    assert read(store) == DATA


def test_a_gated_model_asks_for_a_token_and_its_terms(
    site: Site, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = hub_model(site)
    site.gated.add(f"/org/repo/resolve/{COMMIT}/a.safetensors")
    with pytest.raises(NetworkError, match="401") as caught:
        fetch(store, model)
    assert "HF_TOKEN" in caught.value.fix and "terms" in caught.value.fix
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(NetworkError, match="403") as caught:
        fetch(store, model)
    assert "hf_another" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch(store, model)
    assert read(store) == DATA


def test_tokens_are_never_sent_where_a_download_is_redirected_to(
    site: Site, store: ModelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    (tmp_path / "netrc").chmod(0o600)
    fetch(store, hub_model(site, b"one", "1"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch(store, hub_model(site))
    assert {a.authorization for a in site.asked if a.server == "hub"} == {f"Bearer {TOKEN}", "Bearer from-netrc"}
    assert {a.authorization for a in site.downloads()} == {None}
    saved = b"".join(p.read_bytes() for p in store.folder.rglob("*") if p.is_file())
    assert TOKEN.encode() not in saved and b"from-netrc" not in saved


def test_civitai_gives_the_file_that_the_query_means(site: Site, store: ModelStore) -> None:
    site.version(7, ("big.safetensors", DATA, ""), ("small.safetensors", b"small", "type=Model&fp=fp16"))
    source = CivitaiModel(version=7, query="type=Model&fp=fp16")
    fetch(store, ModelFile(folder="loras", name="s", sha256=sha256(b"small"), sources=(source,)))
    fetch(store, ModelFile(folder="loras", name="b", sha256=sha256(DATA), sources=(CivitaiModel(version=7),)))
    assert read(store) == DATA and read(store, b"small") == b"small"


def test_a_model_that_someone_added_has_nowhere_to_come_from(store: ModelStore, site: Site) -> None:
    with pytest.raises(NotFound, match="has no source: its file was added by hand") as caught:
        fetch(store, ModelFile(folder="loras", name="x.pt", sha256=sha256(b"x")))
    assert caught.value.fixes == (suggest("models add", source=Placeholder("FILE"), place="loras/x.pt"),)


def test_a_full_disk_is_told_before_anything_is_fetched(site: Site, store: ModelStore) -> None:
    model = hub_model(site).model_copy(update={"size": 1 << 60})
    with pytest.raises(NoSpace):
        fetch(store, model)
    assert site.asked == []


def test_a_file_that_nobody_hashed_is_fetched_whole(site: Site, store: ModelStore) -> None:
    site.files["/x.pth"] = DATA
    site.trouble["/x.pth"] = ["cut"]
    stored = fetch_unknown(f"{site.cdn}/x.pth", store, find_hubs())
    assert (stored.sha256, stored.size) == (sha256(DATA), len(DATA)) and read(store) == DATA
    site.files["/page"] = b"\n<!DOCTYPE html><title>Log in"
    with pytest.raises(BadInput, match="web page"):
        fetch_unknown(f"{site.cdn}/page", store, find_hubs())
    assert store.find(sha256(site.files["/page"])) is None


PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from pycomfy.core.lockfile.schema import ModelFile
    from pycomfy.adapters.io.paths import Paths
    from pycomfy.adapters.models.hubs import find_hubs
    from pycomfy.adapters.models.download import pull_models
    from pycomfy.adapters.models.store import ModelStore
    home = Paths(Path(sys.argv[1]), Path(sys.argv[1]) / "cache")
    print(len(pull_models([ModelFile.model_validate_json(sys.argv[2])], ModelStore(home), find_hubs())))
    """
)


def start(paths: Paths, model: ModelFile) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM, str(paths.data), model.model_dump_json()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_pull_goes_on_where_it_was(site: Site, store: ModelStore, paths: Paths) -> None:
    data = make_bytes("long", 4 << 20)
    model = hub_model(site, data)
    site.hold_at = 2 << 20
    process = start(paths, model)
    part = store.partial_path(model.sha256)
    wait_until(lambda: part.is_file() and part.stat().st_size >= 1 << 20)
    have = part.stat().st_size
    process.kill()
    process.communicate()
    site.let_go.set()
    fetch(store, model)
    assert read(store, data) == data and left(store) == []
    begins = [int((a.range or "bytes=0-").removeprefix("bytes=").rstrip("-")) for a in site.downloads()]
    assert begins[0] == 0 and begins[1] >= have and len(begins) == 2


def has_open(process: "subprocess.Popen[str]", path: Path) -> bool:
    links = (str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir())
    with contextlib.suppress(FileNotFoundError):  # one that was just closed
        return str(path) in links
    return False


def test_two_pulls_at_once_fetch_it_once(site: Site, store: ModelStore, paths: Paths) -> None:
    data = make_bytes("long", 1 << 20)
    model = hub_model(site, data)
    site.hold_at = 1 << 19
    processes = [start(paths, model) for _ in range(3)]
    lock = store.partial_path(model.sha256).with_suffix(".lock")
    wait_until(lambda: all(has_open(process, lock) for process in processes))
    site.let_go.set()
    assert [p.communicate()[0].strip() for p in processes] == ["1", "1", "1"]
    assert read(store, data) == data and len(site.downloads()) == 1 and left(store) == []
