"""An image's gateway with its real ComfyUI: both faces, files of every kind, and what goes wrong.

The container is the one that `run --serve` starts: read-only, no capabilities, no network, reached by a unix socket.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import struct
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from pycomfy.adapters.containers.engine import Engine, StartableImage
from tests.stories.conftest import red_png
from tests.stories.gateway.container import TERMINAL, Container, node, read_events, serving, slow, small
from tests.support.small_disks import small_disk

pytestmark = pytest.mark.story


@pytest.fixture
def own(engine: Engine, hello_image: StartableImage, tmp_path: Path) -> Iterator[Container]:
    """One that may be killed."""
    with serving(engine, hello_image, tmp_path) as container:
        yield container


def fresh() -> int:
    return uuid.uuid4().int % (1 << 24)


def test_inputs_by_name_give_the_same_picture_waited_for_and_not(gateway: Container) -> None:
    inputs = {"width": 256, "height": 160, "seed": 5, "title": "Story"}
    waited = gateway.http.post("/v1/jobs", json={"inputs": inputs}, headers={"Prefer": "wait=60"})
    assert waited.status_code == 200, waited.text
    accepted = gateway.http.post("/v1/jobs", json={"inputs": inputs})
    assert accepted.status_code == 202
    location = accepted.headers["location"]
    gateway.until(lambda: gateway.http.get(location, params={"wait": 10}).json()["status"] in TERMINAL)
    first, second = gateway.job(waited.json()["id"]), gateway.job(accepted.json()["id"])
    assert (first["status"], second["status"]) == ("succeeded", "succeeded"), (first, second)
    (one,), (other,) = gateway.contents(first).values(), gateway.contents(second).values()
    assert one == other and one.startswith(b"\x89PNG")


def test_a_stream_that_breaks_is_read_on_from_where_it_was(gateway: Container) -> None:
    job = gateway.submit(slow(fresh(), nodes=5))["id"]
    seen: list[str] = []
    states: list[str] = []
    while not states or states[-1] not in TERMINAL:
        headers = {"Last-Event-ID": seen[-1]} if seen else {}
        with gateway.http.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as stream:
            for count, (number, name, data) in enumerate(read_events(stream.iter_lines())):
                # A whole snapshot has the id of what it stands for, and the last status that of what was before it: who
                # comes back between it and the record gets both. All else is told once.
                is_end = name == "status" and data["status"] in TERMINAL
                assert number not in seen or name in ("job", "progress", "preview") or is_end
                seen.append(number)
                if name == "status":
                    states.append(data["status"])
                if count == 2:
                    break  # and come back
    assert states[-1] == "succeeded"
    assert states == sorted(states, key=["queued", "running", "succeeded"].index)
    assert len(states) == len(set(states)), "no state is told twice"


def test_a_websocket_tells_the_same_to_its_end(gateway: Container) -> None:
    job = gateway.submit(small(fresh()))["id"]

    async def read() -> list[dict[str, Any]]:
        path = str(gateway.shared / "s")
        async with websockets.unix_connect(path, f"ws://gateway/v1/jobs/{job}/ws") as socket:
            return [json.loads(message) async for message in socket]

    messages = asyncio.run(read())
    assert '"succeeded"' in json.dumps(messages[-1])
    assert any("output" in json.dumps(message) for message in messages)


def test_a_queued_and_a_running_job_are_canceled(gateway: Container) -> None:
    running, waiting = gateway.submit(slow(fresh()))["id"], gateway.submit(small(fresh()))["id"]
    gateway.until(lambda: gateway.job(running)["status"] == "running")
    assert gateway.http.post(f"/v1/jobs/{waiting}/cancel").status_code == 200
    assert gateway.http.post(f"/api/v2/jobs/{running}/cancel").json()["status"] in ("canceling", "canceled")
    assert gateway.finish(waiting)["status"] == "canceled"
    assert gateway.finish(running)["status"] == "canceled"
    assert gateway.finish(gateway.submit(small(fresh()))["id"])["status"] == "succeeded", "the next one is not"


def test_a_sweep_is_a_batch_of_all_combinations(gateway: Container) -> None:
    body = {"sweep": {"width": [256], "height": [160], "seed": [1, 2], "title": ["a", "b"]}}
    answer = gateway.http.post("/v1/batches", json=body)
    assert answer.status_code in (201, 202), answer.text
    batch = answer.json()["id"]

    def summary() -> Any:
        return gateway.http.get(f"/v1/batches/{batch}").json()

    gateway.until(lambda: summary()["counts"].get("succeeded") == 4)
    jobs = gateway.http.get("/v1/jobs", params={"batch": batch}).json()["jobs"]
    assert {(j["inputs"]["seed"], j["inputs"]["title"]) for j in jobs} == {(1, "a"), (1, "b"), (2, "a"), (2, "b")}


def test_a_file_goes_in_and_comes_out(gateway: Container) -> None:
    data = red_png(24, 16)
    uploaded = gateway.http.post("/v1/files", files={"file": ("my [input] photo.png", data, "image/png")})
    assert uploaded.status_code in (200, 201), uploaded.text
    asset = uploaded.json()
    graph = {
        "1": node("LoadImage", image={"__type": "core/ASSET", "info": {"id": asset["id"]}}),
        "2": node("SaveImage", images=["1", 0], filename_prefix="loaded"),
    }
    done = gateway.finish(gateway.submit(graph)["id"])
    (picture,) = gateway.contents(done).values()
    assert struct.unpack(">II", picture[16:24]) == (24, 16)
    assert gateway.http.get(asset["url"]).content == data
    part = gateway.http.get(asset["url"], headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")


def test_outputs_of_every_kind_are_the_bytes_that_comfyui_wrote(gateway: Container) -> None:
    """Compared, path by path, with the files of ComfyUI's own folders: output on the mounted disk, temp in /tmp."""
    top = f"kinds-{fresh()}"
    image = node("EmptyImage", width=64, height=32, batch_size=3, color=fresh())
    webp = {"fps": 6.0, "lossless": True, "quality": 80, "method": "default"}
    graph = {
        "1": image,
        "2": node("SaveImage", images=["1", 0], filename_prefix=f"{top}/deep/☂ é/picture"),
        "3": node("PreviewImage", images=["1", 0]),
        "4": node("SaveAnimatedWEBP", images=["1", 0], filename_prefix=f"{top}/moving", **webp),
        "5": node("PreviewAny", source="some text ☂"),
        "6": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "7": node("SaveLatent", samples=["6", 0], filename_prefix=f"{top}/latent"),
        "8": node("CreateVideo", images=["1", 0], fps=8.0),
        "9": node("SaveVideo", video=["8", 0], filename_prefix=f"{top}/deep/video", format="auto", codec="auto"),
        "10": node("EmptyAudio", duration=0.5, sample_rate=44100, channels=2),
        "11": node("SaveAudio", audio=["10", 0], filename_prefix=f"{top}/audio"),
        "12": node("SaveAudioMP3", audio=["10", 0], filename_prefix=f"{top}/audio", quality="V0"),
        "13": node("PreviewAudio", audio=["10", 0]),
        "14": node("SaveWEBM", images=["1", 0], filename_prefix=f"{top}/film", codec="vp9", fps=8.0, crf=32.0),
    }
    job = gateway.finish(gateway.submit(graph)["id"])
    assert job["status"] == "succeeded", job["error"]
    kinds = {o["node_id"]: (o["type"], o["content_type"]) for o in job["outputs"]}
    assert kinds == {
        "2": ("image", "image/png"),
        "3": ("image", "image/png"),
        "4": ("image", "image/webp"),
        "5": ("text", "text/plain"),
        "7": ("latent", "application/octet-stream"),
        "9": ("video", "video/mp4"),
        "11": ("audio", "audio/flac"),
        "12": ("audio", "audio/mpeg"),
        "13": ("audio", "audio/flac"),
        "14": ("video", "video/webm"),
    }
    contents: dict[str, dict[str, bytes]] = {}
    for output in job["outputs"]:
        asset = gateway.http.get(f"/api/v2/assets/{output['id']}").json()
        contents.setdefault(output["node_id"], {})[asset["file_path"]] = gateway.http.get(output["url"]).content
    [text] = contents.pop("5").values()
    assert text.decode() == "some text ☂"
    previews = {**contents.pop("3"), **contents.pop("13")}
    assert len(previews) == 4
    assert {name: gateway.read(f"/tmp/ComfyUI/temp/{name}") for name in previews} == previews
    folder = gateway.data / "output"
    written = {str(p.relative_to(folder)): p.read_bytes() for p in (folder / top).rglob("*") if p.is_file()}
    assert {name: data for files in contents.values() for name, data in files.items()} == written
    assert len(written) == 9 and f"{top}/deep/☂ é/picture_00001_.png" in written


