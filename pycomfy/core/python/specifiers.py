"""Read version specifiers (PEP 440) that anybody may have written."""

from packaging.specifiers import SpecifierSet


def parse_specifiers(text: str) -> SpecifierSet | None:
    """Return the set; None for what is none.

    `packaging` reads versions when it first compares them, and passes on what Python says of a number that has
    thousands of digits: nobody can fulfil or break a limit that cannot be read.
    """
    try:
        specifiers = SpecifierSet(text)
        hash(specifiers)  # reads them
    except ValueError:
        return None
    return specifiers
