"""The typed face, over HTTP: named inputs in, named outputs out, and what is wrong said by its place."""

import base64
import hashlib
import html
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import unix_connect

from tests.gateway.api.typed import INTERFACE, prepare, serve
from tests.gateway.image import Image
from tests.gateway.serving import Serving
from tests.support.waiting import wait_until

WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One gateway for all tests that leave it as it was."""
    made = serve(Image(tmp_path_factory.mktemp("typed")))
    yield made
    assert made.stop() == 0


def run(serving: Serving, **inputs: Any) -> dict[str, Any]:
    answer = serving.client.post("/v1/jobs", json={"inputs": inputs}, headers=WAIT)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def graph_of(serving: Serving, job: dict[str, Any]) -> dict[str, Any]:
    graph: dict[str, Any] = serving.client.get(f"/api/v2/jobs/{job['id']}/workflow").json()["workflow"]
    return graph["1"]["inputs"]  # type: ignore[no-any-return]


def refusal(answer: httpx.Response, status: int = 422) -> list[tuple[str | None, str]]:
    """(pointer or parameter, code) of each thing that is wrong."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    return [(e["parameter"] if e["pointer"] is None else e["pointer"], e["code"]) for e in body["errors"]]


def test_outputs_and_inputs_go_by_name(serving: Serving) -> None:
    job = run(serving, width=128)
    assert job["status"] == "succeeded"
    assert job["progress"]["value"] == 1
    assert [o["name"] for o in job["outputs"]["picture"]] == ["a.png", "t.png"]
    assert serving.client.get(job["outputs"]["picture"][0]["url"]).content == b"png"
    assert job["inputs"]["width"] == 128
    assert job["inputs"]["text"] == "a dog", "the workflow's own value"


