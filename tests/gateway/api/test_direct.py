"""A direct route answers as FastAPI's own does, and without its search for parameters where a request is usual."""

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Form, Header, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from pycomfy.gateway.api.direct import DirectRoute

GIVEN = {"name": "a", "count": 2}


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=3)
    count: int = 1
    inner: dict[str, Any] = {}


async def _find_host(connection: HTTPConnection) -> str:
    return connection.headers["host"]


Host = Annotated[str, Depends(_find_host)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=5)]


def make_app(route_class: type[APIRoute]) -> FastAPI:
    router = APIRouter(prefix="/things", route_class=route_class)

    @router.post("/{id}", status_code=201)
    async def post(id: str, body: Thing, request: Request, host: Host, key: Key = None) -> Response:  # noqa: A002
        more = {"id": id, "host": host, "key": key, "method": request.method}
        return JSONResponse({"body": repr(body), **more}, 201)

    @router.get("/{id}")
    async def get(id: str, host: Host, limit: Annotated[int, Query(ge=1)] = 5) -> Response:  # noqa: A002
        return JSONResponse({"id": id, "host": host, "limit": limit})

    @router.post("/named/{id}")
    async def post_named(id: str, body: Annotated[Thing, Body(embed=True)]) -> Response:  # noqa: A002
        return JSONResponse({"body": repr(body)})

    @router.get("/plain/{id}")
    async def get_plain(id: str) -> dict[str, str]:  # noqa: A002
        return {"id": id}

    @router.get("/checked/{id}", dependencies=[Depends(_find_host)])
    async def get_checked(id: str) -> Response:  # noqa: A002
        return JSONResponse({"id": id})

    @router.get("/numbered/{number}")
    async def get_number(number: int) -> Response:
        return JSONResponse({"number": number})

    @router.post("")
    async def post_form(name: Annotated[str, Form()]) -> Response:
        return JSONResponse({"name": name})

    app = FastAPI()
    app.router.routes.extend(router.routes)
    return app


def ask(app: FastAPI, method: str, path: str, **more: Any) -> tuple[int, Any]:
    return asyncio.run(_ask(app, method, path, **more))


async def _ask(app: FastAPI, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.request(method, path, **more)
        return answer.status_code, answer.json()


JSON = {"Content-Type": "application/json"}
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "usual": ("POST", "/things/a", {"json": GIVEN}),
    "with a header": ("POST", "/things/a", {"json": GIVEN, "headers": {"idempotency-key": "k"}}),
    "an empty header": ("POST", "/things/a", {"json": GIVEN, "headers": {"Idempotency-Key": ""}}),
    "two headers": (
        "POST",
        "/things/a",
        {"json": GIVEN, "headers": [("Idempotency-Key", "k"), ("idempotency-key", "l")]},
    ),
    "a long header": ("POST", "/things/a", {"json": GIVEN, "headers": {"Idempotency-Key": "k" * 6}}),
    "a query that nobody reads": ("POST", "/things/a?limit=0", {"json": GIVEN}),
    "a charset": (
        "POST",
        "/things/a",
        {"content": b'{"name": "a"}', "headers": {"Content-Type": "application/json; x=y"}},
    ),
    "another JSON": (
        "POST",
        "/things/a",
        {"content": b'{"name": "a"}', "headers": {"Content-Type": "application/x+json"}},
    ),
    "no type": ("POST", "/things/a", {"content": b'{"name": "a"}'}),
    "text": ("POST", "/things/a", {"content": b'{"name": "a"}', "headers": {"Content-Type": "text/plain"}}),
    "no body": ("POST", "/things/a", {}),
    "an empty body": ("POST", "/things/a", {"content": b"", "headers": JSON}),
    "a wrong body": ("POST", "/things/a", {"json": {"name": "long", "count": "x", "more": 1}}),
    "a list": ("POST", "/things/a", {"json": [GIVEN]}),
    "null": ("POST", "/things/a", {"content": b"null", "headers": JSON}),
    "half of JSON": ("POST", "/things/a", {"content": b'{"name": ', "headers": JSON}),
    "no UTF-8": ("POST", "/things/a", {"content": b'{"name": "\xff"}', "headers": JSON}),
    "UTF-16": ("POST", "/things/a", {"content": '{"name": "a"}'.encode("utf-16"), "headers": JSON}),
    "very deep": ("POST", "/things/a", {"content": b"[" * 100_000, "headers": JSON}),
    "no number": ("POST", "/things/a", {"content": b'{"name": "a", "inner": {"x": 1e400}}', "headers": JSON}),
    "get": ("GET", "/things/a%20b", {}),
    "get with a query": ("GET", "/things/a?limit=7", {}),
    "get with a wrong query": ("GET", "/things/a?limit=0", {}),
    "a number in the path": ("GET", "/things/numbered/5", {}),
    "no number in the path": ("GET", "/things/numbered/a", {}),
    "an answer that is no response": ("GET", "/things/plain/a", {}),
    "a dependency without a name": ("GET", "/things/checked/a", {}),
    "a body with a name": ("POST", "/things/named/a", {"json": {"body": GIVEN}}),
    "a body without its name": ("POST", "/things/named/a", {"json": GIVEN}),
    "a form": ("POST", "/things", {"data": {"name": "a"}}),
    "another method": ("DELETE", "/things/a", {}),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_direct_route_answers_as_fastapis_own(request_: tuple[str, str, dict[str, Any]]) -> None:
    method, path, more = request_
    assert ask(make_app(DirectRoute), method, path, **more) == ask(make_app(APIRoute), method, path, **more)


def test_a_direct_route_is_documented_as_fastapis_own() -> None:
    assert make_app(DirectRoute).openapi() == make_app(APIRoute).openapi()


@pytest.mark.parametrize("name", ["usual", "with a header", "a charset", "get"])
def test_a_usual_request_takes_no_search_for_parameters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(DirectRoute)
    monkeypatch.delattr("fastapi.routing.solve_dependencies")
    method, path, more = REQUESTS[name]
    status, _ = ask(app, method, path, **more)
    assert status in (200, 201)
