"""Message definitions of strangers, of which only fields are handed to a parser.

The parser of `mcap-ros2-support` has regular expressions of quadratic and exponential cost, on comments and on the names of
constants. Neither takes part in decoding, so that both are taken out first.
"""

import re

from armillary.errors import CorruptFile

DEFINITION = 1 << 18
"""Characters of a message definition, at most; MoveIt's longest has a quarter of that."""
LINE = 1000
_SEPARATOR = re.compile(r"=+|MSG: .*")
_HEADER = re.compile(r"(std_msgs/)?(msg/)?Header +header")


def fields_of(definition: bytes) -> str:
    """A message definition with its fields alone, without comments, constants and empty lines.

    Raises:
        CorruptFile: too long, no text, or a field of no size, of which a message could declare any number.
    """
    if len(definition) > DEFINITION:
        raise CorruptFile(f"a message definition has {len(definition):,} bytes, and {DEFINITION:,} at most are read")
    text = definition.decode(errors="replace")  # comments of ROS 1 are of any encoding
    kept = []
    for line in text.replace("\t", " ").splitlines():
        line = line.partition("#")[0].strip()
        if len(line) > LINE:
            raise CorruptFile(f"a message definition has a line of {len(line):,} characters, and {LINE:,} at most are read")
        kind, _, rest = line.partition(" ")
        if re.search(r"\[0*\]$", kind) and not kind.endswith("[]"):
            raise CorruptFile(f"a message definition has the field {line!r}, of no elements")
        if "\ufffd" in line:
            raise CorruptFile(f"a message definition is no text: {line!r}")
        if _SEPARATOR.fullmatch(line) or (line and "=" not in rest):
            kept.append(line)
    return "\n".join(kept)


def is_headed(fields: str) -> bool:
    """Whether messages of a definition, as `fields_of` gives it, begin with a header."""
    return bool(_HEADER.match(fields))
