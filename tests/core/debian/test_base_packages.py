from pycomfy.core.debian.base_packages import BASE_PACKAGES, EXCLUDED, base_packages


def test_the_base_is_sorted_and_excludes_nothing_it_wants() -> None:
    assert list(base_packages("3.11")) == sorted(base_packages("3.11"))
    assert "python3.13" in base_packages("3.13")
    assert not BASE_PACKAGES.keys() & EXCLUDED.keys()
