"""Make hostile inputs of good ones: of the tree that an input is, or of its bytes. The same seed makes the same."""

import copy
import json
import math
from collections.abc import Callable
from random import Random

from tests.fuzz.formats import Format, Tree

MAX_BYTES = 64 * 1024
"""Of an input: what is unbounded in time or memory shows with few bytes."""

HOSTILE_TEXTS = (
    "",
    " ",
    "\0",
    "\n",
    "a\nb",
    "\r",
    "\t",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\ud800",
    "\udcff",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\U0010ffff",
    "[red]x[/red]",
    "[/x]",
    "$(id)",
    "`id`",
    "'; id; '",
    "-",
    "--help",
    "-o",
    ".",
    "..",
    "../../x",
    "/",
    "/etc/passwd",
    "/proc/self/environ",
    "C:\\x",
    "a\\b",
    "//",
    "a//b",
    "a/./b",
    "a/../b",
    "~",
    "~root",
    "con",
    "x" * 300,
    "é" * 200,
    "x" * 5000,
    "0",
    "-1",
    "1e999",
    "NaN",
    "٣",
    "²",
    "1" * 5000,
    "0x10",
    "true",
    "null",
    "None",
    "{}",
    "[]",
    "{",
    '"',
    "'",
    "${x}",
    "{{x}}",
    "%s%n",
    "%date:yyyy%",
    "file:///etc/passwd",
    "http://[::1",
    "http://[::1]:99999/",
    "http://x:y@z/",
    "https://x.test/a b",
    "https://x.test/\0",
    "git+ssh://git@x/y",
    "ext::sh -c id",
    "javascript:x",
    "sha256:" + "0" * 64,
    "0" * 64,
    "0" * 40,
    "f" * 40,
    "sha256-" + "A" * 43 + "=",
    "2025-12-05T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "1e5",
    "__proto__",
    "__class__",
    "x==1; python_version<'3'",
    "x @ file:///x",
    "x[a,b]>=1,<0",
    "-r more.txt",
    "-e .",
    "--extra-index-url https://x.test/simple",
    "./local/package",
    "b @ https://x.test/b-1.0-py3-none-any.whl#sha256=0000",
    "HTTP/1.1 302 Found",
    "HTTP/1.1 503 Busy",
    "HTTP/1.1 206 Partial Content",
)

HOSTILE_NUMBERS: tuple[int | float, ...] = (
    0,
    -1,
    1,
    -(2**31),
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    -(10**400),
    0.0,
    -0.0,
    0.1,
    1e308,
    5e-324,
    math.inf,
    -math.inf,
    math.nan,
)

HOSTILE_BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\x80",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xff" * 8,
    b"\0" * 8,
    b"\x7f" * 4,
    b"\r\n",
)


