import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from aiohttp import web
from moto.server import ThreadedMotoServer

from pycomfy.gateway.assets import storage
from pycomfy.gateway.assets.model import Asset
from pycomfy.gateway.assets.storage import StorageFailed, make_key, make_storage

ASSET = Asset(
    id="i",
    hash=f"blake3:{'ab' * 32}",
    size=0,
    owner="",
    content_type="image/png",
    file_path=None,
    tags=(),
    job="11111111-2222-4333-8444-555555555555",
    created_at=datetime(2026, 11, 27, tzinfo=UTC),
    expires_at=None,
)
ADMIN = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin", "region_name": "eu-west-1"}
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


@dataclass
class S3:
    """An S3 server that looks at signatures, with a bucket `outputs` and a user who may write there."""

    address: str
    key_id: str
    secret: str
    admin: Any

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_S3": self.address,
        }

    def read(self, key: str) -> tuple[bytes, str]:
        found = self.admin.get_object(Bucket="outputs", Key=key)
        return found["Body"].read(), found["ContentType"]

    def list_keys(self) -> list[str]:
        return [o["Key"] for o in self.admin.list_objects_v2(Bucket="outputs").get("Contents", [])]


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        iam = boto3.client("iam", endpoint_url=address, **ADMIN)
        iam.create_user(UserName="gateway")
        iam.put_user_policy(UserName="gateway", PolicyName="p", PolicyDocument=POLICY)
        key = iam.create_access_key(UserName="gateway")["AccessKey"]
        key_id, secret = key["AccessKeyId"], key["SecretAccessKey"]
        # From here on, moto looks at every signature.
        requests.post(f"{address}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
        s3 = boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            region_name="eu-west-1",
        )
        yield S3(address, key_id, secret, s3)
    finally:
        server.stop()


@pytest.fixture
def s3(server: S3) -> Iterator[S3]:
    server.admin.create_bucket(Bucket="outputs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield server
    for key in server.list_keys():
        server.admin.delete_object(Bucket="outputs", Key=key)
    server.admin.delete_bucket(Bucket="outputs")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PAUSE", 0.001)


def put(setting: str, environment: dict[str, str], path: Path, name: str = "p.png", *, token: str = "") -> str:
    async def run() -> str:
        made = make_storage(setting, environment, token=token)
        assert made is not None
        try:
            return await made.put(path, replace(ASSET, size=path.stat().st_size), name)
        finally:
            await made.close()

    return asyncio.run(run())


def write(tmp_path: Path, size: int) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(size))
    return path


# — S3 —


@pytest.mark.parametrize("size", [0, 1000, storage.WHOLE, storage.WHOLE + 1, 40 << 20])
def test_a_file_comes_to_s3_as_it_is(s3: S3, tmp_path: Path, size: int) -> None:
    path = write(tmp_path, size)
    address = put("s3://outputs/a/b/", s3.environment, path)
    key = f"a/b/{ASSET.job}/{'ab' * 6}-p.png"
    assert address == f"s3://outputs/{key}"
    data, content_type = s3.read(key)
    assert data == path.read_bytes()
    assert content_type == "image/png"
    assert s3.list_keys() == [key]


def test_the_same_output_has_one_key_and_another_has_another(s3: S3, tmp_path: Path) -> None:
    path = write(tmp_path, 10)
    assert put("s3://outputs", s3.environment, path) == put("s3://outputs", s3.environment, path)
    assert make_key(ASSET, "p.png") != make_key(replace(ASSET, hash=f"blake3:{'cd' * 32}"), "p.png")
    assert len(s3.list_keys()) == 1


@pytest.mark.parametrize("name", ["../../x.png", "a b+c%2F&?#.png", "ü\0\n.png", "." * 300, "x" * 3000 + ".png", ""])
def test_names_from_outside_make_plain_keys(s3: S3, tmp_path: Path, name: str) -> None:
    address = put("s3://outputs/p", s3.environment, write(tmp_path, 10), name)
    job, _, last = address.removeprefix("s3://outputs/p/").partition("/")
    assert job == ASSET.job
    assert set(last) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert len(last) <= 113
    assert s3.list_keys() == [address.removeprefix("s3://outputs/")]


