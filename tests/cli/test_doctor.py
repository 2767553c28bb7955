"""What `pycomfy doctor` prints, and that it asks servers as everything else does."""

import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.cli import doctor as command
from pycomfy.cli.doctor import ASCII_MARKS, MARKS, TITLES, render_result, show, summarise
from pycomfy.errors import suggest
from pycomfy.services.doctor.findings import GROUPS, STATES, DoctorResult, Finding, make_result
from pycomfy.services.doctor.subjects import CIVITAI, ENGINE, GIT, HUGGING_FACE, NIX_SANDBOX, SKOPEO, SUBJECTS, UV
from tests.support.any_host import serve_any_host
from tests.support.cli_projects import Place, programs
from tests.support.snapshots import snapshot


def result(*findings: Finding, offline: bool = False) -> DoctorResult:
    return make_result(list(findings), offline=offline)


def plain(found: DoctorResult, *, verbose: bool = False) -> list[str]:
    lines = render_result(found, marks=MARKS, verbose=verbose)
    return [f"{' ' * line.indent}{line.label}{line.text}" for line in lines]


# — for people —


def test_each_finding_is_a_line_and_what_is_wrong_has_its_fix_below() -> None:
    shown = plain(
        result(
            GIT.ok("2.39.5", details="It fetches sources."),
            NIX_SANDBOX.warning(
                "does not work", details="No wheels.", fix=(suggest("build", sandbox=False), "or else")
            ),
            SKOPEO.note("not installed", details="hidden", fix="install it"),
            ENGINE.problem("none"),
        )
    )
    assert shown == [
        "Programs",
        "  ✓ git          2.39.5",
        "  ! Nix sandbox  does not work",
        "      | No wheels.",
        "      fix: pycomfy build WORKFLOW --no-sandbox",
        "      or:  or else",
        "  • skopeo       not installed",
        "      fix: install it",
        "",
        "Container engine",
        "  ✗ container engine  none",
        "",
        "1 problem, 1 warning, 1 note, 1 in order",
    ]


def test_verbose_shows_what_is_behind_what_is_in_order() -> None:
    assert "      | It fetches sources." in plain(result(GIT.ok("1", details="It fetches sources.")), verbose=True)


def test_a_fix_that_several_findings_share_is_told_once() -> None:
    fix = "check the network"
    shown = plain(result(HUGGING_FACE.warning("no answer", fix=fix), CIVITAI.warning("no answer", fix=fix)))
    assert [line for line in shown if fix in line] == ["      fix: check the network"]
    assert shown.index("      fix: check the network") == 3


def test_the_summary_counts_the_worst_first() -> None:
    assert summarise(result(GIT.ok(""), UV.ok(""))) == "everything is in order (2 checks)"
    assert summarise(result(GIT.problem(""), UV.problem(""), ENGINE.finding("unknown", ""))) == (
        "2 problems, 1 unknown, 0 in order"
    )


def test_every_group_and_state_can_be_shown() -> None:
    assert set(TITLES) == set(GROUPS) and set(MARKS) == set(ASCII_MARKS) == set(STATES)


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "✗"), ("ascii", "x"), ("latin-1", "x")])
def test_marks_are_such_that_the_output_can_show_them(
    monkeypatch: pytest.MonkeyPatch, encoding: str, mark: str
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", write_through=True)
    monkeypatch.setattr("sys.stdout", out)
    show(result(GIT.problem("naïve ✓ 模型")))
    assert f"{mark} git".encode(encoding) in out.buffer.getvalue()


def test_on_a_terminal_lines_are_wrapped_and_commands_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    path = "/" + "long/" * 20
    fix = suggest("catalog search", text="x" * 80)
    found = result(UV.warning(f"[bold]words[/bold] {'many words ' * 12}{path}", details="more " * 30, fix=fix))

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", out := Terminal())
    show(found)
    lines = out.getvalue().splitlines()
    assert any("x" * 80 in line for line in lines) and any(path in line for line in lines)
    assert "[bold]words[/bold]" in out.getvalue() and "\x1b[33m! " in out.getvalue()
    rest = [line for line in lines if "many words" in line]
    assert len(rest) > 2 and all(line.startswith(" " * 8) for line in rest[1:])


# — for programs —


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A user's empty machine, with the programs of this one."""
    names = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "NIX_REMOTE")
    env = {name: os.environ[name] for name in names if name in os.environ}
    return Place.new(tmp_path / "place", {**env, "PYTHONPATH": str(Path(command.__file__).parents[2])})


def test_it_changes_nothing_and_its_status_says_whether_there_is_a_problem(place: Place, tmp_path: Path) -> None:
    before = snapshot(place.root)
    outcome = place.run("doctor", "--offline", "--json", env={"PATH": programs(tmp_path / "bin", ["git"])})
    assert snapshot(place.root) == before and not place.data.exists()
    found = outcome.json()
    assert outcome.status == 3 and found["ok"] is False and found["counts"]["problem"] >= 2
    assert set(found) == {"schema_version", "ok", "offline", "counts", "findings"}
    nix = next(f for f in found["findings"] if f["id"] == "programs.nix")
    assert nix["state"] == "problem" and "nix-bin" in nix["fix"] and nix["fixes"] == [{"advice": nix["fix"]}]


