import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.direct_references import DirectReference
from pycomfy.core.python.requirements import make_requirement_set, parse_requirements
from pycomfy.errors import ErrorGroup, Unresolved


def read(text: str, **files: str) -> list[str]:
    return [a.text for a in parse_requirements("pack x", {"requirements.txt": text, **files}).requirements]


def test_names_versions_extras_and_markers_are_read() -> None:
    text = "# a comment\nnumpy>=1.25  # why\n\nPillow\nuvicorn[standard]~=0.3; python_version >= '3.9'\n"
    assert read(text) == ["numpy>=1.25", "Pillow", 'uvicorn[standard]~=0.3; python_version >= "3.9"']


def test_lines_are_joined_and_hashes_dropped() -> None:
    wants = parse_requirements(
        "pack x", {"requirements.txt": "\na==1 \\\n  --hash=sha256:00 \\\n  --hash=sha256:01\nb\n"}
    )
    assert [(a.text, a.where) for a in wants.requirements] == [
        ("a==1", "requirements.txt line 2"),
        ("b", "requirements.txt line 5"),
    ]


def test_includes_inside_the_tree_are_followed_once() -> None:
    files = {
        "requirements.txt": "-r more/base.txt\n-rmore/base.txt\n--constraint=limits.txt\na\n",
        "more/base.txt": "b\n-r ../requirements.txt\n-r extra.txt",
        "more/extra.txt": "c",
        "limits.txt": "d<2",
    }
    wants = parse_requirements("pack x", files)
    assert [a.name for a in wants.requirements] == ["b", "c", "a"]
    assert [a.text for a in wants.constraints] == ["d<2"]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://evil.example/simple",
        "--extra-index-url=https://evil.example/simple",
        "-i https://evil.example/simple",
        "-f ./wheels",
        "--find-links=/tmp",
        "--trusted-host evil.example",
        "-e .",
        "--editable=git+file:///h/x",
        "git+http://h/x.git",
        "git+https://h/x.git@-x",
        "git+https://h/x.git#subdirectory=../y",
        "git+ext::sh -c x",
        "hg+https://h/x",
        "x @ https://h/x.whl",
        "x @ https://h/x-1.tar.gz#sha256=12",
        "x @ http://h/x-1.tar.gz",
        "x @ file:///etc/x-1.tar.gz",
        "x@git+/h/x",
        "https://me:secret@h/x-1.0-py3-none-any.whl",
        "https://me:secret@h/x.whl",
        "file:///etc/passwd",
        "./local",
        "../up",
        "/abs/x.whl",
        "wheels\\x.whl",
        "x-1.0-py3-none-any.whl",
        "-r ../outside.txt",
        "-r /etc/passwd",
        "-r https://h/x.txt",
        "-r missing.txt",
        "--no-binary :all:",
        "--pre",
        "not a requirement",
        "${TOKEN}",
    ],
)
def test_a_line_that_reaches_out_is_refused_by_pack_file_and_line(line: str) -> None:
    with pytest.raises(Unresolved) as e:
        read(f"fine\n{line}\n")
    assert "pack x" in e.value.what and e.value.where == "requirements.txt line 2"
    assert "[packs.x] requirements" in e.value.fix
    assert "secret" not in str(e.value)


