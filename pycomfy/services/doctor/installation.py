"""pycomfy itself: its version, the files that it brings along, the catalog of node packs."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pycomfy.adapters.catalog.database import Origin
from pycomfy.adapters.nix.resources import nix_folder, read_toolkit, templates_folder
from pycomfy.errors import BadInput, NotFound, suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding
from pycomfy.services.doctor.subjects import CATALOG, FILES, PYCOMFY

OLD_CATALOG = timedelta(days=30)

_UPDATE = suggest("catalog update")


def check_installation(examination: Examination) -> Iterator[Finding]:
    """Look at the program, and at what it needs to emit a project."""
    about = examination.surroundings()
    facts = {"version": about.version, "python": about.python, "executable": about.executable}
    yield PYCOMFY.ok(f"{about.version}, on Python {about.python}", facts=facts)
    folders = {"nix": str(nix_folder()), "templates": str(templates_folder())}
    lacking = [name for name, files in vars(read_toolkit()).items() if not files]
    if lacking:
        yield FILES.problem(f"missing: {', '.join(lacking)}", fix="install pycomfy again", facts=folders)
    else:
        yield FILES.ok("found", facts=folders)


def check_catalog(examination: Examination) -> Iterator[Finding]:
    """Look whether there is a catalog, and how old its lists are."""
    try:
        with examination.workspace.open_catalog() as catalog:
            origins = catalog.origins()
    except NotFound:
        yield CATALOG.note("none yet; it is fetched when a workflow is locked", fix=_UPDATE)
    except BadInput as e:
        yield CATALOG.warning(e.what, fix=_UPDATE)
    else:
        yield judge_catalog(origins, examination.workspace.clock())


def judge_catalog(origins: tuple[Origin, ...], now: datetime) -> Finding:
    """Judge the age of the lists. `now` has its zone, and so have the times of the origins."""
    try:
        fetched = min(datetime.fromisoformat(origin.fetched_at) for origin in origins)
        age = now - fetched
    except (ValueError, TypeError):
        return CATALOG.warning("it does not say when it was fetched", fix=_UPDATE)
    days = max(age.days, 0)
    text = "fetched today" if days == 0 else "1 day old" if days == 1 else f"{days} days old"
    facts = {"fetched_at": f"{fetched:%Y-%m-%dT%H:%M:%SZ}", "days": days, "origins": [o.name for o in origins]}
    if age > OLD_CATALOG:
        return CATALOG.note(f"{text}: newer node packs are not known", fix=_UPDATE, facts=facts)
    return CATALOG.ok(text, facts=facts)
