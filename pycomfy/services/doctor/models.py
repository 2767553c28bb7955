"""Whether the models in the model store are still there."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pycomfy.errors import BadInput, suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import MAX_SHOWN, Finding
from pycomfy.services.doctor.subjects import MODELS


def check_models(examination: Examination) -> Iterator[Finding]:
    """Look at names and links in the model store, not at bytes."""
    store = examination.workspace.models
    try:
        added = store.list_added()
    except BadInput as e:
        yield MODELS.warning(e.what, fix=e.fixes, details=e.evidence)
        return
    stored = store.list_models()
    sizes = sum(one.size for one in stored)
    unfinished, refused = store.list_unfinished(), store.list_refused()
    facts = {
        "path": str(store.folder),
        "models": len(stored),
        "size": sizes,
        "added": len(added),
        "unfinished": len(unfinished),
        "refused": len(refused),
    }
    if damage := store.check_names():
        fix = suggest("models verify", "writes it again")
        yield MODELS.warning(f"the list of added models: {damage}", fix=fix, facts=facts)
    yield judge_models(facts, store.broken_links(), refused)
    if changed := store.list_changed():
        details = "\n".join(str(path) for path in changed[:MAX_SHOWN])
        what = f"{len(changed)} of them changed since their hash was computed, or were never read"
        yield MODELS.note(what, details=details, fix=suggest("models verify", "reads them"), facts=facts)
    gone = [name for name, one in added.items() if not os.path.lexists(store.blob_path(one.sha256))]
    if gone:
        what = f"{len(gone)} that were added are gone: {', '.join(gone[:MAX_SHOWN])}"
        fixes = (suggest("models add", "puts a file back", place=gone[0]), suggest("models pull", "fetches them"))
        yield MODELS.warning(what, fix=fixes, facts=facts)


def judge_models(facts: Mapping[str, object], broken: Sequence[Path], refused: Sequence[Path]) -> Finding:
    """Judge the model store. `broken` are links to files of the user's that are gone, `refused` files with another hash
    than they should have."""
    counted = {**facts, "broken_links": len(broken)}
    count = facts["models"]
    what = f"{count} {'model' if count == 1 else 'models'}"
    if broken:
        targets = [f"{link.name[:16]}… → {link.readlink()}" for link in broken[:MAX_SHOWN]]
        more = f"{len(broken)} of your own {'files is' if len(broken) == 1 else 'files are'} gone"
        fix = (suggest("models pull", "fetches those that have an address"), "put the files back where they were")
        return MODELS.warning(f"{what}, {more}", details="\n".join(targets), fix=fix, facts=counted)
    if refused:
        details = "\n".join(str(path) for path in refused[:MAX_SHOWN])
        more = f"{len(refused)} that came with another hash {'is' if len(refused) == 1 else 'are'} kept aside"
        return MODELS.note(f"{what}, {more}", details=details, fix="look at them, and remove them", facts=counted)
    return MODELS.ok(what if count else "none yet", facts=counted)
