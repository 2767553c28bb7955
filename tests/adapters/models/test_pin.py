from pathlib import Path

import pytest

from pycomfy.adapters.models.hubs import find_hubs
from pycomfy.adapters.models.pin import EarlierPins, PinnedModels, pin_models
from pycomfy.adapters.models.store import ModelStore
from pycomfy.core.lockfile.schema import CivitaiModel, HuggingFaceModel, ModelFile, UrlModel
from pycomfy.core.models.selection import RequestedModel
from pycomfy.errors import BadConfig, HashMismatch, NotFound
from tests.support.model_hub import COMMIT, TOKEN, Site, sha256


def want(url: str | None = None, name: str = "a.safetensors", sha256: str | None = None) -> RequestedModel:
    return RequestedModel("checkpoints", name, url, sha256)


def pin(
    store: ModelStore, *wanted: RequestedModel, before: tuple[ModelFile, ...] = (), renew: bool = False
) -> PinnedModels:
    return pin_models(wanted, store, Path("/"), EarlierPins(before, renew))


def test_main_becomes_a_commit_and_the_hash_comes_without_the_file(site: Site, store: ModelStore) -> None:
    url = site.add("org/repo", "sub/a.safetensors", b"model")
    (model,) = pin(store, want(url)).models
    source = HuggingFaceModel(repository="org/repo", revision=COMMIT, path="sub/a.safetensors")
    assert model == ModelFile(
        folder="checkpoints", name="a.safetensors", sha256=sha256(b"model"), size=5, sources=(source,)
    )
    assert site.downloads() == []


def test_files_of_one_repository_are_asked_for_together(site: Site, store: ModelStore) -> None:
    urls = [site.add("org/repo", f"{i}.safetensors", b"%d" % i) for i in range(5)]
    pinned = pin(store, *(want(url, f"{i}.safetensors") for i, url in enumerate(urls)))
    assert [m.sha256 for m in pinned.models] == [sha256(b"%d" % i) for i in range(5)]
    assert len(site.asked) == 2


def test_a_small_file_that_is_not_in_lfs_is_hashed(site: Site, store: ModelStore) -> None:
    url = site.add("org/repo", "config.yaml", b"a: 1", lfs=False)
    (model,) = pin(store, want(url, "config.yaml")).models
    assert (model.sha256, model.size) == (sha256(b"a: 1"), 4)


def test_a_file_that_is_not_there_is_told_and_the_others_are_pinned(site: Site, store: ModelStore) -> None:
    url = site.add("org/repo", "a.safetensors", b"model")
    gone = f"{site.hub}/no/x/resolve/1/y"
    pinned = pin(store, want(url), want(url.replace("/a.", "/b."), "b.safetensors"), want(gone, "y"))
    assert [m.name for m in pinned.models] == ["a.safetensors"]
    assert [u.name for u in pinned.unpinned] == ["b.safetensors", "y"]
    assert "no file b.safetensors" in pinned.unpinned[0].why and "HTTP 404" in pinned.unpinned[1].why


def test_a_hash_that_the_workflow_gives_must_be_the_hubs(site: Site, store: ModelStore) -> None:
    url = site.add("org/repo", "a.safetensors", b"model")
    assert len(pin(store, want(url, sha256=sha256(b"model"))).models) == 1
    (unpinned,) = pin(store, want(url, sha256=sha256(b"other"))).unpinned
    assert sha256(b"other") in unpinned.why and sha256(b"model") in unpinned.why


def test_the_old_pin_stays_where_the_hub_does_not_answer(site: Site, store: ModelStore) -> None:
    url = site.add("org/repo", "a.safetensors", b"model")
    old = pin(store, want(url)).models
    site.repositories.clear()
    pinned = pin(store, want(url), before=old, renew=True)
    assert pinned.models == old and "stays" in pinned.notes[0]
    assert pin(store, want(url)).models == ()


