"""`make bench`: every figure, beside what it is compared with, into RESULTS.md and on the screen.

Sections of RESULTS.md that others write are kept.
"""

from benchmarks import bench_catalog, bench_image, bench_lock, bench_versions
from benchmarks.table import RESULTS, machine, render


def main() -> None:
    tables = [
        render("The image", bench_image.rows(), "Dockerfile"),
        render("Locking", bench_lock.rows(), "the first lock"),
        render("Choosing node packs", bench_catalog.rows(), "–"),
        render("Versions", bench_versions.rows(), "–"),
    ]
    _, *sections = RESULTS.read_text().split("\n## ")
    titles = [table.splitlines()[0].removeprefix("## ") for table in tables]
    others = [f"## {section.rstrip()}\n" for section in sections if section.splitlines()[0] not in titles]
    text = "\n".join([f"Measured by `make bench`: {machine()}.", "", *tables, *others])
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