@pytest.mark.parametrize(
    ("line", "name", "direct"),
    [
        (
            "x[a,b] @ git+https://me:secret@h/o/x.git@v1#subdirectory=sub/dir ; python_version>'3'",
            "x",
            DirectReference(
                "git", "https://me:secret@h/o/x.git", "x", ("a", "b"), 'python_version > "3"', "v1", "sub/dir"
            ),
        ),
        (
            "git+ssh://git@h/x.git@main#egg=X_y[z]",
            "x-y",
            DirectReference("git", "ssh://git@h/x.git", "x-y", ("z",), revision="main"),
        ),
        ("-e git+https://h/x#egg=x", "x", DirectReference("git", "https://h/x", "x")),
        ("git+https://h/x", "", DirectReference("git", "https://h/x")),
        (
            "https://h/a/X_y-1.0-py3-none-any.whl",
            "x-y",
            DirectReference("wheel", "https://h/a/X_y-1.0-py3-none-any.whl", "x-y"),
        ),
        (
            "x @ https://h/x-1.zip#sha256=" + "Ab" * 32,
            "x",
            DirectReference("archive", "https://h/x-1.zip", "x", sha256="ab" * 32),
        ),
    ],
)
def test_a_line_may_say_where_on_the_network_a_package_is(line: str, name: str, direct: DirectReference) -> None:
    (asked,) = parse_requirements("pack x", {"requirements.txt": f"{line}\n"}).requirements
    assert (asked.name, asked.direct_reference) == (name, direct)
    assert "secret" not in asked.text + repr(asked)


@pytest.mark.parametrize("before", ["", " "])
@pytest.mark.parametrize("after", ["", " "])
@pytest.mark.parametrize("start", ["", "x @ "])
@pytest.mark.parametrize("url", ["https://h/a;b/x-1.0-py3-none-any.whl", "git+https://h/x.git#egg=x"])
def test_the_marker_of_a_url_needs_no_space_as_for_pip(start: str, url: str, before: str, after: str) -> None:
    line = f"{start}{url}{before};{after}sys_platform == 'win32'"
    (found,) = parse_requirements("pack x", {"requirements.txt": f"{line}\n"}).requirements
    assert found.direct_reference is not None
    assert (found.name, found.direct_reference.marker) == ("x", 'sys_platform == "win32"')
    assert found.direct_reference.url == url.removeprefix("git+").partition("#")[0]


@pytest.mark.parametrize("line", ["https://h/x-1.0-py3-none-any.whl; not a marker", "git+https://h/x; segno"])
def test_what_follows_a_url_and_is_no_marker_is_refused(line: str) -> None:
    with pytest.raises(Unresolved):
        parse_requirements("pack x", {"requirements.txt": f"{line}\n"})


def test_only_the_user_may_name_this_machine_s_disk() -> None:
    lines = ["x @ git+file:///h/x@v1", "y @ file:///h/y-1.tar.gz", "http://h/z-1.0-py3-none-any.whl"]
    assert [a.name for a in make_requirement_set("pycomfy.toml", lines, "pycomfy.toml").requirements] == ["x", "y", "z"]
    with pytest.raises(ErrorGroup):
        make_requirement_set("pack x", lines, "pyproject.toml")


def test_all_refused_lines_are_told_at_once() -> None:
    with pytest.raises(ErrorGroup) as e:
        read("-e .\ngit+file:///h/x\nfine\n--pre\n")
    assert [p.where.split()[-1] for p in e.value.problems] == ["1", "2", "4"]


def test_pyproject_counts_only_without_requirements_txt() -> None:
    pyproject = '[project]\nname = "x"\ndependencies = ["segno>=1.6"]\n'
    assert [a.text for a in parse_requirements("pack x", {"pyproject.toml": pyproject}).requirements] == ["segno>=1.6"]
    assert read("", **{"pyproject.toml": pyproject}) == []
    assert parse_requirements("pack x", {}).requirements == ()


@pytest.mark.parametrize("text", ["[project", "project = 3", "[project]\ndependencies = 3"])
def test_a_strange_pyproject_is_empty_or_told(text: str) -> None:
    try:
        assert parse_requirements("pack x", {"pyproject.toml": text}).requirements == ()
    except Unresolved as e:
        assert e.where == "pyproject.toml"


def test_listed_requirements_cannot_bring_options() -> None:
    with pytest.raises(Unresolved):
        make_requirement_set("pycomfy.toml", ["a\n--index-url=x"], "pycomfy.toml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_told(text: str) -> None:
    try:
        wants = parse_requirements("pack x", {"requirements.txt": text})
    except (Unresolved, ErrorGroup):
        return
    assert all("\n" not in a.text and not a.text.startswith("-") for a in wants.requirements)
