"""Files as a broken disk, a careless editor or an enemy leaves them: bytes, and what is written in JSON, changed at random."""

import json
import random
import struct
from pathlib import Path
from typing import Any

VALUES = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        3,
        255,
        65_536,
        2**31,
        -(2**63),
        10**18,
        10**40,
        0.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *("", "x", "../x", "/etc/hostname", "s3://bucket/x", "{i:99999999d}", "\0", "é" * 40, "1e9", "2020-01-01", "a" * 5000),
    *([], {}, [[]], [None], [1, "x"], {"a": 1}),
]
TOKENS = [
    b"-1",
    b"0",
    b"1e309",
    b"NaN",
    b"null",
    b"99999999999999999999",
    b"[[[[",
    b"}",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
]


def mutate(content: bytes, rng: random.Random) -> bytes:
    """A few changes: of a value where it is JSON, and of bytes, slices and numbers in it."""
    if rng.random() < 0.7:
        try:
            plain = [json.loads(line) for line in content.splitlines()] if b"\n{" in content else json.loads(content)
        except ValueError:
            pass
        else:
            changed = change_value(plain, rng)
            lines = changed if isinstance(plain, list) and b"\n{" in content and isinstance(changed, list) else [changed]
            return "\n".join(json.dumps(line) for line in lines).encode(errors="surrogatepass")
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        _change_bytes(content, rng)
    return bytes(content)


def change_value(plain: Any, rng: random.Random) -> Any:
    """One value in JSON changed, taken out, doubled or given another name."""
    places = [(None, None), *_places(plain)]
    parent, key = rng.choice(places)
    if parent is None:
        return rng.choice(VALUES)
    what = rng.random()
    if what < 0.15:
        del parent[key]
    elif what < 0.25 and isinstance(parent, dict):
        parent[rng.choice(("x", "", "format", "n"))] = parent.pop(key)
    elif what < 0.3 and isinstance(parent, list):
        parent += [parent[key]] * rng.choice((1, 20))
    elif what < 0.4 and isinstance(parent[key], str) and parent[key][:1] in "[{":
        parent[key] = mutate(parent[key].encode(errors="ignore"), rng).decode(errors="replace")
    elif what < 0.5 and type(parent[key]) in (int, float):
        parent[key] = rng.choice((-parent[key], parent[key] + 1, parent[key] * 1000, str(parent[key]), [parent[key]]))
    else:
        parent[key] = rng.choice(VALUES)
    return plain


def _places(plain: Any) -> list[tuple[Any, Any]]:
    found, waiting = [], [plain]
    while waiting:
        part = waiting.pop()
        keys = part.keys() if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        found += [(part, key) for key in keys]
        waiting += [part[key] for key in keys]
    return found


def _change_bytes(content: bytearray, rng: random.Random) -> None:
    at, size = rng.randrange(len(content) + 1), rng.choice((1, 1, 2, 4, 8, 30, 300))
    what = rng.randrange(9)
    if what == 0:
        del content[at:]
    elif what == 1:
        del content[at : at + size]
    elif what == 2:
        content[at:at] = content[rng.randrange(len(content) + 1) :][:size]
    elif what == 3:
        content[at:at] = rng.choice(TOKENS)
    elif what == 4:
        content[at : at + 1] = rng.choice(TOKENS)
    elif what == 5:
        content[at : at + size] = rng.randbytes(size)
    elif what == 6:
        number = rng.choice((0, 1, -1, 2**31 - 1, 2**63 - 1, 65_535, 10**6))
        content[at : at + 8] = struct.pack(rng.choice(("<q", ">q")), number)
    elif what == 7:
        content[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2**32 - 1, 2**31, 65_536)))
    elif at < len(content):
        content[at] ^= 1 << rng.randrange(8)


def mutate_files(folder: Path, rng: random.Random) -> str:
    """Change one of the files in a folder; its name."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    weights = [1 + 4 * (file.suffix in (".json", ".jsonl")) for file in files]
    file = rng.choices(files, weights)[0]
    if rng.random() < 0.02:
        file.unlink()
    else:
        file.write_bytes(mutate(file.read_bytes(), rng))
    return str(file.relative_to(folder))
