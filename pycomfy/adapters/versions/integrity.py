"""Find damage in the versions repository, and put right what something else in it still knows.

A branch, tag or image is known by the log of its changes too (git's reflog), the index of a pack by the pack. Commits
and files are known by nothing else here: they come back from a repository that has them.
"""

import contextlib
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pycomfy.adapters.versions.git import LOG_LINE, ZERO, BareRepository
from pycomfy.operation import cancel_scope

_REF_LINE = re.compile(r"[0-9a-f]{40} (refs/\S+)")
_DERIVED = ("*.idx", "*.rev", "*.bitmap", "multi-pack-index*")
_SUM = 20  # bytes of SHA-1 at the end of a pack and of what is made from it, see gitformat-pack(5)


def find_damage(bare: BareRepository) -> list[str]:
    """Return what is wrong, a line each: first what is missing or changed, then what refers to it. Every byte is
    read, but the files in packs only as part of the pack. Raises `Cancelled`."""
    status, output, message = bare.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    lines = [*output.decode(errors="replace").splitlines(), *message.splitlines()]
    found = [line for line in lines if not line.startswith("notice: ")] if status else []
    if status and not found:
        found = [f"git fsck: exit status {status}"]
    found.sort(key=lambda line: "missing" not in line)
    found += [f"{path.relative_to(bare.path)} was changed" for path in find_changed_files(bare.path)]
    with contextlib.suppress(Exception):
        found += [f"{ref} is lost" for ref in sorted(bare.lost_refs("refs"))]
        if bare.resolve("HEAD") is None and bare.refs("refs/heads"):
            found.append("HEAD is not a branch")
    if not (bare.path / "config").is_file():
        found.append("config is missing")
    return found


def find_changed_files(path: Path) -> list[Path]:
    """Return the files of the object database whose bytes are not those that were written."""
    objects = path / "objects"
    loose = (file for file in objects.glob("[0-9a-f][0-9a-f]/*") if len(file.name) == 38)
    summed = [*objects.glob("pack/*.pack"), *(f for p in _DERIVED for f in objects.glob(f"pack/{p}"))]
    summed += [f for f in objects.glob("info/commit-graph*") if f.is_file()]
    found = [f for f in loose if not _is_object(f)] + [f for f in summed if not _has_sum(f)]
    found += [f for f in objects.glob("pack/*.idx") if not f.with_suffix(".pack").exists()]
    found += [f for f in objects.glob("pack/*.pack") if not f.with_suffix(".idx").exists()]
    return sorted(set(found))


def repair(bare: BareRepository, branches: Mapping[str, Sequence[str]]) -> list[str]:
    """Put right what can be; return what was done, a line each. `branches` are the commits of each workflow, newest
    first, as something else than the repository knows them. For a caller that is writing.

    What is damaged and cannot be put right stays as it is, but for a branch or tag of which nothing is known.
    """
    steps = (
        _repair_frame(bare),
        _repair_objects(bare),
        _repair_refs(bare, branches),
        _repair_logs(bare),
        _repair_head(bare),
        _repack(bare),
    )
    return [line for step in steps for line in step]


def _repair_frame(bare: BareRepository) -> Iterator[str]:
    """Make HEAD and the settings anew, without which git sees no repository, and read what can be of packed refs."""
    if bare.run("rev-parse", "--git-dir").status != 0 or not (bare.path / "config").is_file():
        for name in ("HEAD", "config"):
            with contextlib.suppress(FileNotFoundError):
                _put_aside(bare, bare.path / name)
        bare.init()
        yield "made HEAD and config anew"
    packed = bare.path / "packed-refs"
    if packed.is_file():
        text = packed.read_text(errors="replace")
        *lines, _ = text.split("\n")  # the last one, if it has no end, is cut off
        rows = sorted((m[1], line) for line in lines if (m := _REF_LINE.fullmatch(line)))
        whole = [line for line in lines if not line.startswith(("#", "^"))] == [line for _, line in rows]
        if not whole or not text.endswith("\n"):
            # git looks a ref up by bisection: it does not find those that are out of order.
            packed.write_text("".join(f"{line}\n" for _, line in rows))
            yield f"read {len(rows)} branches, tags and images of packed-refs"


def _repair_objects(bare: BareRepository) -> Iterator[str]:
    """Put aside what was changed; make the index of packs anew, and unpack what can be read of a pack that git cannot
    open. Of one that it can, all but what was changed is read as it is."""
    for file in find_changed_files(bare.path):
        if file.suffix != ".pack":
            _put_aside(bare, file)
    for pack in sorted((bare.path / "objects" / "pack").glob("*.pack")):
        cancel_scope().check()
        index = pack.with_suffix(".idx")
        if index.exists() and _ends_as_indexed(pack, index):
            continue
        index.unlink(missing_ok=True)
        if bare.run("index-pack", str(pack)).status == 0:
            yield f"made the index of {pack.name} anew"
            continue
        aside = _put_aside(bare, pack)
        bare.run("unpack-objects", "-r", "-q", stdin=aside.read_bytes())
        yield f"read what can be of {pack.name}, which is kept as {aside}"


