"""Sign in and out, and say who one is."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from pycomfy import __version__
from pycomfy.core.access.users import RoleTitle
from pycomfy.server.access import too_many
from pycomfy.server.audit import Audit
from pycomfy.server.callers import CallerOf, Callers, SignIn, TooManyWrongKeys
from pycomfy.server.problems import problem
from pycomfy.server.roles import SESSION
from pycomfy.server.state import WorkspaceOf

router = APIRouter(tags=["session"])


class Token(BaseModel):
    """The token of this start, or a user's key."""

    model_config = ConfigDict(extra="forbid")

    token: str


class Session(BaseModel):
    """Whom one talks to, and who one is: `name` is "" for the owner. `sign_in_with` says how one signed in."""

    version: str
    data: str
    name: str
    role: RoleTitle
    sign_in_with: SignIn


@router.post(SESSION, status_code=204, response_class=Response)
async def begin_session(request: Request, body: Token) -> Response:
    """Change the token, which the page has from its address, or a user's key, for a cookie."""
    callers: Callers = request.app.state.callers
    audit: Audit = request.app.state.audit
    try:
        begun = callers.begin(body.token, audit.address(request))
    except TooManyWrongKeys as e:
        refusal = too_many(e)
        answer: JSONResponse = problem(refusal.status, refusal.code, refusal.message)
        answer.headers.update(refusal.headers)
        return answer
    if begun is None:
        await audit.record(request, None, 401, "sign in")
        wrong = "token" if callers.sign_in_with == "token" else "key"
        return problem(401, "unauthorized", f"this is not a {wrong} of this server", sign_in_with=callers.sign_in_with)
    cookie, caller = begun
    await audit.record(request, caller, 204, "sign in")
    done = Response(status_code=204)
    is_secure = request.headers.get("origin", "").startswith("https:")
    done.set_cookie(request.app.state.cookie, cookie, httponly=True, samesite="strict", path="/", secure=is_secure)
    return done


@router.delete(SESSION, status_code=204, response_class=Response)
def end_session(request: Request) -> Response:
    """Sign out, in this browser."""
    callers: Callers = request.app.state.callers
    callers.end(request.cookies.get(request.app.state.cookie, ""))
    done = Response(status_code=204)
    done.delete_cookie(request.app.state.cookie, httponly=True, samesite="strict", path="/")
    return done


@router.get(SESSION)
def show_session(request: Request, workspace: WorkspaceOf, caller: CallerOf) -> Session:
    """Whom one talks to, and who one is."""
    return Session(
        version=__version__,
        data=str(workspace.paths.data),
        name=caller.name,
        role=caller.role.title,
        sign_in_with=request.app.state.callers.sign_in_with,
    )