def test_on_a_whole_machine_it_leaves_home_data_and_temporary_folders_as_they_are(place: Place) -> None:
    before = snapshot(place.root)
    outcome = place.run("doctor", "--offline")
    after = snapshot(place.root)
    # Programs make and remove folders in the one for temporary files: its time changes, and nothing else does.
    assert {k: v for k, v in after.items() if k != "tmp"} == {k: v for k, v in before.items() if k != "tmp"}
    assert outcome.status in (0, 3) and "Disk space" in outcome.out and "in order" in outcome.out.splitlines()[-1]
    assert "Look at this machine" in outcome.err and "Traceback" not in outcome.err


@pytest.fixture
def network(place: Place, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Every server of the world, behind a proxy, as a place's environment."""
    page = b'{"files": [{"url": "https://files.example/x.whl"}]}'

    def answer(path: str) -> tuple[int, str, bytes]:
        if path.startswith("/nodes"):
            return 503, "text/plain", b"\x1b[2J"
        return 200, "application/json", page

    mirror = tmp_path / "debian"
    for suite in ("bookworm", "bookworm-security"):
        (mirror / "dists" / suite).mkdir(parents=True)
        (mirror / "dists" / suite / "InRelease").touch()
    with serve_any_host(tmp_path / "world", answer) as world:
        yield {
            "HTTPS_PROXY": world.proxy,
            "SSL_CERT_FILE": str(world.authority),
            "UV_DEFAULT_INDEX": "https://index.example/simple",
            "PYCOMFY_DEBIAN_MIRROR": mirror.as_uri(),
            "PYCOMFY_DEBIAN_SECURITY_MIRROR": mirror.as_uri(),
            "GIT_CONFIG_GLOBAL": str(tmp_path / "none"),
        }


def test_servers_are_asked_through_the_proxy_and_with_the_certificates_of_the_environment(
    place: Place, network: dict[str, str]
) -> None:
    before = snapshot(place.root)
    outcome = place.run("doctor", "--json", env=network)
    changed = {k for k, v in snapshot(place.root).items() if before.get(k) != v}
    assert changed <= {"tmp"} and set(before) == set(snapshot(place.root))
    found = {f["id"]: f for f in outcome.json()["findings"]}
    states = {id_: f["state"] for id_, f in found.items() if f["group"] == "network"}
    git = states.pop("network.git")
    assert states == {
        "network.proxy": "ok",
        "network.python-index": "ok",
        "network.python-files": "ok",
        "network.debian": "ok",
        "network.debian-security": "ok",
        "network.registry": "warning",
        "network.huggingface": "ok",
        "network.civitai": "ok",
    }
    # Nobody there speaks git; that it was asked through the same proxy is seen by what it does not understand.
    assert git == "warning" or shutil.which("git") is None
    assert "HTTP 503" in found["network.registry"]["what"] and found["network.registry"]["fix"] == "try again later"
    assert found["network.python-files"]["facts"]["url"] == "https://files.example/x.whl"
    assert found["machine.clock"]["facts"]["servers"] == 0


def test_without_a_network_every_server_is_a_warning_with_what_is_lost(place: Place) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0:
        pytest.skip("no network namespace can be made here")
    env = {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "PYCOMFY_DEBIAN_MIRROR": "https://debian.example/debian",
        "PYCOMFY_DEBIAN_SECURITY_MIRROR": "https://debian.example/security",
        "PYCOMFY_DEBIAN_SNAPSHOT_MIRROR": "https://snapshot.example/archive",
    }
    outcome = place.run_process("doctor", "--json", prefix=("unshare", "-n", "--"), env=env)
    found = [f for f in outcome.json()["findings"] if f["group"] == "network"]
    assert {f["state"] for f in found} == {"warning"} and len(found) == 8
    assert all(f["fix"] and f["details"].startswith("Without it, ") for f in found)


def test_settings_that_make_no_sense_are_told_with_their_names(place: Place) -> None:
    env = {
        "PYCOMFY_HF_ENDPOINT": "ftp://hub",
        "PYCOMFY_DEBIAN_MIRROR": "no address",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    outcome = place.run("doctor", "--json", env=env)
    found = {f["id"]: f for f in outcome.json()["findings"]}
    assert found["network.huggingface"]["state"] == "warning"
    assert "PYCOMFY_HF_ENDPOINT" in found["network.huggingface"]["details"]
    assert found["network.debian"]["state"] == "warning" and "PYCOMFY_DEBIAN_MIRROR" in found["network.debian"]["fix"]


def test_the_json_is_one_document_even_of_names_that_are_no_text(place: Place) -> None:
    home = os.fsdecode(os.fsencode(place.root) + b"/d\xff\x1b[2Jata")
    outcome = place.run("doctor", "--offline", "--json", env={"PYCOMFY_HOME": home})
    assert json.loads(outcome.out)["findings"] and "\\u001b" not in outcome.out and "\x1b" not in outcome.out


# — documentation —


def test_every_id_and_state_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "doctor.md").read_text()
    documented = set(re.findall(r"`([a-z-]+(?:\.[a-z-]+)?)`", page))
    assert {s.id for s in SUBJECTS} | set(STATES) <= documented
    assert {mark for mark in MARKS.values() if f"| {mark} |" not in page} == set()
