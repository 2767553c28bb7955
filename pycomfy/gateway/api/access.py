"""Who calls: bearer keys, and what each may do."""

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import HTTPConnection


class Caller(BaseModel):
    """`name` is that of its key; empty where the API is open to everybody."""

    name: str = ""


async def _find_caller(connection: HTTPConnection) -> Caller:
    return Caller()


Authenticated = Annotated[Caller, Depends(_find_caller)]
