"""`make bench`: every figure, beside what it is compared with, into RESULTS.md and on the screen."""

from benchmarks import bench_catalog, bench_image, bench_lock, bench_versions
from benchmarks.table import RESULTS, machine, render


def main() -> None:
    tables = [
        render("The image", bench_image.rows(), "Dockerfile"),
        render("Locking", bench_lock.rows(), "–"),
        render("Choosing node packs", bench_catalog.rows(), "–"),
        render("Versions", bench_versions.rows(), "–"),
    ]
    text = "\n".join([f"Measured by `make bench`: {machine()}.", "", *tables])
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
