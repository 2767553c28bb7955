"""What `lock` says of sources: what they import and nobody declares, and what installs."""

from tests.support.cli_projects import CARD, CONFIG, Place, Surroundings, refused

SOURCES = '[comfyui]\npath = "ComfyUI"\n[packs.card]\npath = "card"\n'
PACK = {
    "card/__init__.py": "import segno\nimport base\nfrom .nodes import *\n",
    "card/nodes.py": "try:\n    import fast\nexcept ImportError:\n    fast = None\n"
    + CARD
    + "def f():\n    import rare\n",
    "card/install.py": "import subprocess\nsubprocess.run(['pip', 'install', 'segno'])\n",
    "card/prestartup_script.py": "import os\nos.system('pip install other')\n",
}


def project(place: Place, **changes: str) -> Place:
    place.project(sources=SOURCES)
    for name, text in {**PACK, **changes}.items():
        place.write(name, text)
    return place


def test_what_nobody_declares_and_what_installs_is_reported_with_the_line_that_fixes_it(place: Place) -> None:
    place = project(place)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    for told in (
        "note: the node pack card imports segno (__init__.py line 1), which no locked package has",
        'write at the top of pycomfy.toml: requirements = ["segno"]',
        "rare (nodes.py line 8)",
        "install.py line 2: subprocess.run(['pip', 'install', 'segno'])",
        "prestartup_script.py, which ComfyUI runs at each start",
    ):
        assert told in outcome.out
    assert "fast" not in outcome.out and "base" not in outcome.out
    found = place.run("lock", ".", "--json").json()["findings"]
    assert {(f["kind"], f["when"], f["path"], f["line"], f["owner"]) for f in found} == {
        ("import", "plain", "__init__.py", 1, "card"),
        ("import", "called", "nodes.py", 8, "card"),
        ("script", "installed", "install.py", 0, "card"),
        ("installs", "installed", "install.py", 2, "card"),
        ("script", "started", "prestartup_script.py", 0, "card"),
        ("installs", "started", "prestartup_script.py", 2, "card"),
    }


def test_a_module_that_a_wheel_of_another_name_has_is_not_missing(place: Place, surroundings: Surroundings) -> None:
    surroundings.index.add("qr-maker", "1.0", files=[("segno/__init__.py", "")])
    place = project(place)
    place.write("pycomfy.toml", 'requirements = ["qr-maker"]\n' + CONFIG + SOURCES)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "imports segno" not in outcome.out  # the wheel's files have it, whatever it is called


def test_a_pack_that_declares_what_it_imports_is_not_told_of(place: Place) -> None:
    outcome = place.project().run("lock", ".", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.json()["findings"] == [] and outcome.json()["notes"] == []


def test_steps_are_in_the_lock_and_a_pack_without_any_does_not_mention_them(place: Place) -> None:
    place = project(place)
    assert place.run("lock", ".").status == 0
    assert "steps" not in place.lock.read_text()
    step = '[[packs.card.steps]]\nrun = ["python", "install.py"]\n'
    place.write("pycomfy.toml", CONFIG + SOURCES + step)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert place.change_lock()["packs"][0]["steps"] == [{"run": ["python", "install.py"]}]
    assert "install.py" in outcome.out and "which is not run" not in outcome.out  # a change, and no note


def test_comfyui_has_no_steps(place: Place) -> None:
    place.project(config='[comfyui]\npath = "ComfyUI"\nsteps = [{ run = ["sh"] }]\n', sources="")
    refused(place, "lock", ".", code="bad-config")


def test_debian_can_be_that_of_the_locks_own_day(place: Place, surroundings: Surroundings) -> None:
    for name in ("debian", "debian-security"):
        (place.root / "past" / name).mkdir(parents=True)
        (place.root / "past" / name / "20250601T000000Z").symlink_to(surroundings.archive.folder)
    mirror = (place.root / "past").as_uri()
    place.project(sources=f'{SOURCES}[debian]\nsnapshot = "as-of"\nsnapshot-mirror = "{mirror}"\n')
    for name, text in PACK.items():
        place.write(name, text)
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    root = place.change_lock()["platforms"]["linux/amd64"]["root"]
    assert root["archives"] == [f"{mirror}/{name}/20250601T000000Z" for name in ("debian", "debian-security")]
    refused(place, "lock", ".", "--as-of", "2025-06-02", code="unreachable")
