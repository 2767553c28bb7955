"""A server that several people use: who may do what, how each is known, and what is written down of it."""

import contextlib
import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from pycomfy.core.access.users import Role
from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import WRONG_KEYS, OwnerAlone, Team, TooManyWrongKeys, TrustedProxy, WrongKeys
from pycomfy.server.hosts import known_hosts
from pycomfy.server.roles import KINDS, ROLES, SOCKET, find_rules, list_kinds
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.users import KnownUsers, add_user, list_audit, open_audit_log, remove_user
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record
from tests.support.studio import COOKIE, ORIGIN, WORKFLOW, studio

HEADER = "x-remote-user"
PROXY = "10.0.0.2"
FORM = {"origin": ORIGIN}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "data")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


@pytest.fixture
def keys(workspace: Workspace, file: Path) -> dict[str, str]:
    """The keys of users who are called as their roles."""
    added = [add_user(workspace, file, name, name) for name in ("view", "run", "build")]
    return {one.name: one.key or "" for one in added}


@contextlib.contextmanager
def team(
    workspace: Workspace, file: Path | None, proxy: TrustedProxy | None = None, at: str = "192.0.2.7"
) -> Iterator[TestClient]:
    users = KnownUsers(file) if file is not None else None
    hosts = known_hosts(["studio.example"])
    access = AccessOptions(Team(users, proxy), COOKIE, hosts, open_audit_log(workspace))
    with studio(workspace, access=access, client=(at, 1)) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


# — roles —


def test_every_route_has_its_role_in_the_table(workspace: Workspace) -> None:
    app = make_app(workspace, OperationRunner(workspace), AccessOptions(OwnerAlone("t")))
    routes = {(method.upper(), path) for path, found in app.openapi()["paths"].items() for method in found}
    others = {("GET", "/api/openapi.json"), ("GET", "/metrics"), (SOCKET, "/api/live")}
    assert routes | others == {(method, path.replace(":path", "")) for method, path in ROLES}


def test_what_is_not_in_the_table_is_refused_whatever_the_server_has(
    workspace: Workspace, file: Path, keys: Any
) -> None:
    with team(workspace, file) as client:

        @client.app.get("/api/forgotten")  # type: ignore[attr-defined, untyped-decorator]
        def forgotten() -> str:
            return "reached"

        assert client.get("/api/forgotten", headers=bearer(keys["build"])).status_code == 404
        answer = client.put("/api/workflows", headers=bearer(keys["build"]))
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
        answer = client.put("/api/workflows/example", headers=bearer(keys["build"]))
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def fill(path: str) -> str:
    for name, value in {"{name}": "a", "{tag}": "t", "{version}": "1", "{key}": "k", "{path:path}": "x"}.items():
        path = path.replace(name, value)
    return path


def test_a_role_that_is_too_low_is_refused_on_every_route(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        for (method, path), role in ROLES.items():
            if method == SOCKET or role is None:
                continue
            for lower in (one for one in (Role.VIEW, Role.RUN) if one < role):
                answer = client.request(method, fill(path), headers=bearer(keys[lower.title]))
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
                assert role.title in answer.json()["message"]
            assert client.request(method, fill(path)).status_code == 401


def test_every_kind_of_operation_has_its_role() -> None:
    assert set(KINDS) == list_kinds()


def test_who_may_run_starts_runs_and_nothing_else(workspace: Workspace, file: Path, keys: Any) -> None:
    record(workspace.paths, make_files("sky"))
    with team(workspace, file) as client:
        for kind in KINDS:
            bodies = [{"kind": kind, "workflow": name} for name in ("sky@1", "")]  # some are of no workflow
            answers = [client.post("/api/operations", json=body, headers=bearer(keys["run"])) for body in bodies]
            statuses = {answer.status_code for answer in answers} - {422}
            assert statuses == {201 if kind == "run" else 403}, kind
        (started,) = client.get("/api/operations", headers=bearer(keys["view"])).json()
        assert (started["kind"], started["created_by"]) == ("run", "run")


def test_what_somebody_else_started_is_cancelled_by_who_may_build(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        start = {"kind": "verify", "workflow": "nothing@1"}
        key = client.post("/api/operations", json=start, headers=bearer(keys["build"])).json()["id"]
        cancel = f"/api/operations/{key}/cancel"
        assert client.post(cancel, headers=bearer(keys["run"])).status_code == 403
        assert client.post(cancel, headers=bearer(keys["build"])).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "restore", "workflow": "sky@1", "form": "project", "folder": "/tmp/x"},
        {"kind": "lock", "workflow": "sky", "packs": ["x=/home/somebody/secret"]},
        {"kind": "lock", "workflow": "sky", "packs": ["x=file:///home/somebody/secret"]},
        {"kind": "run", "workflow": "sky@1", "inputs": {"photo": "/etc/passwd"}},
    ],
)
def test_nobody_but_the_owner_names_a_file_of_the_machine(
    workspace: Workspace, file: Path, keys: Any, body: dict[str, Any]
) -> None:
    photo = {"name": "photo", "type": "image", "targets": [{"node": "1", "input": "image"}]}
    interface = json.dumps({"parameters": [photo], "outputs": []}).encode()
    record(workspace.paths, {**make_files("sky"), "interface.json": interface})
    with team(workspace, file) as client:
        answer = client.post("/api/operations", json=body, headers=bearer(keys["build"]))
        assert answer.status_code == 403, answer.text
        assert client.get("/api/operations", headers=bearer(keys["build"])).json() == []