def test_a_graph_that_makes_a_flood_is_bounded_and_the_next_job_runs(gateway: Container) -> None:
    """Hundreds of pictures of one job, and a text of megabytes."""
    flood = {
        "1": node("EmptyImage", width=8, height=8, batch_size=600, color=fresh()),
        "2": node("SaveImage", images=["1", 0], filename_prefix="flood"),
        "3": node("PreviewAny", source="x" * 3_000_000),
    }
    done = gateway.finish(gateway.submit(flood)["id"])
    assert done["status"] == "succeeded", done["error"]
    assert len(done["outputs"]) == 601
    assert gateway.finish(gateway.submit(small(fresh()))["id"])["status"] == "succeeded"


def branches() -> dict[str, Any]:
    """Two that have nothing in common: a picture and a preview, and two pictures; each with a slow node before."""
    color = fresh()
    graph: dict[str, Any] = {}
    for name in ("a", "b"):
        graph[f"{name}1"] = node("EmptyImage", width=512, height=512, batch_size=2 if name == "b" else 1, color=color)
        graph[f"{name}2"] = node("ImageBlur", image=[f"{name}1", 0], blur_radius=9, sigma=5.0)
        graph[f"{name}3"] = node("SaveImage", images=[f"{name}2", 0], filename_prefix=f"branches/{name}-{color}")
    return {**graph, "a4": node("PreviewImage", images=["a2", 0]), "b4": node("PreviewAny", source="some text")}


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Those of a PNG file; of what is written about the job, all but its id."""
    found, at = [], 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        if kind == b"tEXt" and body.startswith(b"pycomfy\0"):
            about = json.loads(body.partition(b"\0")[2])
            assert about.pop("job")
            body = json.dumps(about).encode()
        found.append((kind, body))
        at += size + 12
    return found


def test_a_job_in_two_branches_gives_what_it_gives_whole(
    engine: Engine, gateway: Container, hello_image: StartableImage, tmp_path: Path
) -> None:
    def run(container: Container) -> list[tuple[str, str, bytes]]:
        done = container.finish(container.submit(graph)["id"])
        assert done["status"] == "succeeded", done
        assert (done["progress"]["nodes_done"], done["progress"]["nodes_total"]) == (8, 8)
        return [(o["node_id"], o["name"], container.http.get(o["url"]).content) for o in done["outputs"]]

    graph = branches()
    settings = {"PYCOMFY_WORKERS": "2", "PYCOMFY_SPLIT": "apart"}
    with serving(engine, hello_image, tmp_path, settings) as two:
        two.until(lambda: two.http.post("/api/v2/jobs", json={"workflow": {"1": node("No")}}).status_code == 422)
        both = [two.submit(slow(fresh()))["id"] for _ in range(2)]
        two.until(lambda: all(two.job(job)["status"] == "running" for job in both))
        for job in both:
            two.http.post(f"/v1/jobs/{job}/cancel")
            two.finish(job)
        split = run(two)
        written = {path.relative_to(two.data).parts[0] for path in two.data.glob("**/branches/*.png")}
    assert written == {"output", "workers"}, "one ComfyUI did it all"
    whole = run(gateway)
    # The name of a preview is drawn.
    assert [(node, name) for node, name, _ in split if node != "a4"] == [(n, name) for n, name, _ in whole if n != "a4"]
    assert [node for node, _, _ in split] == ["a3", "b3", "b3", "a4", "b4"]
    for (_, name, one), (_, _, other) in zip(split, whole, strict=True):
        assert one == other if name.endswith(".txt") else chunks(one) == chunks(other)


def test_comfyui_that_is_killed_in_the_middle_of_a_job_is_started_again_and_the_job_runs(own: Container) -> None:
    job = own.submit(slow(fresh(), nodes=8))["id"]
    own.until(lambda: own.job(job)["status"] == "running")
    own.kill_comfyui()
    done = own.finish(job)
    assert done["status"] == "succeeded", done["error"]


def test_jobs_outlive_their_container(own: Container) -> None:
    done = own.finish(own.submit(small(fresh()))["id"])
    jobs = [own.submit(slow(fresh(), nodes=5))["id"], *(own.submit(small(fresh()))["id"] for _ in range(10))]
    own.until(lambda: own.job(jobs[0])["status"] == "running")
    own.kill()
    own.start()
    assert {own.finish(job)["status"] for job in jobs} == {"succeeded"}
    assert own.contents(own.job(done["id"])) == own.contents(done)
    assert own.stop() == 0


def test_a_full_disk_loses_no_accepted_job(engine: Engine, hello_image: StartableImage, tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "size=96m") as disk, serving(engine, hello_image, tmp_path) as container:
        running = container.submit(slow(fresh(), nodes=4))["id"]
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        refused = container.http.post("/api/v2/jobs", json={"workflow": slow(fresh(), nodes=2000)})
        assert refused.status_code in (201, 507), refused.text
        assert container.http.get("/livez").status_code == 200
        assert container.job(running)["id"] == running
        filler.unlink()
        assert container.finish(running)["status"] in ("succeeded", "failed")
        assert container.finish(container.submit(small(fresh()))["id"])["status"] == "succeeded", "and it goes on"


def test_twenty_seeded_kills_under_load_end_every_accepted_job_once(own: Container) -> None:
    """Of ComfyUI, of the gateway and of the whole container, at random times."""
    seed = int(os.environ.get("STORY_SEED", random.randrange(1 << 30)))
    print(f"STORY_SEED={seed}")
    dice = random.Random(seed)
    accepted: list[str] = []
    ends: dict[str, set[str]] = {}
    for _ in range(int(os.environ.get("STORY_KILLS", "20"))):
        for _ in range(dice.randint(2, 5)):
            try:
                accepted.append(own.submit(small(fresh()))["id"])
            except (httpx.TransportError, AssertionError):
                break  # not accepted: the gateway is on its way
        threading.Event().wait(dice.random() * 1.5)
        victim = dice.choice(["comfyui", "gateway", "container"])
        try:
            if victim == "comfyui":
                own.kill_comfyui()
            elif victim == "gateway":
                os.kill(own.gateway(), signal.SIGKILL)
        except (StopIteration, ProcessLookupError):
            pass  # it is being started
        if victim != "comfyui":
            own.kill()
            own.start(wait=False)
            own.until(lambda: own.ready() is not None)
        for job in accepted:
            state = own.job(job)["status"]
            if state in TERMINAL:
                ends.setdefault(job, set()).add(state)
    for job in accepted:
        ends.setdefault(job, set()).add(own.finish(job)["status"])
    assert len(accepted) > 20
    assert all(len(states) == 1 for states in ends.values()), "an end is for good"
    assert set(ends) == set(accepted)
    lost = [own.job(job) for job in accepted if ends[job] != {"succeeded"}]
    # Three starts of a job whose ComfyUI died are enough: it ends as failed, with its reason.
    assert all(job["status"] == "failed" and job["error"]["code"] == "worker_lost" for job in lost), lost
    assert all(len(own.job(job)["outputs"]) == 1 for job in accepted if ends[job] == {"succeeded"})
