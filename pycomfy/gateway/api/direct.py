"""Routes whose usual requests get to their function at once: FastAPI's way of finding the parameters takes longer than
most of these functions do."""

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi.dependencies.models import Dependant
from fastapi.params import Body, Form
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

_PLAIN = (str, int, float, bool, type(None))
_TEXTS = (str, str | None)


class DirectRoute(APIRoute):
    """A route that is documented, and whose requests are checked, as FastAPI does it.

    It calls its function itself for a request without a query, with the same models for headers and for a body of JSON.
    Every other request goes FastAPI's way, and so does one in which something is wrong: the words for that are there.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        plan = _plan(self)
        if plan is not None:
            self.app = _Direct(plan, endpoint, self.app)


class _Field(Protocol):
    """A parameter, as FastAPI describes it."""

    name: str

    @property
    def alias(self) -> str: ...

    def validate(self, value: Any, *, loc: tuple[int | str, ...]) -> tuple[Any, Any]: ...


@dataclass(frozen=True)
class _Plan:
    """Where the parameters of a function come from. `found` are those that FastAPI calls dependencies: the name of
    each, its function, and the name by which that takes the request."""

    request: str | None
    found: tuple[tuple[str, Callable[..., Awaitable[Any]], str], ...]
    headers: tuple[_Field, ...]
    body: _Field | None

    def read_headers(self, request: Request) -> dict[str, Any]:
        """The values of headers that are there. Raises `ValueError`."""
        given = ((field, request.headers.get(field.alias)) for field in self.headers)
        return {field.name: _validate(field, value) for field, value in given if value is not None}

    @staticmethod
    def read_body(field: _Field, request: Request, content: bytes) -> Any:
        """Raises `ValueError`, `RecursionError` for a body that is wrong, or in another form than JSON."""
        media_type = request.headers.get("content-type", "").partition(";")[0]
        if media_type != "application/json":
            raise ValueError(media_type)
        return _validate(field, json.loads(content))


def _validate(field: _Field, value: Any) -> Any:
    """Raises `ValueError`."""
    value, errors = field.validate(value, loc=())
    if errors:
        raise ValueError(field.name)
    return value


class _Direct:
    """The application of a route; `checked` is FastAPI's."""

    def __init__(self, plan: _Plan, endpoint: Callable[..., Any], checked: Any) -> None:
        self._plan, self._endpoint, self._checked = plan, endpoint, checked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plan, request = self._plan, Request(scope, receive, send)
        content: bytes | None = None
        try:
            if scope["query_string"]:
                raise ValueError("a query")
            values = {**scope["path_params"], **plan.read_headers(request)}
            if plan.body is not None:
                content = await request.body()
                values[plan.body.name] = plan.read_body(plan.body, request, content)
        except (ValueError, RecursionError, ClientDisconnect):
            await self._checked(scope, receive if content is None else _repeat(content, receive), send)
            return
        if plan.request is not None:
            values[plan.request] = request
        for name, find, argument in plan.found:
            values[name] = await find(**{argument: request})
        response: Response = await self._endpoint(**values)
        await response(scope, receive, send)


def _repeat(content: bytes, receive: Receive) -> Receive:
    """The messages of a request whose body was read."""
    first: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def take() -> Message:
        return first.pop() if first else await receive()

    return take


def _plan(route: APIRoute) -> _Plan | None:
    """None for a route that has more to find than requests, texts in its path, and one body of JSON."""
    of, signature = route.dependant, inspect.signature(route.endpoint)
    optional = of.query_params + of.header_params
    if (
        not inspect.iscoroutinefunction(route.endpoint)
        or not _is_response(signature.return_annotation)
        or _has_more(of)
        or len(of.body_params) > 1
        or any(not _is_whole(field.field_info) for field in of.body_params)
        or any(field.field_info.annotation is not str or field.field_info.metadata for field in of.path_params)
        or any(not isinstance(kind, StringConvertor) for kind in route.param_convertors.values())
        or any(not isinstance(signature.parameters[field.name].default, _PLAIN) for field in optional)
        or any(field.field_info.annotation not in _TEXTS for field in of.header_params)
        or not all(_takes_request(found) for found in of.dependencies)
    ):
        return None
    return _Plan(
        request=of.request_param_name,
        found=tuple((str(f.name), f.call, str(f.http_connection_param_name)) for f in of.dependencies if f.call),
        headers=tuple(of.header_params),
        body=of.body_params[0] if of.body_params else None,
    )


def _is_response(returned: object) -> bool:
    return isinstance(returned, type) and issubclass(returned, Response)


def _is_whole(body: object) -> bool:
    """Whether the parameter is all of a body of JSON."""
    return isinstance(body, Body) and not isinstance(body, Form) and not body.embed


def _has_more(of: Dependant) -> bool:
    others = (of.websocket_param_name, of.response_param_name, of.background_tasks_param_name)
    return bool(of.cookie_params or of.http_connection_param_name or of.security_scopes_param_name or any(others))


def _takes_request(of: Dependant) -> bool:
    """Whether it is a coroutine function of the request alone."""
    params = of.path_params or of.query_params or of.header_params or of.body_params or of.dependencies
    is_named = bool(of.name and of.http_connection_param_name)
    return inspect.iscoroutinefunction(of.call) and is_named and not (params or of.cookie_params)