def test_a_pin_stays_until_it_is_renewed_and_the_hub_is_not_asked(site: Site, store: ModelStore) -> None:
    url, version = site.add("org/repo", "a.safetensors", b"model"), site.version(7, ("b", b"b", ""))
    wanted = (want(url), want(version, "b"))
    old = pin(store, *wanted).models
    site.add("org/repo", "a.safetensors", b"replaced")
    site.asked.clear()
    assert pin(store, *wanted, before=old).models == old and site.asked == []
    renewed = pin(store, *wanted, before=old, renew=True).models
    assert [m.sha256 for m in renewed] == [sha256(b"replaced"), sha256(b"b")]
    other = site.add("org/other", "a.safetensors", b"other")
    assert pin(store, want(other), before=old).models[0].sha256 == sha256(b"other")
    assert pin(store, want(url, sha256=sha256(b"replaced")), before=old).models[0].sha256 == sha256(b"replaced")


def test_civitai_is_asked_by_version_and_the_file_is_chosen_by_hash_query_name_or_first(
    site: Site, store: ModelStore
) -> None:
    url = site.version(
        7,
        ("full.safetensors", b"full", ""),
        ("half.safetensors", b"half", "type=Model&format=SafeTensor&fp=fp16"),
        ("vae.pt", b"vae", "type=VAE"),
    )
    cases = [
        (want(url), b"full", ""),
        (want(url, "Half.safetensors"), b"half", "type=Model&format=SafeTensor&fp=fp16"),
        (want(f"{url}?type=Model&fp=fp16&token=secret"), b"half", "type=Model&format=SafeTensor&fp=fp16"),
        (want(f"{url}?type=VAE"), b"vae", "type=VAE"),
        (want("https://civitai.com/models/1/x?modelVersionId=7", sha256=sha256(b"vae")), b"vae", "type=VAE"),
    ]
    for wanted, data, query in cases:
        (model,) = pin(store, wanted).models
        assert (model.sha256, model.sources) == (sha256(data), (CivitaiModel(version=7, query=query),))
    assert "no such file" in pin(store, want(f"{url}?type=LORA")).unpinned[0].why
    assert "404" in pin(store, want(url.replace("/7", "/8"))).unpinned[0].why


def test_a_model_without_an_address_is_found_at_civitai_by_its_hash(site: Site, store: ModelStore) -> None:
    site.version(7, ("a", b"a", ""), ("b", b"b", "type=VAE"))
    wanted = want(sha256=sha256(b"b"))
    found = pin(store, wanted).models
    source = CivitaiModel(version=7, query="type=VAE")
    assert found == (ModelFile(folder="checkpoints", name="a.safetensors", sha256=sha256(b"b"), sources=(source,)),)
    site.asked.clear()
    assert pin(store, wanted, before=found).models == found and site.asked == []
    site.versions.clear()
    (alone,) = pin(store, wanted).models
    assert (alone.sha256, alone.sources) == (sha256(b"b"), ())


@pytest.mark.parametrize("answer", [b"{}", b"[]", b'{"id": -1, "files": [{"hashes": {"SHA256": "%s"}}]}', b"\xff"])
def test_an_odd_answer_to_a_hash_finds_nothing(site: Site, store: ModelStore, answer: bytes) -> None:
    wanted = want(sha256=sha256(b"b"))
    site.by_hash = answer.replace(b"%s", sha256(b"b").encode())
    (model,) = pin(store, wanted).models
    assert model.sources == () and len(site.asked) == 1


def test_another_server_pins_nothing_without_a_hash(site: Site, store: ModelStore) -> None:
    url = "https://me:pw@files.example/x.pth?key=secret&v=2"
    pinned = pin(
        store, want(url, sha256=sha256(b"x")), want(url, "b"), want(None, "c"), want("file:///etc/passwd", "d")
    )
    (model,) = pinned.models
    assert model.sources == (UrlModel(url="https://files.example/x.pth?v=2"),) and model.size is None
    assert [u.name for u in pinned.unpinned] == ["b", "c", "d"]
    assert "secret" not in str(pinned) and "pw@" not in str(pinned)
    assert "https://files.example/x.pth?v=2" in str(pinned.unpinned[0])
    assert site.asked == []