def mutate(data: bytes, format_: Format, random: Random) -> bytes:
    """Return another input, mostly one that still has the format."""
    if random.random() < 0.15:
        return mutate_bytes(data, random)
    try:
        changed = format_.encode(mutate_tree(format_.decode(data), random))
    except Exception:  # noqa: BLE001 - what cannot be taken apart, or not written, is changed as bytes
        return mutate_bytes(data, random)
    if random.random() < 0.1:
        changed = mutate_bytes(changed, random)
    return changed[:MAX_BYTES]


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Return other bytes: some are changed, removed, repeated, or new."""
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at = random.randint(0, len(data))
        count = min(random.choice((1, 1, 2, 4, 8, 64, 1024)), len(data) - at)
        match random.randrange(7):
            case 0:
                data = data[:at] + data[at + count :]
            case 1:
                data = data[:at] + data[at : at + count] * random.choice((2, 3, 50)) + data[at + count :]
            case 2:
                data = data[:at] + random.choice(HOSTILE_BYTES) + data[at:]
            case 3:
                data = data[:at] + random.choice(HOSTILE_BYTES) + data[at + count :]
            case 4 if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
            case 5:
                number = random.choice((0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, random.getrandbits(32), len(data)))
                data = data[:at] + number.to_bytes(4, random.choice(("little", "big"))) + data[at + 4 :]
            case _:
                data = data[:at]
        data = data[:MAX_BYTES]
    return data


def mutate_tree(tree: Tree, random: Random) -> Tree:
    """Return another tree of up to eight changes."""
    holder = [copy.deepcopy(tree)]
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        container, key = _choose(holder, random)
        _change(container, key, random, lambda: _choose(holder, random))
    return holder[0]


def _choose(value: Tree, random: Random) -> tuple[Tree, Tree]:
    """Return where a value of a tree is: the container, and the key or index in it. What is near the top is chosen as
    often as the many values below."""
    while True:
        key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        below = value[key]
        if not (isinstance(below, dict | list) and below) or random.random() < 0.15:
            return value, key
        value = below


def _change(container: Tree, key: Tree, random: Random, other: Callable[[], tuple[Tree, Tree]]) -> None:
    """Change one value of a tree where it is."""
    value = container[key]
    match random.randrange(12):
        case 0:
            del container[key]
            if not container and isinstance(container, list):
                container.append(None)
        case 1:
            there, name = other()
            if name in there if isinstance(there, dict) else name < len(there):
                container[key] = copy.deepcopy(there[name])
        case 2 if isinstance(container, dict):
            container[_text_of(key, random)] = container.pop(key)
        case 2 if isinstance(container, list):
            container.insert(key, copy.deepcopy(value))
        case 3:
            container[key] = random.choice(([value], {"a": value}, [value, value], [], {}, {"": value}, [[]], [{}]))
        case 4 if isinstance(container, list) and len(json.dumps(value, default=str)) < 1000:
            container[key : key + 1] = [copy.deepcopy(value) for _ in range(random.choice((0, 3, 30, 300)))]
        case 5:
            container[key] = _nested(value, random.choice((3, 60, 300, 3000)), random)
        case 6 if isinstance(value, dict):
            value[random.choice(HOSTILE_TEXTS)] = hostile_value(random)
        case 6 if isinstance(value, list):
            value.append(hostile_value(random))
        case 7 | 8 if isinstance(value, str | bytes):
            container[key] = _changed_text(value, random)
        case 7 | 8 if isinstance(value, int | float) and not isinstance(value, bool):
            container[key] = random.choice((*HOSTILE_NUMBERS, -value, value + 1, value - 1, str(value)))
        case 9 if isinstance(container, dict) and len(container) > 1:
            name = random.choice(list(container))
            container[key], container[name] = container[name], value
        case _:
            container[key] = hostile_value(random)


def hostile_value(random: Random) -> Tree:
    """Return a value that few expect."""
    kind = random.randrange(10)
    if kind < 5:
        return random.choice(HOSTILE_TEXTS)
    if kind < 8:
        return random.choice(HOSTILE_NUMBERS)
    return random.choice((None, True, False, [], {}, [None], {"a": None}, [[]], [{}]))


def _changed_text(value: str | bytes, random: Random) -> str | bytes:
    """Return another text; one that is JSON, another JSON."""
    if isinstance(value, bytes):
        try:
            return json.dumps(mutate_tree(json.loads(value), random)).encode("utf-8", "surrogatepass")
        except (ValueError, TypeError):
            return mutate_bytes(value, random)
    return _text_of(value, random)


def _text_of(value: Tree, random: Random) -> str:
    text = str(value)
    if text[:1] in ("{", "[") and random.random() < 0.8:
        try:
            return json.dumps(mutate_tree(json.loads(text), random))
        except ValueError:
            pass
    at = random.randint(0, len(text))
    end = min(len(text), at + random.choice((0, 1, 1, 3, 10)))
    piece = text[at:end] or chr(random.choice((random.randrange(128), 0xE9, 0x4E00)))
    # Many of the same show what takes quadratic time.
    new = random.choice((*HOSTILE_TEXTS, piece * 2, "", piece, piece * random.choice((100, 3000))))
    return text[:at] + new + text[end:]


def _nested(value: Tree, depth: int, random: Random) -> Tree:
    lists = random.random() < 0.5
    for _ in range(depth):
        value = [value] if lists else {"a": value}
    return value