# — keys —


def test_a_key_is_changed_for_a_cookie_that_ends_with_the_user(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        answer = client.get("/api/session")
        assert (answer.status_code, answer.json()["sign_in_with"]) == (401, "key")
        assert client.post("/api/session", json={"token": keys["run"]}, headers=FORM).status_code == 204
        assert keys["run"] not in str(client.cookies)
        session = client.get("/api/session").json()
        assert (session["name"], session["role"]) == ("run", "run")
        remove_user(file, "run")
        assert client.get("/api/session").status_code == 401
        add_user(workspace, file, "run", "run")  # the same name with another key is somebody else
        assert client.get("/api/session").status_code == 401


def test_who_signs_out_is_out(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        client.post("/api/session", json={"token": keys["view"]}, headers=FORM)
        kept = dict(client.cookies)
        assert client.delete("/api/session", headers=FORM).status_code == 204
        client.cookies.update(kept)
        assert client.get("/api/session").status_code == 401


def test_somebody_who_is_removed_hears_nothing_more(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        headers = {**bearer(keys["view"]), "host": "studio.example"}
        with client.websocket_connect("ws://studio.example/api/live", headers=headers) as socket:
            start = {"kind": "verify", "workflow": "nothing@1"}
            client.post("/api/operations", json=start, headers=bearer(keys["build"]))
            assert "operation" in json.loads(socket.receive_text())
            remove_user(file, "view")
            client.post("/api/operations", json=start, headers=bearer(keys["build"]))
            with pytest.raises(WebSocketDisconnect) as ended:
                for _ in range(20):
                    socket.receive_text()
            assert ended.value.code == 1008


def test_while_the_file_cannot_be_read_nobody_is_known(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        good = file.read_text()
        file.write_text(f"{good}[")
        assert client.get("/api/workflows", headers=bearer(keys["build"])).status_code == 503
        file.write_text(good)
        assert client.get("/api/workflows", headers=bearer(keys["build"])).status_code == 200
        file.chmod(0o644)
        file.write_text(f"{good}\n")
        assert client.get("/api/workflows", headers=bearer(keys["build"])).status_code == 503


def test_keys_cannot_be_guessed_without_end(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        client.post("/api/session", json={"token": keys["view"]}, headers=FORM)
        for _ in range(WRONG_KEYS):
            assert client.post("/api/session", json={"token": "wrong"}, headers=FORM).status_code == 401
        refused = client.post("/api/session", json={"token": keys["build"]}, headers=FORM)
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert client.get("/api/workflows", headers=bearer(keys["build"])).status_code == 429
        assert client.get("/api/workflows").status_code == 200  # who is in stays in


def test_wrong_keys_are_counted_by_address_and_of_ipv6_by_network() -> None:
    now = 0.0
    wrong = WrongKeys(lambda: now)
    for _ in range(WRONG_KEYS):
        wrong.add("2001:db8::1")
    with pytest.raises(TooManyWrongKeys):
        wrong.check("2001:db8::2")
    wrong.check("2001:db8:1::1")
    now = 60.0
    wrong.check("2001:db8::1")


# — a proxy —


def proxy(role: Role = Role.VIEW) -> TrustedProxy:
    return TrustedProxy(HEADER, (ipaddress.ip_network(PROXY),), role)


def test_a_proxy_says_who_asks_and_the_file_what_they_may(workspace: Workspace, file: Path, keys: Any) -> None:
    add_user(workspace, file, "anna@example.org", "build", with_key=False)
    with team(workspace, file, proxy(), at=PROXY) as client:
        for name, role in (("anna@example.org", "build"), ("somebody", "view")):
            session = client.get("/api/session", headers={HEADER: name}).json()
            assert (session["name"], session["role"]) == (name, role)
        # A browser sends what the proxy knows it by without being asked: a page of this server must ask.
        asked = {HEADER: "anna@example.org"}
        assert client.post("/api/workflows", content=b"{}", headers=asked).status_code == 403
        sent = json.dumps(WORKFLOW).encode()
        assert client.post("/api/workflows", content=sent, headers={**asked, **FORM}).status_code == 201


def test_nobody_but_the_proxy_is_believed(workspace: Workspace, file: Path, keys: Any) -> None:
    for at in ("10.0.0.3", "127.0.0.1", "::1", "testclient"):
        with team(workspace, None, proxy(Role.BUILD), at=at) as client:
            assert client.get("/api/workflows", headers={HEADER: "anna"}).status_code == 401
            forwarded = {HEADER: "anna", "x-forwarded-for": PROXY}
            assert client.get("/api/workflows", headers=forwarded).status_code == 401


@pytest.mark.parametrize("names", [[""], ["anna", "build"], ["<b>"], ["a" * 65], ["anna, build"], [" "]])
def test_a_name_that_is_not_one_name_is_nobody(workspace: Workspace, names: list[str]) -> None:
    with team(workspace, None, proxy(Role.BUILD), at=PROXY) as client:
        headers = [(HEADER, name) for name in names]
        assert client.get("/api/workflows", headers=headers).status_code == 401


# — names of the server —


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("studio.example", 200),
        ("STUDIO.example:443", 200),
        ("192.0.2.1:8787", 200),
        ("[2001:db8::1]:8787", 200),
        ("evil.example", 403),
        ("studio.example.evil.example", 403),
        ("", 403),
    ],
)
def test_it_answers_to_its_names_and_to_addresses(
    workspace: Workspace, file: Path, keys: Any, host: str, status: int
) -> None:
    with team(workspace, file) as client:
        answer = client.get("/api/workflows", headers={**bearer(keys["view"]), "host": host})
        assert answer.status_code == status


# — the audit log —


def test_what_is_done_is_written_down_with_who_did_it(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        client.post("/api/session", json={"token": "wrong"}, headers=FORM)
        client.post("/api/session", json={"token": keys["build"]}, headers=FORM)
        client.post("/api/operations", json={"kind": "verify", "workflow": "nothing@1"}, headers=FORM)
        client.get("/api/workflows")
        client.post("/api/operations", json={"kind": "verify", "workflow": "a"}, headers=bearer(keys["view"]))
    found = [(one.user, one.action, one.status) for one in list_audit(workspace)]
    assert found == [
        ("view", "POST /api/operations", 403),
        ("build", "POST /api/operations", 201),
        ("build", "sign in", 204),
        ("", "sign in", 401),
    ]
    assert "verify nothing@1" in list_audit(workspace)[1].what
    text = workspace.paths.audit_log.read_text()
    assert not any(key in text for key in keys.values()) and "192.0.2.7" in text
    assert workspace.paths.audit_log.stat().st_mode & 0o077 == 0


def test_no_text_of_a_request_looks_like_another_entry(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        client.delete(
            "/api/workflows/x%0a%7b%22user%22:%22view%22%7d%1b[2J\u202e/folder", headers=bearer(keys["build"])
        )
    data = workspace.paths.audit_log.read_bytes()
    assert data.count(b"\n") == 1 and data.isascii() and b"\x1b" not in data
    assert [one.user for one in list_audit(workspace)] == ["build"]


def test_who_may_build_reads_the_log(workspace: Workspace, file: Path, keys: Any) -> None:
    with team(workspace, file) as client:
        client.post("/api/operations", json={"kind": "verify", "workflow": "nothing@1"}, headers=bearer(keys["build"]))
        (entry,) = client.get("/api/system/log", headers=bearer(keys["build"])).json()
        assert (entry["user"], entry["status"]) == ("build", 201)


def test_rules_are_found_as_the_router_finds_routes() -> None:
    assert {rule.path for rule in find_rules("/api/operations/k/outputs/a/b.png")} == {
        "/api/operations/{key}/outputs/{path:path}"
    }
    assert find_rules("/api/operations/k/outputs") == () and find_rules("/api/workflows/") == ()
