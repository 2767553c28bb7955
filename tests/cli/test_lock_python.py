"""What `lock` reports of Python packages: conflicts, missing wheels, and what was taken in place of something newer."""

from tests.support.cli_projects import CONFIG, SOURCES, Place, Surroundings, refused


def test_a_conflict_is_reported_as_one_though_a_version_has_no_wheel(place: Place, surroundings: Surroundings) -> None:
    for version in ("1.0", "2.0"):
        surroundings.index.add("lower", version)
    surroundings.index.add("upper", "1.0", needs=["lower>=2"])
    surroundings.index.add("upper", "1.1", tags=["cp311-cp311-win_amd64"])
    surroundings.index.add("upper", "1.2", needs=["lower>=2"])
    place = place.project()
    place.write("pycomfy.toml", 'requirements = ["upper>=1", "lower<2"]\n' + CONFIG + SOURCES)
    told = refused(place, "lock", ".", code="no-solution").err
    assert "pycomfy.toml requires lower<2" in told and 'overrides = ["lower==2.0"]' in told


def test_a_missing_wheel_is_reported_where_it_is_the_cause(place: Place, surroundings: Surroundings) -> None:
    surroundings.index.add("only-windows", "1.1", tags=["cp311-cp311-win_amd64"])
    place = place.project()
    place.write("pycomfy.toml", 'requirements = ["only-windows"]\n' + CONFIG + SOURCES)
    refused(place, "lock", ".", code="no-wheel")


def test_stray_files_of_two_wheels_are_settled_and_reported(place: Place, surroundings: Surroundings) -> None:
    surroundings.index.add("stray-a", "1.0", files=[("stray_a.py", ""), ("tests/__init__.py", "1")])
    surroundings.index.add("stray-b", "1.0", files=[("stray_b.py", ""), ("tests/__init__.py", "2")])
    place = place.project()
    place.write("pycomfy.toml", 'requirements = ["stray-a", "stray-b"]\n' + CONFIG + SOURCES)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "stray-a and stray-b install different files at tests/__init__.py" in outcome.out
    wheels = {w["name"]: w for w in place.change_lock()["platforms"]["linux/amd64"]["wheels"]}
    assert wheels["stray-b"]["exclude"] == ["tests/__init__.py"] and "exclude" not in wheels["stray-a"]


def test_other_files_of_two_wheels_are_the_users_decision(place: Place, surroundings: Surroundings) -> None:
    for name, text in (("clash-a", "1"), ("clash-b", "2")):
        surroundings.index.add(name, "1.0", files=[("clash/__init__.py", text), ("clash/same.py", "")])
    place = place.project()
    config = 'requirements = ["clash-a", "clash-b"]\n' + CONFIG + SOURCES
    place.write("pycomfy.toml", config)
    told = refused(place, "lock", ".", code="no-solution").err
    assert "clash-a and clash-b install different files at clash/__init__.py" in told and "same" not in told
    assert 'prefer = ["clash-b"]' in told
    place.write("pycomfy.toml", config + '[wheels]\nprefer = ["clash-b"]\n')
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    wheels = {w["name"]: w for w in place.change_lock()["platforms"]["linux/amd64"]["wheels"]}
    assert wheels["clash-a"]["exclude"] == ["clash/__init__.py"] and "exclude" not in wheels["clash-b"]


def test_commands_of_two_wheels_are_settled_and_prefer_says_whose_are_kept(
    place: Place, surroundings: Surroundings
) -> None:
    for name in ("tool-a", "tool-b", "tool-c"):
        module = "tool_a" if name == "tool-c" else name.replace("-", "_")
        entry = f"[console_scripts]\ntool = {module}:run [extra]\n"
        info = f"{name.replace('-', '_')}-1.0.dist-info"
        surroundings.index.add(name, "1.0", files=[(f"{module}.py", ""), (f"{info}/entry_points.txt", entry)])
    place = place.project()
    config = 'requirements = ["tool-a", "tool-b", "tool-c"]\n' + CONFIG + SOURCES
    place.write("pycomfy.toml", config)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "tool-a, tool-b and tool-c install different commands bin/tool; those of tool-a are kept" in outcome.out

    def excluded() -> dict[str, list[str]]:
        wheels = place.change_lock()["platforms"]["linux/amd64"]["wheels"]
        return {w["name"]: w["exclude"] for w in wheels if "exclude" in w}

    assert excluded() == {"tool-b": ["tool_b-1.0.data/scripts/tool"]}
    place.write("pycomfy.toml", config + '[wheels]\nprefer = ["tool-b"]\n')
    assert "commands" not in place.run("lock", ".").out
    assert excluded().keys() == {"tool-a", "tool-c"}


def test_an_empty_wheel_of_any_age_is_reported_with_what_builds_the_newer_one(
    place: Place, surroundings: Surroundings
) -> None:
    index = surroundings.index
    index.add("hollow", "1.0", uploaded="2025-05-01T00:00:00Z", files=[("LICENSE", "")])
    index.add("hollow", "2.0", needs=["filters"], files=[("hollow.py", "")], uploaded="2025-05-02T00:00:00Z")
    index.put("filters", "filters-1.4.tar.gz", b"x")
    index.add("meta", "1.0", needs=["base"], uploaded="2025-05-01T00:00:00Z")
    index.add("user", "1.0", needs=["hollow"], files=[("user.py", "")], uploaded="2025-05-01T00:00:00Z")
    place = place.project()
    place.write("pycomfy.toml", 'requirements = ["user", "meta"]\n' + CONFIG + SOURCES)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "hollow 1.0 of 2025, a wheel without any module, is taken, because newer ones, up to 2.0" in outcome.out
    assert "pycomfy.toml: [wheels.filters]" in outcome.out and "meta 1.0" not in outcome.out


def test_an_old_dependency_is_reported_unless_something_refuses_the_newer_one(
    place: Place, surroundings: Surroundings
) -> None:
    index = surroundings.index
    for name in ("free", "held"):
        index.add(name, "1.0", uploaded="2021-01-01T00:00:00Z", files=[(f"{name}.py", "")])
        index.put(name, f"{name}-2.0.tar.gz", b"x", "2022-01-01T00:00:00Z")
    index.add("user", "1.0", needs=["free", "held<2"], files=[("user.py", "")])
    place = place.project()
    place.write("pycomfy.toml", 'requirements = ["user"]\n' + CONFIG + SOURCES)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "free 1.0 of 2021 is taken, because newer ones, up to 2.0, exist as source only" in outcome.out
    assert "pycomfy.toml: [wheels.free]" in outcome.out and "held" not in outcome.out
