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