def test_what_was_added_under_the_name_is_taken_where_nothing_else_pins(
    site: Site, store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    stored = store.add(tmp_path / "x")
    store.set_name("checkpoints/a.safetensors", stored)
    (model,) = pin(store, want()).models
    assert (model.sha256, model.size, model.sources) == (stored.sha256, None, ())
    url = "https://files.example/x.pth"
    assert pin(store, want(url)).models[0].sources == (UrlModel(url=url),)
    hub = site.add("org/repo", "a.safetensors", b"model")
    assert pin(store, want(hub)).models[0].sha256 == sha256(b"model")
    store.set_name("checkpoints/a.safetensors", stored, "https://elsewhere.example/y")
    assert pin(store, want(url)).models == ()


def test_what_was_added_under_the_name_is_taken_where_the_hub_does_not_answer(
    site: Site, store: ModelStore, tmp_path: Path
) -> None:
    url = site.add("org/repo", "a.safetensors", b"model")
    site.repositories.clear()
    (tmp_path / "x").write_bytes(b"mine")
    stored = store.add(tmp_path / "x")
    store.set_name("checkpoints/a.safetensors", stored)
    pinned = pin(store, want(url))
    assert [(m.sha256, m.sources) for m in pinned.models] == [(stored.sha256, ())]
    assert "the file that you added" in pinned.notes[0]
    assert pin(store, want(url, sha256=sha256(b"model"))).models == (), "another file"


def test_a_local_file_of_pycomfy_toml_must_be_there_and_be_the_one(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    wanted = RequestedModel("vae", "x.safetensors", path="x", configured=True)
    (model,) = pin_models([wanted], store, tmp_path).models
    assert (model.sha256, model.size, model.sources) == (sha256(b"mine"), 4, ())
    with pytest.raises(NotFound):
        pin_models([RequestedModel("vae", "x", path="y")], store, tmp_path)
    with pytest.raises(HashMismatch):
        pin_models([RequestedModel("vae", "x", path="x", sha256=sha256(b"other"))], store, tmp_path)


@pytest.mark.parametrize("answer", [b"[]", b"{", b'{"sha": "../../x"}', b"\xff"])
def test_an_answer_that_is_none_is_told(
    site: Site, store: ModelStore, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    site.files["/api/models/org/repo/revision/main"] = answer
    monkeypatch.setenv("PYCOMFY_HF_ENDPOINT", site.cdn)
    assert "unexpected answer" in pin(store, want(f"{site.cdn}/org/repo/resolve/main/x")).unpinned[0].why


def test_a_gated_repository_tells_what_to_do(site: Site, store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    url = site.add("org/repo", "a.safetensors", b"model")
    site.gated.add("/api/models/org/repo/revision/main")
    (unpinned,) = pin(store, want(url)).unpinned
    assert "401" in unpinned.why and "HF_TOKEN" in str(unpinned)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert len(pin(store, want(url)).models) == 1


@pytest.mark.parametrize("value", ["hub", "ftp://h", "https://me:pw@h", "https://h?x", "http://["])
def test_an_endpoint_must_be_a_web_address(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", value)
    with pytest.raises(BadConfig, match="web address") as caught:
        find_hubs()
    assert caught.value.where == "HF_ENDPOINT" and "pw" not in str(caught.value)
    monkeypatch.setenv("PYCOMFY_HF_ENDPOINT", "https://mirror.example/hub/")
    assert find_hubs().huggingface == "https://mirror.example/hub"


def test_hubs_and_tokens_are_those_of_the_given_environment(site: Site, store: ModelStore, tmp_path: Path) -> None:
    """The process's own variables, which the fixture sets, name the hub; these name another, and have its token."""
    assert find_hubs({"HF_ENDPOINT": "https://h.example"}).huggingface == "https://h.example"
    assert find_hubs({}).huggingface == "https://huggingface.co"
    site.gated.add("/api/models/org/repo/revision/main")
    wanted = [want(site.add("org/repo", "a.safetensors", b"model"))]
    environment = {"PYCOMFY_HF_ENDPOINT": site.hub, "HF_TOKEN": TOKEN, "NETRC": str(tmp_path / "none")}
    assert len(pin_models(wanted, store, tmp_path, environment=environment).models) == 1
    assert len(pin_models(wanted, store, tmp_path).models) == 0
