from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.adapters.containers.arguments import (
    ContainerSpec,
    Limits,
    User,
    machine_memory,
    plan_gpus,
    plan_limits,
    plan_run,
    plan_user,
    read_limits,
)
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.errors import BadInput, MissingTool

PODMAN = Engine("podman", (5, 0))
DOCKER = Engine("docker", (28, 0))
SPEC = ContainerSpec(StartableImage("abc"), ("job",), Path("/jobs/1"))


def plan(engine: Engine, spec: ContainerSpec = SPEC) -> list[str]:
    return plan_run(engine, spec, "pycomfy-1", User(1000, 1000))


@pytest.mark.parametrize("engine", [PODMAN, DOCKER])
def test_a_container_may_do_as_little_as_possible(engine: Engine) -> None:
    command = plan(engine)
    assert command[:2] == [engine.kind, "run"]
    assert command[-2:] == ["abc", "job"]
    for flag in (
        "--rm",
        "--interactive",
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--network=none",
        "--pull=never",
        "--volume=/jobs/1:/data:rw",
    ):
        assert flag in command
    assert not any("models" in part for part in command)


def test_models_are_mounted_read_only() -> None:
    assert "--volume=/m:/models:ro" in plan(PODMAN, replace(SPEC, models=Path("/m")))


def test_a_model_from_elsewhere_is_mounted_over_its_place() -> None:
    spec = replace(SPEC, models=Path("/m"), model_files={"vae/a b": Path("/disk/x y")})
    command = plan(PODMAN, spec)
    assert command.index("--volume=/m:/models:ro") < command.index("--volume=/disk/x y:/models/vae/a b:ro")
    for wrong in ({"vae/a:b": Path("/x")}, {"vae/a": Path("/x:y")}):
        with pytest.raises(BadInput):
            plan(PODMAN, replace(SPEC, models=Path("/m"), model_files=wrong))


def test_more_folders_are_mounted_read_only_and_another_program_runs() -> None:
    spec = replace(SPEC, mounts={"/run/editor": Path("/our/driver")}, program="/usr/bin/tini")
    command = plan(PODMAN, spec)
    assert "--volume=/our/driver:/run/editor:ro" in command
    assert command[-3:] == ["--entrypoint=/usr/bin/tini", "abc", "job"]
    assert "--network=none" in command and "--read-only" in command
    with pytest.raises(BadInput):
        plan(PODMAN, replace(SPEC, mounts={"/run/editor": Path("/x:y")}))


def test_what_a_server_needs_is_said_and_nothing_more() -> None:
    spec = replace(
        SPEC,
        shared=Path("/tmp/s"),
        publish=(8080, 8000),
        environment={"A": "b c=d\ne", "SECRET": None},
        network="bridge",
    )
    command = plan(PODMAN, spec)
    assert "--volume=/tmp/s:/run/pycomfy:rw" in command
    assert "--publish=127.0.0.1:8080:8000" in command
    assert "--env=A=b c=d\ne" in command and "--env=SECRET" in command
    assert {*command} - {*plan(PODMAN)} == {
        *(part for part in command if part.startswith(("--env", "--publish", "--network"))),
        "--volume=/tmp/s:/run/pycomfy:rw",
    }
    assert "--volume=/tmp/s:/run/pycomfy:rw,Z" in plan(replace(PODMAN, selinux=True), spec)
    for name in ("", "A=B", "1A", "-e", "A B", "A\n"):
        with pytest.raises(BadInput, match="name of a variable"):
            plan(PODMAN, replace(SPEC, environment={name: "x"}))
    with pytest.raises(BadInput, match="zero byte"):
        plan(PODMAN, replace(SPEC, environment={"A": "x\0"}))


def test_labels_are_kept_only_where_something_of_the_user_is_mounted() -> None:
    strict = replace(PODMAN, selinux=True)
    assert "--volume=/jobs/1:/data:rw,Z" in plan(strict)
    assert "--security-opt=label=disable" not in plan(strict)
    assert "--security-opt=label=disable" in plan(strict, replace(SPEC, models=Path("/m")))


@pytest.mark.parametrize("path", ["/a:b", "/a:/etc:rw", "/new\nline"])
def test_a_path_that_would_be_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        plan(PODMAN, replace(SPEC, models=Path(path)))


@pytest.mark.parametrize("network", ["", "--privileged", "container:x", "ns:/proc/1/ns/net", "a b"])
def test_a_network_is_a_plain_name(network: str) -> None:
    with pytest.raises(BadInput):
        plan(PODMAN, replace(SPEC, network=network))


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_becomes_an_option_of_its_own(gpus: str, network: str) -> None:
    docker = replace(DOCKER, nvidia_runtime=True)
    plain = len(plan(docker))
    try:
        command = plan(docker, replace(SPEC, gpus=gpus or None, network=network))
    except BadInput:
        return
    assert len(command) == plain + bool(gpus)


def test_gpus_go_through_cdi_or_the_nvidia_runtime() -> None:
    assert plan_gpus(replace(PODMAN, nvidia_cdi=True), "all") == ["--device=nvidia.com/gpu=all"]
    assert plan_gpus(replace(PODMAN, nvidia_cdi=True), "0,1") == [
        "--device=nvidia.com/gpu=0",
        "--device=nvidia.com/gpu=1",
    ]
    assert plan_gpus(replace(DOCKER, nvidia_runtime=True), "all") == ["--gpus=all"]
    assert plan_gpus(replace(DOCKER, nvidia_runtime=True, nvidia_cdi=True), "0,1") == ['--gpus="device=0,1"']
    assert plan_gpus(replace(DOCKER, nvidia_cdi=True), "0") == ["--device=nvidia.com/gpu=0"]
    elsewhere = replace(DOCKER, remote=True)
    assert plan_gpus(elsewhere, "all") == ["--gpus=all"], "what its daemon has cannot be seen from here"


