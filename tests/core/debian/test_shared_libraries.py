import pytest

from pycomfy.core.debian.shared_libraries import SharedLibrary, debian_package, find_missing_libraries

SITE = "opt/venv/lib/python3.11/site-packages"
# fmt: off
BOOKWORM = frozenset(
    [
        "libgl1",
        "libgles2",
        "libglib2.0-0",
        "libx11-6",
        "libxrender1",
        "libasound2",
        "libjpeg62-turbo",
        "libpango-1.0-0",
        "libtbb12",
        "zlib1g",
        "libportaudio2",
        "libavcodec59",
        "libbz2-1.0",
        "libsm6",
        "libstdc++6",
    ]
)
# fmt: on
TRIXIE = frozenset(["libgl1", "libglib2.0-0t64", "libasound2t64", "libx11-6"])


def library(path: str, *needed: str, soname: str = "", module: bool = False, owner: str = "") -> SharedLibrary:
    return SharedLibrary(f"{SITE}/{path}", owner or path.split("/")[0] + " 1.0", needed, soname, module)


def lacking(*libraries: SharedLibrary, names: tuple[str, ...] = ("libc.so.6",)) -> list[tuple[str, str, str]]:
    found = find_missing_libraries(libraries, names, BOOKWORM)
    return [(one.owner, one.soname, one.package) for one in found]


def test_what_a_module_needs_and_nothing_has_is_lacking_with_its_package() -> None:
    cv2 = library(
        "cv2/cv2.abi3.so", "libc.so.6", "libGL.so.1", "libgthread-2.0.so.0", module=True, owner="opencv-python 4"
    )
    assert lacking(cv2) == [
        ("opencv-python 4", "libGL.so.1", "libgl1"),
        ("opencv-python 4", "libgthread-2.0.so.0", "libglib2.0-0"),
    ]
    assert lacking(cv2, names=("libc.so.6", "libGL.so.1", "libgthread-2.0.so.0")) == []


def test_a_wheel_supplies_what_it_or_another_one_ships() -> None:
    module = library("a/_a.so", "libown-1a2b.so.3", "libother.so.1", module=True)
    own = library("a.libs/libown-1a2b.so.3")
    assert lacking(module, own, library("b/lib/libb.so", soname="libother.so.1")) == []


def test_a_need_of_what_a_module_needs_is_found_with_its_way() -> None:
    module = library("a/_a.so", "libx.so", module=True)
    (found,) = find_missing_libraries([module, library("a/lib/libx.so", "libabsent.so.2")], (), ())
    assert (found.soname, found.via, found.package, found.known) == (
        "libabsent.so.2",
        f"{SITE}/a/lib/libx.so",
        "libabsent2",
        False,
    )


def test_plugins_that_no_module_needs_and_the_driver_are_not_lacking() -> None:
    plugin = library("nvidia/cufile/lib/libcufile_rdma.so.1", "libmlx5.so.1")
    torch = library("torch/_C.so", "libcuda.so.1", "libnvidia-ml.so.1", "libnvcuvid.so.1", module=True)
    assert lacking(plugin, torch) == []
    assert lacking(library("x/_x.so", "libnvinfer.so.10", "libcudart.so.12", module=True)) == [
        ("x 1.0", "libcudart.so.12", "libcudart12"),
        ("x 1.0", "libnvinfer.so.10", "libnvinfer10"),
    ]


def test_shared_libraries_that_need_one_another_end() -> None:
    module = library("a/_a.so", "liba.so", module=True)
    a, b = library("a/liba.so", "libb.so"), library("a/libb.so", "liba.so", "libabsent.so.1")
    assert [name for _, name, _ in lacking(module, a, b)] == ["libabsent.so.1"]


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libGLESv2.so.2", "libgles2"),
        ("libX11.so.6", "libx11-6"),
        ("libXrender.so.1", "libxrender1"),
        ("libpango-1.0.so.0", "libpango-1.0-0"),
        ("libjpeg.so.62", "libjpeg62-turbo"),
        ("libbz2.so.1.0", "libbz2-1.0"),
        ("libz.so.1", "zlib1g"),
        ("libportaudio.so.2", "libportaudio2"),
        ("libavcodec.so.59", "libavcodec59"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libSM.so.6", "libsm6"),
    ],
)
def test_a_shared_librarys_package_is_found_by_its_name(soname: str, package: str) -> None:
    assert debian_package(soname, BOOKWORM) == (package, True)


def test_a_package_that_the_archive_lacks_is_a_guess_and_trixie_has_other_names() -> None:
    assert debian_package("libgthread-2.0.so.0", TRIXIE) == ("libglib2.0-0t64", True)
    assert debian_package("libasound.so.2", TRIXIE) == ("libasound2t64", True)
    assert debian_package("libnope.so.3", BOOKWORM) == ("libnope3", False)
    assert debian_package("odd name\x1b.so", BOOKWORM) == ("", False)
