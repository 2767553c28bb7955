"""`make bench`: every figure, beside what it is compared with, into RESULTS.md and on the screen.

Sections of RESULTS.md that others write are kept.
"""

from benchmarks import bench_catalog, bench_image, bench_lock, bench_versions
from benchmarks.table import RESULTS, machine, render


def main() -> None:
    tables = [
        render(bench_image.TITLE, bench_image.rows(), bench_image.OTHER, bench_image.NOTE),
        render("Locking", bench_lock.rows(), "the first lock", bench_lock.NOTE),
        render("Choosing node packs", bench_catalog.rows(), "–", bench_catalog.NOTE),
        render("Versions", bench_versions.rows(), "–", bench_versions.NOTE),
    ]
    _, *sections = RESULTS.read_text().split("\n## ")
    titles = [table.splitlines()[0].removeprefix("## ") for table in tables]
    others = [f"## {section.rstrip()}\n" for section in sections if section.splitlines()[0] not in titles]
    text = "\n".join([f"Measured by `make bench`: {machine()}.", "", *tables, *others])
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
