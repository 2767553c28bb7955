"""What `make mutants` reads: its modules and tests are there, and the list of equivalents is no dead letter."""

from tests.support.mutants import ROOT, Settings, find_tests

SETTINGS = Settings.read()


def test_a_module_is_tried_with_its_own_tests_first_and_with_all_that_import_it() -> None:
    stages = find_tests("pycomfy/adapters/nix/nar_writer.py", SETTINGS)
    assert stages[0] == ["tests/adapters/nix/test_nar_writer.py"]
    files = [file for stage in stages for file in stage]
    assert "tests/adapters/archive/test_binary_cache.py" in files
    assert len(files) == len(set(files))


def test_a_builder_is_tried_with_the_tests_beside_it() -> None:
    assert find_tests("nix/builders/wheel.py", SETTINGS)[0] == ["nix/builders/test_wheel.py"]


def test_every_module_is_held_by_tests() -> None:
    modules = [str(p.relative_to(ROOT)) for pattern in SETTINGS.modules for p in ROOT.glob(pattern)]
    assert modules and [module for module in modules if not find_tests(module, SETTINGS)] == []


def test_the_rules_of_packs_are_held_by_the_tests_of_prompts() -> None:
    assert find_tests("pycomfy/core/prompt/packs/rgthree.py", SETTINGS)


def test_what_the_settings_name_is_there() -> None:
    named = [*SETTINGS.modules, *(name for pattern, tests in SETTINGS.also for name in (pattern, *tests))]
    assert [name for name in named if not [*ROOT.glob(name)]] == []


def test_each_change_that_is_said_to_change_nothing_is_of_a_line_that_is_there_and_has_a_reason() -> None:
    for known in SETTINGS.equivalent:
        lines = {line.strip() for line in (ROOT / known["module"]).read_text().splitlines()}
        assert set(known["old"].splitlines()) <= lines, known
        assert known["why"] and known.get("new") != known["old"] and ("new" in known) != ("operator" in known)
