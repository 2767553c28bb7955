import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.schema import CivitaiModel, HuggingFaceModel, UrlModel
from pycomfy.core.models.model_url import (
    CivitaiVersion,
    Hubs,
    HuggingFaceFile,
    WebFile,
    describe,
    parse_origin,
    source_url,
    strip_secrets,
)
from pycomfy.errors import BadInput

HUBS = Hubs()
MIRROR = Hubs("http://mirror.example:8080/hf", "http://mirror.example:8081")
COMMIT = "0123456789" * 4
HF = "https://huggingface.co"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{HF}/org/repo/resolve/main/x.safetensors", ("org/repo", "main", "x.safetensors")),
        (f"{HF}/org/repo/blob/v1.0/a/b%20c.pt?download=true", ("org/repo", "v1.0", "a/b c.pt")),
        (f"{HF}/org/repo/raw/{COMMIT}/config.json", ("org/repo", COMMIT, "config.json")),
        ("https://hf.co/gpt2/resolve/main/x", ("gpt2", "main", "x")),
        (f"{HF}/datasets/org/data/resolve/main/x", ("datasets/org/data", "main", "x")),
        (f"{HF}/org/repo/resolve/refs%2Fpr%2F3/x", ("org/repo", "refs/pr/3", "x")),
        (f"{HF}/org/repo/resolve/refs/pr/3/x", ("org/repo", "refs/pr/3", "x")),
        ("https://me:pw@huggingface.co/org/repo/resolve/main/x", ("org/repo", "main", "x")),
        ("https://huggingface.co:443/org/resolve/resolve/main/resolve/x", ("org/resolve", "main", "resolve/x")),
    ],
)
def test_a_file_of_hugging_face_is_known_by_its_address(url: str, expected: tuple[str, str, str]) -> None:
    assert parse_origin(url, HUBS) == HuggingFaceFile(*expected)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://civitai.com/api/download/models/12", CivitaiVersion(12)),
        (
            "https://civitai.com/api/download/models/12?type=Model&token=abc&fp=fp16",
            CivitaiVersion(12, "type=Model&fp=fp16"),
        ),
        ("https://www.civitai.com/models/3/some-name?modelVersionId=12", CivitaiVersion(12)),
    ],
)
def test_a_version_of_civitai_is_known_by_its_address(url: str, expected: CivitaiVersion) -> None:
    assert parse_origin(url, HUBS) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "file:///etc/passwd",
        "ftp://h/x",
        "https://",
        "https://h/a b",
        "https://h/\x01",
        "http://[",
        "https://h/" + "x" * 3000,
        f"{HF}/org/repo",
        f"{HF}/org/repo/resolve/main/",
        f"{HF}/org/repo/resolve/main/../../x",
        f"{HF}/org/repo/resolve/main/%2e%2e/x",
        f"{HF}/org/repo/resolve/main/a%00b",
        "https://civitai.com/models/3",
        "https://civitai.com/",
    ],
)
def test_what_is_no_address_of_a_file_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        parse_origin(url, HUBS)


def test_anything_else_is_a_file_on_the_web_without_its_secrets() -> None:
    url = "https://me:pw@files.example:8443/x.pth?v=2&X-Amz-Signature=1&Api_Key=2&sig=3#part"
    assert parse_origin(url, HUBS) == WebFile("https://files.example:8443/x.pth?v=2")
    # A hub's name is not a hub.
    for other in ("https://huggingface.co.evil.example/a/b/resolve/main/x", "https://huggingface.co:8443/x"):
        assert parse_origin(other, HUBS) == WebFile(other)


def test_a_mirror_is_the_hub_too() -> None:
    found = HuggingFaceFile("org/repo", "main", "x")
    assert parse_origin(f"{MIRROR.huggingface}/org/repo/resolve/main/x", MIRROR) == found
    assert parse_origin(f"{HF}/org/repo/resolve/main/x", MIRROR) == found
    assert parse_origin(f"{MIRROR.civitai}/api/download/models/1", MIRROR) == CivitaiVersion(1)


def test_a_pinned_model_is_fetched_from_the_hub_or_its_mirror() -> None:
    pinned = HuggingFaceModel(repository="org/repo", revision=COMMIT, path="a/b c?.pt")
    assert source_url(pinned, HUBS) == f"{HF}/org/repo/resolve/{COMMIT}/a/b%20c%3F.pt"
    assert source_url(pinned, MIRROR).startswith("http://mirror.example:8080/hf/org/repo/")
    assert source_url(CivitaiModel(version=1, query="fp=fp16"), HUBS).endswith("/api/download/models/1?fp=fp16")
    assert source_url(UrlModel(url="https://h/x"), MIRROR) == "https://h/x"
    assert describe(pinned) == "org/repo@01234567"
    assert [describe(CivitaiModel(version=1)), describe(UrlModel(url="https://h:1/x?y"))] == ["civitai 1", "h:1"]


@given(st.text(max_size=80) | st.text("htps:/@?#%&=[].co", max_size=40).map(lambda t: "https://" + t))
def test_every_text_is_an_origin_or_refused(text: str) -> None:
    try:
        found = parse_origin(text, HUBS)
    except BadInput:
        return
    assert not isinstance(found, WebFile) or UrlModel(url=found.url).url == strip_secrets(found.url)


@given(st.text("abc/.-_ %é", min_size=1, max_size=30))
def test_a_pinned_files_address_names_that_file(path: str) -> None:
    try:
        pinned = HuggingFaceModel(repository="org/repo", revision=COMMIT, path=path)
    except ValueError:
        return
    assert parse_origin(source_url(pinned, HUBS), HUBS) == HuggingFaceFile("org/repo", COMMIT, path)