@pytest.mark.parametrize("engine", [PODMAN, DOCKER])
def test_gpus_without_a_way_to_a_container_are_refused_with_what_to_install(engine: Engine) -> None:
    with pytest.raises(MissingTool) as caught:
        plan_gpus(engine, "all")
    assert "nvidia-ctk" in caught.value.fix


def test_the_image_user_can_write_to_the_mounted_folder_whoever_runs_it() -> None:
    assert plan_user(PODMAN, 0, 0) == plan_user(DOCKER, 0, 0) == User(1000, 1000, owns=True)
    assert plan_user(DOCKER, 501, 20) == User(501, 20)
    rootless = replace(PODMAN, rootless=True)
    assert plan_user(rootless, 501, 20) == plan_user(replace(DOCKER, rootless=True), 501, 20) == User(0, 0)


@pytest.mark.parametrize("rootless", [False, True])
def test_no_container_makes_the_engine_copy_its_image_for_other_users(rootless: bool) -> None:
    engine = replace(PODMAN, rootless=rootless)
    command = plan_run(engine, SPEC, "pycomfy-1", plan_user(engine, 501, 20))
    assert not any(part.startswith(("--userns", "--uidmap", "--subuidname")) for part in command)


def test_the_temporary_folder_belongs_to_the_containers_user() -> None:
    assert any(part.startswith("--tmpfs=/tmp:") and ",U," in part for part in plan(PODMAN))
    assert any(part.startswith("--tmpfs=/tmp:") and ",uid=1000,gid=1000," in part for part in plan(DOCKER))


@pytest.mark.parametrize("engine", [PODMAN, DOCKER, replace(PODMAN, rootless=True), replace(DOCKER, rootless=True)])
def test_a_container_gets_a_share_of_the_machine_or_what_it_is_given(engine: Engine) -> None:
    command = plan(engine)
    memory = machine_memory() * 9 // 10
    assert f"--memory={memory}b" in command and "--pids-limit=8192" in command
    assert any(part.startswith("--tmpfs=/tmp:") and part.endswith(f",size={memory // 2}") for part in command)
    assert f"--shm-size={memory // 4}b" in command
    command = plan(engine, replace(SPEC, limits=Limits(memory=8 << 30, tmp=1 << 30, pids=100, shm=3 << 30)))
    assert f"--shm-size={3 << 30}b" in command
    assert f"--memory={8 << 30}b" in command and "--pids-limit=100" in command
    assert any(part.endswith(f",size={1 << 30}") for part in command)
    command = plan(engine, replace(SPEC, limits=Limits(memory=0, tmp=0, pids=0, shm=0)))
    assert f"--shm-size={machine_memory()}b" in command, "all of its memory: Docker takes 0 for 64 MB"
    assert not any(part.startswith("--memory") for part in command) and "--pids-limit=-1" in command


def test_an_engine_that_cannot_limit_is_not_asked_to() -> None:
    command = plan(replace(PODMAN, limits_memory=False, limits_pids=False))
    assert not any(part.startswith(("--memory", "--pids-limit")) for part in command)
    assert any(part.startswith("--tmpfs=/tmp:") and ",size=" in part for part in command)


def test_the_memory_of_this_machine_is_less_in_a_container(tmp_path: Path) -> None:
    whole = machine_memory(())
    for text, expected in (("1073741824\n", 1 << 30), ("max\n", whole), ("9223372036854771712\n", whole)):
        (tmp_path / "limit").write_text(text)
        assert machine_memory((tmp_path / "gone", tmp_path / "limit")) == expected


def test_limits_are_read_from_the_environment() -> None:
    assert read_limits({}) == Limits()
    set_ = {"PYCOMFY_CONTAINER_MEMORY": "24G", "PYCOMFY_CONTAINER_TMP": "512MiB", "PYCOMFY_CONTAINER_PIDS": "0"}
    set_["PYCOMFY_CONTAINER_SHM"] = "2G"
    assert read_limits(set_) == Limits(24 << 30, 512 << 20, 0, shm=2 << 30)
    for name, text in (("MEMORY", "much"), ("TMP", "-1"), ("PIDS", "1e9"), ("PIDS", "-1")):
        with pytest.raises(BadInput) as caught:
            read_limits({f"PYCOMFY_CONTAINER_{name}": text})
        assert caught.value.where == f"PYCOMFY_CONTAINER_{name}"


def test_limits_are_never_above_what_this_process_may_have() -> None:
    import resource

    files = int(plan_limits(PODMAN)[0].rsplit(":", 1)[1])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard == resource.RLIM_INFINITY or files <= hard
    assert plan_limits(DOCKER) == []


def test_a_size_without_its_unit_is_refused_before_anything_runs() -> None:
    with pytest.raises(BadInput, match="10 bytes of memory are too few") as caught:
        Limits(memory=10)
    assert "12G" in caught.value.fix
    with pytest.raises(BadInput, match="10 bytes") as caught:
        read_limits({"PYCOMFY_CONTAINER_MEMORY": "10"})
    assert caught.value.where == "PYCOMFY_CONTAINER_MEMORY"
