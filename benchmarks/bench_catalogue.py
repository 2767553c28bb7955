"""How fast the catalogue is made and asked. Run: `python -m benchmarks.bench_catalogue`; it needs a Python index."""

import json
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from pycomfy.flow.catalogue.match import answer_type
from pycomfy.outside.catalogue import Catalogue, catalogue_path, update_catalogue
from pycomfy.outside.home import Home
from pycomfy.progress import Silent

GOAL = 0.5
"""Seconds for 1,000 types, opening the catalogue included."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Path(folder, "cache"))
        start = time.perf_counter()
        made = update_catalogue(home, Silent())
        print(f"update: {made.packs} packs, {made.types} types in {time.perf_counter() - start:.2f} s")
        types = all_types(home)
        for count in (1, 10, 100, 1000, len(types)):
            chosen = random.Random(count).sample(types, count)
            times = sorted(ask(home, chosen) for _ in range(5))
            goal = f" (goal: {GOAL} s)" if count == 1000 else ""
            print(f"{count} types: {times[2] * 1000:.1f} ms{goal}")


def ask(home: Home, types: list[str]) -> float:
    start = time.perf_counter()
    with Catalogue(home) as catalogue:
        for type_, claims in catalogue.claims(types).items():
            answer_type(type_, claims)
    return time.perf_counter() - start


def all_types(home: Home) -> list[str]:
    connection = sqlite3.connect(catalogue_path(home))
    rows = connection.execute("SELECT types FROM packs").fetchall()
    connection.close()
    return sorted({type_ for (types,) in rows for type_ in json.loads(types)})


if __name__ == "__main__":
    main()
