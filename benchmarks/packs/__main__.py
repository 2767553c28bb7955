"""Node packs from their real repositories, in an ordinary installation and in an image, compared in a table.

    python -m benchmarks.packs MIRRORS PACKS [--work FOLDER] [--day DATE]

MIRRORS is a folder of bare repositories, `OWNER+NAME/repo`, with those of submodules and git requirements. PACKS is a
file of `OWNER/NAME`, one a line. Each pack is taken at the newest commit before the day, from which the Python packages
are, too. It needs Debian 12 with git and gcc, Nix, Podman, about 35 GB of disk, half an hour, and to be root. What is
in the work folder already is not made again.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.packs.ordinary import Ordinary
from benchmarks.packs.ours import Ours
from benchmarks.packs.outcome import Outcome, read_outcome, write_outcome
from benchmarks.packs.served import Pack, serve
from benchmarks.table import machine, put_section

TITLE = "Node packs of the community"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mirrors", type=Path)
    parser.add_argument("packs", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/pycomfy-packs"))
    parser.add_argument("--day", default="2025-12-05")
    options = parser.parse_args()
    work: Path = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    with serve(options.mirrors, options.packs.read_text().split(), options.day) as (packs, git):
        ordinary, ours = Ordinary(work / "ordinary", options.day, git), Ours(work, options.day, git)
        theirs = kept(work / "ordinary.json", lambda: make_ordinary(ordinary, packs))
        image = kept(work / "image.json", lambda: make_image(ours, packs))
        shutil.rmtree(ours.output, ignore_errors=True)
        files = ours.run()
    put_section(TITLE, "\n".join([*table(packs, theirs, image, options.day), "", *run_lines(files)]))


def kept(path: Path, make: Callable[[], Outcome]) -> Outcome:
    if not path.is_file():
        write_outcome(path, make())
    return read_outcome(path)


def make_ordinary(ordinary: Ordinary, packs: Sequence[Pack]) -> Outcome:
    """Its disk is free again afterwards."""
    failed = ordinary.install(packs)
    print(json.dumps({"not installed": failed}, indent=1), file=sys.stderr)
    outcome = ordinary.ask()
    shutil.rmtree(ordinary.folder)
    return outcome


def make_image(ours: Ours, packs: Sequence[Pack]) -> Outcome:
    ours.build(packs)
    return ours.ask()


def table(packs: Sequence[Pack], ordinary: Outcome, image: Outcome, day: str) -> Iterator[str]:
    """The lines of a table in Markdown, and what it says as a whole."""
    both = [p for p in packs if ordinary.imported(p.name) and image.imported(p.name)]
    only = [p for p in packs if ordinary.imported(p.name) and not image.imported(p.name)]
    equal = [p for p in both if ordinary.types.get(p.name) == image.types.get(p.name)]
    yield f"`python -m benchmarks.packs`: {machine()}."
    yield ""
    yield f"Each pack is at its newest commit before {day}, with ComfyUI 0.3.75 and Python packages of that day, on"
    yield "both sides. All packs are in one installation, and in one image. The ordinary installation is made as"
    yield "ComfyUI-Manager does: requirements by uv, a line at a time, then `install.py`; it runs as its user. The"
    yield "image's pycomfy.toml has the lines that `lock` and `build` named (`benchmarks/packs/pycomfy.toml`)."
    yield "When they were asked, neither had a network."
    yield ""
    yield f"Of {len(packs)} packs, {len(both) + len(only)} import in the ordinary installation. Of these,"
    yield f"{len(both)} import in the image, {len(equal)} of them with the same node types."
    yield ""
    yield "| pack | commit | node types in the ordinary installation | in the image |"
    yield "|---|---|---:|---:|"
    for pack in packs:
        star = "\\*" if pack.left_out else ""
        cells = (ordinary.cell(pack.name), image.cell(pack.name, ordinary))
        yield f"| {pack.address} | {pack.commit[:10]}{star} | {' | '.join(cells)} |"
    yield ""
    yield "\\* without the files that its mirror lacks, on both sides: large models, pictures and notebooks."


def run_lines(files: Mapping[str, int]) -> Iterator[str]:
    yield "`benchmarks/packs/workflow.json` has nodes of nine of them. Run in the image on the CPU, it makes:"
    yield ""
    yield from (f"- `{name}`, {size:,} bytes" for name, size in files.items())


if __name__ == "__main__":
    main()