def _ends_as_indexed(pack: Path, index: Path) -> bool:
    """Return whether the pack ends in the sum that its index has of it: else git does not open it."""
    return pack.read_bytes()[-_SUM:] == index.read_bytes()[-2 * _SUM : -_SUM]


def _put_aside(bare: BareRepository, file: Path) -> Path:
    """Move a file out of git's sight; return where it is."""
    aside = bare.path / "damaged" / "-".join(file.relative_to(bare.path).parts)
    aside.parent.mkdir(exist_ok=True)
    return file.replace(aside)


def _repair_refs(bare: BareRepository, branches: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Point lost refs, and those to objects that are not there, at what they were last, if that is there."""
    refs = bare.refs("refs")
    known = {ref: bare.read_log(ref)[:1] for ref in {*refs, *bare.refs_left("refs")}}
    for name, commits in branches.items():
        known.setdefault(f"refs/heads/{name}", []).extend(commits[:1])
    kinds = bare.kinds([*refs.values(), *(object_ for newest in known.values() for object_ in newest)])
    for ref, newest in sorted(known.items()):
        wanted = "blob" if ref.startswith("refs/images/") else "commit"
        if ref in refs and kinds.get(refs[ref]) == wanted and not bare.is_older(ref, refs[ref]):
            continue
        found = next((object_ for object_ in newest if kinds.get(object_) == wanted), None)
        if found is None and (ref in refs or newest):
            continue  # it, or what was there, may come back
        for root in (bare.path, bare.path / "logs"):
            (root / ref).unlink(missing_ok=True)
        if found is None:
            yield f"{ref} is lost: nothing says what it was"
        else:
            bare.must("update-ref", ref, found)
            yield f"{ref} is {found[:12]} again"


def _repair_logs(bare: BareRepository) -> Iterator[str]:
    """Leave lines that name nothing out of the logs of refs that are right. The log still ends in what the ref is."""
    head = bare.resolve("HEAD")
    for ref, object_ in {**({"HEAD": head} if head else {}), **bare.refs("refs")}.items():
        log = bare.path / "logs" / ref
        lines = log.read_bytes().splitlines(keepends=True) if log.is_file() else []
        moves = [(m[1].decode(), m[2].decode()) if (m := LOG_LINE.match(line)) else None for line in lines]
        there = {ZERO, *bare.kinds([object_, *(o for move in moves if move for o in move)])}
        kept = [(line, move[1]) for line, move in zip(lines, moves, strict=True) if move and there.issuperset(move)]
        if object_ not in there or len(kept) == len(lines):
            continue
        last = kept[-1][1] if kept else ZERO
        end = b"" if last == object_ else f"{last} {object_} pycomfy <> 0 +0000\trepaired\n".encode()
        log.write_bytes(b"".join(line for line, _ in kept) + end)
        lost = len(lines) - len(kept)
        yield f"left {lost} damaged {'line' if lost == 1 else 'lines'} out of the log of {ref}"


def _repair_head(bare: BareRepository) -> Iterator[str]:
    branches = list(bare.refs("refs/heads"))
    if branches and bare.resolve("HEAD") is None:
        bare.run("symbolic-ref", "HEAD", branches[0])
        yield f"HEAD is {branches[0]}"


def _repack(bare: BareRepository) -> Iterator[str]:
    """Replace packs that were changed, once all that was in them is elsewhere too."""
    if find_changed_files(bare.path) and bare.run("repack", "-a", "-d", "-q").status == 0:
        yield "packed all objects anew"


def _is_object(file: Path) -> bool:
    """Return whether a loose object's bytes are those of its name."""
    cancel_scope().check()
    try:
        data = zlib.decompress(file.read_bytes())
    except (OSError, zlib.error):
        return False
    return hashlib.sha1(data, usedforsecurity=False).hexdigest() == file.parent.name + file.name


def _has_sum(file: Path) -> bool:
    """Return whether the file ends in the SHA-1 of what is before."""
    cancel_scope().check()
    digest, held = hashlib.sha1(usedforsecurity=False), b""
    try:
        with file.open("rb") as data:
            while chunk := data.read(1 << 20):
                held += chunk
                digest.update(held[:-_SUM])
                held = held[-_SUM:]
    except OSError:
        return False
    return len(held) == _SUM and digest.digest() == held