def test_a_wrong_key_is_told_without_it(s3: S3, tmp_path: Path) -> None:
    wrong = {**s3.environment, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    for size in (10, storage.WHOLE + 1):
        with pytest.raises(StorageFailed, match=r"^the storage answered 403") as e:
            put("s3://outputs", wrong, write(tmp_path, size))
        assert "not-the-secret" not in str(e.value)
        assert s3.key_id not in str(e.value)
    assert s3.list_keys() == []


def test_a_bucket_that_is_not_there_is_told(s3: S3, tmp_path: Path) -> None:
    for size in (10, storage.WHOLE + 1):
        with pytest.raises(StorageFailed, match="404"):
            put("s3://nobodys", s3.environment, write(tmp_path, size))


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(StorageFailed, match="cannot be used"):
        put("s3://outputs", environment, write(tmp_path, 10))


@pytest.mark.parametrize(
    ("setting", "environment", "endpoint"),
    [
        ("s3://abc/x", {"AWS_REGION": "eu-west-1"}, "https://abc.s3.eu-west-1.amazonaws.com"),
        ("s3://a.bc", {"AWS_DEFAULT_REGION": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/a.bc"),
        ("s3://abc", {"AWS_ENDPOINT_URL": "http://minio:9000/"}, "http://minio:9000/abc"),
        ("s3://abc", {}, "https://abc.s3.us-east-1.amazonaws.com"),
    ],
)
def test_where_a_bucket_is(setting: str, environment: dict[str, str], endpoint: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    assert storage._parse_s3(setting, {**keys, **environment}).endpoint == endpoint


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("s3://outputs", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://", "s3://BUCKET"),
        ("s3://../x", "s3://BUCKET"),
        ("s3://user:word@host/x", "s3://BUCKET"),
        ("ftp://x/{name}", "s3://BUCKET/PREFIX, or an https"),
        ("/data/out", "s3://BUCKET/PREFIX, or an https"),
        ("https://host/x", r"\{name\}"),
        ("https:///{name}", "host"),
        ("https://host:x/{name}", "not valid"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_at_the_start(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_storage(setting, {})


def test_no_setting_is_no_storage() -> None:
    assert make_storage("", {}) is None


# — HTTP PUT —


@dataclass
class Place:
    """What came to a server that takes PUT. `answers` are given first, then 201."""

    answers: list[int]
    came: dict[str, bytes] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        data = await request.content.read()
        status = self.answers.pop(0) if self.answers else 201
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        if status == 201:
            self.came[request.raw_path] = data
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 307 else {})


@contextlib.asynccontextmanager
async def serving(answers: list[int]) -> AsyncIterator[Place]:
    place = Place(answers)
    runner = web.ServerRunner(web.Server(place.answer), shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    place.url = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield place
    finally:
        await runner.cleanup()


def put_there(path: Path, template: str, *answers: int, token: str = "", name: str = "p q.png") -> tuple[Place, str]:
    async def run() -> tuple[Place, str]:
        async with serving([*answers]) as place:
            made = make_storage(template.replace("HOST", place.url), {}, token=token)
            assert made is not None
            try:
                return place, await made.put(path, replace(ASSET, size=path.stat().st_size), name)
            except StorageFailed as e:
                return place, str(e)
            finally:
                await made.close()

    return asyncio.run(run())


def test_a_file_is_put_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, 20 << 20)
    place, address = put_there(path, "http://HOST/x/{job}/{name}?h={hash}", token="word")
    key = f"/x/{ASSET.job}/{'ab' * 6}-p_q.png"
    assert place.came == {f"{key}?h={'ab' * 32}": path.read_bytes()}
    assert address == f"http://{place.url}{key}"
    (headers,) = place.headers
    assert headers["Authorization"] == "Bearer word"
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(20 << 20)


def test_an_address_is_given_without_its_secrets(tmp_path: Path) -> None:
    place, address = put_there(write(tmp_path, 10), "http://ann:word@HOST/{name}?sig=secret")
    assert address == f"http://{place.url}/{'ab' * 6}-p_q.png"
    assert place.headers[0]["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("answers", [[503, 429], [0, 500], [408]])
def test_what_may_be_over_soon_is_tried_again(tmp_path: Path, answers: list[int]) -> None:
    path = write(tmp_path, 1000)
    place, _ = put_there(path, "http://HOST/{name}", *answers)
    assert list(place.came.values()) == [path.read_bytes()]
    assert len(place.headers) == len(answers) + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 307])
def test_a_refusal_is_final(tmp_path: Path, status: int) -> None:
    place, error = put_there(write(tmp_path, 10), "http://ann:word@HOST/{name}?sig=secret", status)
    assert error == f"the storage answered {status}"
    assert len(place.headers) == 1
    assert place.came == {}


def test_tries_end(tmp_path: Path) -> None:
    place, error = put_there(write(tmp_path, 10), "http://HOST/{name}?sig=secret", *[500] * 9)
    assert error == "the storage answered 500, 4 times"
    assert len(place.headers) == storage.TRIES


def test_while_a_storage_is_out_of_order_each_file_is_tried_once(tmp_path: Path) -> None:
    path = write(tmp_path, 10)

    async def run() -> list[int]:
        tries = []
        async with serving([500] * 6) as place:
            made = make_storage(f"http://{place.url}/{{name}}", {})
            assert made is not None
            for name in ("a", "b", "c", "d"):
                before = len(place.headers)
                with contextlib.suppress(StorageFailed):
                    await made.put(path, ASSET, name)
                tries.append(len(place.headers) - before)
            place.answers[:] = [500, 500]
            await made.put(path, ASSET, "e")
            tries.append(len(place.headers) - sum(tries))
            await made.close()
        return tries

    assert asyncio.run(run()) == [4, 1, 1, 1, 3]


def test_a_name_with_a_field_in_it_fills_nothing(tmp_path: Path) -> None:
    place, _ = put_there(write(tmp_path, 10), "http://HOST/{name}", name="{job}{hash.__class__}.png")
    assert list(place.came) == [f"/{'ab' * 6}-_job_hash.__class___.png"]
