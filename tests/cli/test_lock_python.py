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