def test_a_seed_is_drawn_and_reported_and_kept_for_the_same_key(serving: Serving) -> None:
    for seed in (-1, None):
        job = run(serving, seed=seed)
        assert job["inputs"]["seed"] >= 0
        assert graph_of(serving, job)["seed"] == job["inputs"]["seed"]
    headers = {**WAIT, "Idempotency-Key": "one"}
    answers = [serving.client.post("/v1/jobs", json={"inputs": {"seed": -1}}, headers=headers).json() for _ in "ab"]
    assert answers[0]["id"] == answers[1]["id"]
    other = serving.client.post("/v1/jobs", json={"inputs": {"seed": 1}}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reuse"


def test_a_text_is_expanded_as_on_queueing_and_reported(serving: Serving) -> None:
    job = run(serving, text="a {cat|cat} /* not a dog */")
    assert job["inputs"]["text"] == graph_of(serving, job)["text"] == "a cat "


@pytest.mark.parametrize(
    ("inputs", "wrong"),
    [
        ({"width": "x", "height": 1}, [("/inputs/width", "int_parsing"), ("/inputs/height", "extra_forbidden")]),
        ({"width": 63}, [("/inputs/width", "greater_than_equal")]),
        ({"width": True}, [("/inputs/width", "value_error")]),
        ({"seed": -2}, [("/inputs/seed", "greater_than_equal")]),
        ({"palette": "noon"}, [("/inputs/palette", "literal_error")]),
        ({"photo": 1}, [("/inputs/photo", "string_type")]),
        ({"photo": {}}, [("/inputs/photo/url", "missing")]),
        ({"photo": {"url": "ftp://a/b"}}, [("/inputs/photo/url", "string_pattern_mismatch")]),
        ({"photo": {"url": "https://a/b", "sha": ""}}, [("/inputs/photo/sha", "extra_forbidden")]),
        ({"photo": "other.png"}, [("/inputs/photo", "invalid_request")]),
        ({"photo": "9f8a1c0d-2b3e-4f56-8a7b-1c2d3e4f5a6b"}, [("/inputs/photo", "not_found")]),
        ({"photo": "https://127.0.0.1/a.png"}, [("/inputs/photo", "invalid_request")]),
        ({"photo": "data:image/png;base64,*"}, [("/inputs/photo", "invalid_request")]),
        ({"text": "{" * 200_000}, [("/inputs/text", "invalid_request")]),
    ],
)
def test_what_is_wrong_is_told_once_by_its_place(
    serving: Serving, inputs: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    answer = serving.client.post("/v1/jobs", json={"inputs": inputs})
    assert refusal(answer) == wrong
    assert len(answer.text) < 2000


def test_parameters_and_bodies_that_cannot_be_read_are_told_apart(serving: Serving) -> None:
    client = serving.client
    assert refusal(client.get("/v1/jobs", params={"limit": 0})) == [("limit", "greater_than_equal")]
    assert refusal(client.get("/v1/jobs", params={"status": "x"})) == [("status", "literal_error")]
    assert refusal(client.get("/v1/jobs", params={"cursor": "zz"})) == [("cursor", "invalid_cursor")]
    headers = {"Content-Type": "application/json"}
    assert refusal(client.post("/v1/jobs", content=b"{", headers=headers)) == [("", "json_invalid")]
    assert refusal(client.post("/v1/jobs", content=b"[" * 100_000, headers=headers), 400) == []
    refused = client.put("/v1/jobs")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("route", "given", "message"),
    [
        ("/v1/jobs", {"content": "{}"}, "Content-Type: application/json"),
        ("/v1/jobs", {"data": {"width": "64"}}, "Content-Type: application/json"),
        ("/v1/jobs", {"json": {"inputs": {"widht": 64}}}, "there are: width, strength, seed, text, palette, photo, x"),
        ("/v1/jobs", {"json": {"width": 64}}, '{"inputs": {"width": …}}'),
        ("/v1/jobs", {"json": {"inputs": {"width": 1, "seed": "a"}}}, "and 1 more, in errors"),
        ("/v1/jobs", {"json": [1]}, "the body should be a JSON object"),
        ("/v1/jobs", {}, "the body should be a JSON object, and there is none"),
        ("/v1/jobs", {"json": {"metadata": 1}}, "metadata: Input should be an object"),
        ("/v1/jobs", {"json": {"inputs": {"photo": None}}}, "inputs.photo: a file is the id of an upload (POST"),
        ("/v1/jobs", {"json": {"inputs": {"photo": ""}}}, "inputs.photo: a file is the id of an upload (POST"),
        ("/v1/jobs", {"json": {"inputs": {"photo": "a.png"}}}, "photo: a file is the id of an upload (POST"),
        ("/v1/jobs", {"json": {"inputs": {"photo": str(uuid.uuid4())}}}, "photo: there is no such file: give the id"),
        ("/v1/jobs", {"json": {"webhook": 1}}, "webhook: Input should be an object"),
        (
            "/v1/batches",
            {"json": {"sweep": {"width": 64}}},
            "sweep.width: Input should be a list of values, or a range",
        ),
        ("/v1/batches", {"json": {"inputs": [{"widht": 64}]}}, "there are: width, "),
        ("/v1/batches", {"json": {"sweep": {"widht": [64]}}}, "there are: width, "),
        ("/v1/files", {"content": b"png"}, "multipart/form-data"),
        ("/v1/nope", {"json": {}}, "there is no such route"),
        ("/v1/workflow", {"json": {}}, "POST is not possible here, but GET"),
    ],
)
def test_a_common_mistake_is_told_with_what_to_do(
    serving: Serving, route: str, given: dict[str, Any], message: str
) -> None:
    answer = serving.client.post(route, **given)
    assert 400 <= answer.status_code < 500
    assert message in answer.json()["detail"]


def test_a_file_comes_in_by_id_and_as_a_data_uri(serving: Serving) -> None:
    data = b"some bytes"
    uploaded = serving.client.post("/v1/files", files={"file": ("a.png", data, "image/png")}).json()
    by_id = run(serving, photo=uploaded["id"])
    assert by_id["inputs"]["photo"] == uploaded["id"]
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    by_uri = run(serving, photo=uri)
    asset = by_uri["inputs"]["photo"]
    assert graph_of(serving, by_uri)["photo"]["info"]["hash"] == uploaded["hash"]
    assert serving.client.get(f"/v1/files/{asset}/content").content == data
    wrong = {"url": uri, "sha256": "0" * 64}
    assert refusal(serving.client.post("/v1/jobs", json={"inputs": {"photo": wrong}}))
    assert hashlib.sha256(data).hexdigest() != "0" * 64


def test_a_file_that_the_workflow_names_and_nobody_gives_is_told_before_it_is_queued(image: Image) -> None:
    serving = serve(image, "Take")
    uploaded = serving.client.post("/v1/files", files={"file": ("a.png", b"a", "image/png")}).json()["id"]
    for route, body, place, job in (
        ("jobs", {"inputs": {}}, "/inputs/photo", ""),
        ("batches", {"sweep": {"width": [64]}}, "/sweep/photo", "job 0: "),
        ("batches", {"inputs": [{"photo": uploaded}, {}], "sweep": {"width": [64, 72]}}, "/inputs/1/photo", "job 2: "),
    ):
        refused = serving.client.post(f"/v1/{route}", json=body)
        assert refusal(refused) == [(place, "missing_asset")]
        told = f'{job}photo: there is no file "example.png" here: give one with each job, as the id of an upload (POST'
        assert refused.json()["detail"].startswith(told)
        assert (refused.json()["errors"][0]["node"], refused.json()["errors"][0]["input"]) == ("1", "photo")
    graph = json.loads((image.root / "project" / "prompt.json").read_text())
    official = serving.client.post("/api/v2/jobs", json={"workflow": graph})
    assert (official.status_code, official.json()["error"]["code"]) == (422, "missing_asset")
    assert official.json()["error"]["message"].startswith('node 1, photo: there is no file "example.png" here')
    assert run(serving, photo=uploaded)["status"] == "succeeded"
    (image.root / "data" / "input" / "example.png").write_bytes(b"a")
    assert run(serving)["status"] == "succeeded", "it is there now"
    serving.stop()


def test_a_file_that_is_wrong_in_a_batch_is_told_by_its_place_there(serving: Serving) -> None:
    for body, place, job in (
        ({"sweep": {"photo": ["a.png"], "width": [64, 72]}}, "/sweep/photo", 0),
        ({"inputs": [{"width": 64}, {"photo": "a.png"}], "sweep": {"seed": [1, 2]}}, "/inputs/1/photo", 2),
    ):
        refused = serving.client.post("/v1/batches", json=body)
        assert refusal(refused) == [(place, "invalid_request")]
        assert refused.json()["detail"].startswith(f"job {job}: photo: a file is the id of an upload")


def test_a_file_that_no_input_takes_is_told_with_its_folder(image: Image) -> None:
    prepare(image, "Take")
    (image.root / "project" / "interface.json").write_text('{"version": 1}')
    serving = Serving(image)
    # Until ComfyUI has said what its nodes take, the job is queued.
    wait_until(lambda: serving.client.post("/v1/jobs", json={}).status_code == 422)
    refused = serving.client.post("/v1/jobs", json={})
    assert refusal(refused) == [(None, "missing_asset")]
    assert refused.json()["detail"].endswith("and no input takes one: put it into /data/input")
    serving.stop()


def test_the_app_gets_what_its_form_is_made_of(serving: Serving) -> None:
    told = serving.client.get("/v1/interface").json()
    assert (told["name"], told["nodes"]) == ("typed", {"1": "Save"})
    names = [[one["name"] for one in part["parameters"]] for part in (told["interface"], INTERFACE)]
    assert names[0] == names[1]
    assert told["interface"]["outputs"] == INTERFACE["outputs"]


def test_the_examples_of_the_page_give_a_file_where_one_is_needed(serving: Serving) -> None:
    page = html.unescape(serving.client.get("/docs").text)
    assert "-F file=@photo.png | jq -r .id)" in page
    assert """"photo": "'"$file_0"'",""" in page
    assert "'photo': upload('photo.png')," in page


def test_an_error_of_comfyui_names_the_parameter(image: Image) -> None:
    serving = serve(image, "Half")
    job = run(serving)
    assert job["status"] == "failed"
    error = job["error"]
    assert (error["parameter"], error["node"], error["input"]) == ("x", "1", "x")
    assert error["code"] == "invalid_workflow"
    assert serving.stop() == 0


def test_a_batch_is_a_job_for_each_combination(serving: Serving) -> None:
    body = {"inputs": [{"width": 64}, {"width": 128}], "sweep": {"seed": {"start": 1, "stop": 2}, "text": ["a", "b"]}}
    answer = serving.client.post("/v1/batches", json=body)
    assert answer.status_code == 202, answer.text
    own = answer.headers["location"]
    wait_until(lambda: serving.client.get(own).json()["done"])
    batch = serving.client.get(own).json()
    assert batch["counts"] == {"succeeded": 8}
    values = [(j["inputs"]["width"], j["inputs"]["seed"], j["inputs"]["text"]) for j in batch["jobs"]]
    assert values == [(w, s, t) for w in (64, 128) for s in (1, 2) for t in "ab"]
    listed = serving.client.get("/v1/jobs", params={"batch": batch["id"], "limit": 3}).json()
    assert [j["id"] for j in listed["jobs"]] == [j["id"] for j in batch["jobs"]][:-4:-1]


def test_a_range_of_seeds_is_exact(serving: Serving) -> None:
    """Editors draw seeds of up to 64 bits, floats have 53."""
    start = (1 << 64) - 3
    answer = serving.client.post("/v1/batches", json={"sweep": {"seed": {"start": start, "stop": start + 2}}})
    assert answer.status_code == 202, answer.text
    assert [job["inputs"]["seed"] for job in answer.json()["jobs"]] == [start, start + 1, start + 2]
    wait_until(lambda: serving.client.get(answer.headers["location"]).json()["done"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/inputs"),
        ({"sweep": {"seed": []}}, "/sweep"),
        ({"sweep": {"width": [64, "x"]}}, "/sweep/width"),
        ({"sweep": {"nothing": [1]}}, "/sweep/nothing"),
        ({"sweep": {"seed": {"start": 0, "stop": 1e9}}}, "/sweep/seed"),
        ({"sweep": {"seed": {"start": 5, "stop": 1}}}, "/sweep/seed"),
        ({"sweep": {"seed": {"start": 0, "stop": 1e308, "step": 1e-300}}}, "/sweep/seed"),
        ({"sweep": {"seed": {"start": 0, "stop": 10**400}}}, "/sweep/seed"),
        ({"sweep": {"seed": {"start": 10**400, "stop": 10**400}}}, "/sweep/seed"),
        ({"sweep": {"seed": {"start": 0.5, "stop": 10**400}}}, "/sweep/seed"),
        ({"sweep": {"width": {"start": 64, "stop": 65, "step": 0.5}}}, "/sweep/width"),
        ({"inputs": [{}, {"width": 1}]}, "/inputs/1/width"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused_as_a_whole(
    serving: Serving, body: dict[str, Any], pointer: str
) -> None:
    before = serving.client.get("/v1/jobs", params={"limit": 1}).json()
    assert [place for place, _ in refusal(serving.client.post("/v1/batches", json=body))] == [pointer]
    assert serving.client.get("/v1/jobs", params={"limit": 1}).json() == before


def test_a_batch_is_canceled_as_a_whole(image: Image) -> None:
    serving = serve(image, "Hang")
    batch = serving.client.post("/v1/batches", json={"sweep": {"seed": [1, 2, 3]}}).json()
    serving.client.post(batch["urls"]["cancel"])
    wait_until(lambda: serving.client.get(batch["urls"]["self"]).json()["done"])
    assert serving.client.get(batch["urls"]["self"]).json()["counts"] == {"canceled": 3}
    assert serving.stop() == 0


Events = list[tuple[int, str, dict[str, Any]]]


def read_events(serving: Serving, job: dict[str, Any], last: str = "", begun: Callable[[], object] = int) -> Events:
    """All events until the end, or after the event `last`. `begun` is called after the first came."""
    events = []
    headers = {"Last-Event-ID": last} if last else {}
    with serving.client.stream("GET", job["urls"]["events"], headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        pieces = stream.iter_text()
        text = next(pieces, "")
        begun()
        for block in (text + "".join(pieces)).split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if fields:
                events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return events


def follow_job(image: Image) -> tuple[Serving, dict[str, Any], Events]:
    """A job that ends after its stream was opened, and its events."""
    serving = serve(image, "Wait")
    job = serving.client.post("/v1/jobs", json={"inputs": {}}).json()
    return serving, job, read_events(serving, job, begun=(image.root / "data" / "input" / "go").touch)


def test_a_stream_that_breaks_goes_on_after_the_last_event(image: Image) -> None:
    serving, job, events = follow_job(image)
    ids, names = [e[0] for e in events], [e[1] for e in events]
    assert ids == sorted(ids)
    assert names[0] == names[-1] == "job"
    assert events[-1][2]["status"] == "succeeded"
    again = read_events(serving, job, str(ids[0]))
    assert again[-1][1:] == events[-1][1:]
    assert all(e in events for e in again), "nothing that was not told before"
    assert read_events(serving, job, "none")[-1][2]["id"] == job["id"]
    assert serving.stop() == 0


def test_a_stream_that_breaks_after_any_event_goes_on_to_the_record_at_the_end(image: Image) -> None:
    serving, job, events = follow_job(image)
    assert [name for _, name, _ in events[-2:]] == ["status", "job"]
    for number, _, _ in events[:-1]:
        assert read_events(serving, job, str(number))[-1] == events[-1]
    assert read_events(serving, job, str(events[-1][0])) == []
    assert serving.stop() == 0


def test_the_page_needs_nothing_from_elsewhere(serving: Serving) -> None:
    answer = serving.client.get("/docs")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text and "http-equiv" not in answer.text
    assert "integer, 64 to 8192" in answer.text and "/v1/jobs" in answer.text
    assert "`" not in answer.text and "<code>Prefer: wait=N</code>" in answer.text


def test_names_in_the_page_are_text(image: Image) -> None:
    serving = serve(image)
    serving.stop()
    lock = image.root / "project" / "pycomfy.lock"
    lock.write_text('{"name": "<script>alert(1)</script>"}')
    serving.start()
    assert "<script" not in serving.client.get("/docs").text
    assert serving.stop() == 0


def test_the_same_events_come_over_a_websocket(serving: Serving) -> None:
    job = run(serving)

    def listen(path: str) -> list[dict[str, Any]]:
        with unix_connect(str(serving.socket), f"ws://gateway{path}") as ws:
            return [json.loads(message) for message in ws]

    events = listen(job["urls"]["websocket"])
    assert [e["event"] for e in events] == [name for _, name, _ in read_events(serving, job)]
    assert events[-1]["data"]["outputs"] == job["outputs"]
    with pytest.raises(InvalidStatus) as refused:
        listen("/v1/jobs/9f8a1c0d-2b3e-4f56-8a7b-1c2d3e4f5a6b/ws")
    assert json.loads(refused.value.response.body or b"")["code"] == "not_found"
    assert refused.value.response.status_code == 404
