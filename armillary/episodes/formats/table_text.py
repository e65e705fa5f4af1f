"""Text to rows of cells: which encoding, what ends a line, what separates columns, where the header is.

The same for a file and for a pipe that somebody still writes to: text is taken in the portions that the system hands over, so
that a row is passed on as soon as it is whole, and memory is that of one portion. What is decided is decided by the first lines
that are there. Passed over are empty lines, lines before the header, a row of units below it, comments, and the header where it
comes again, as in a log that was rotated.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from armillary.episodes.formats.cells import is_missing, number
from armillary.episodes.formats.dates import is_date
from armillary.errors import CorruptFile

PORTION = 1 << 16  # bytes
LONGEST_LINE = 1 << 20  # characters
HEAD = 200  # lines that the layout is read off
UNIT_ROWS = 3
_SEPARATOR = re.compile(r'\ufeff?"?sep=(.)"?[\s,;]*', re.IGNORECASE)  # the first line of what Excel is to read
QUOTED_LINES = 8  # of one cell that is cut off by the end of a portion
Block = tuple[list[str], int]  # lines, and the number of the first


class NoTable(CorruptFile):
    """A text in which there is no table."""


@dataclass(frozen=True)
class TextLayout:
    """How a text is laid out.

    Args:
        delimiter: between cells.
        names: of the columns; empty where there is none.
        header: the header's cells as they stand, or none.
        units: the cells of the row of units, or none.
        begins: number of the line after the header and the units.
    """

    delimiter: str
    names: tuple[str, ...]
    header: tuple[str, ...]
    units: tuple[str, ...]
    begins: int

    def repeats(self, row: Sequence[str]) -> bool:
        """Whether a row is the header, or that of units, once more."""
        cells = tuple(cell.strip().lstrip("\ufeff") for cell in row)
        return bool(cells) and cells in (self.header, self.units)


def blocks(stream: BinaryIO, name: str) -> Iterator[Block]:
    """Whole lines as they come, decoded.

    Raises:
        CorruptFile: a line that is longer than any table's.
    """
    ends = io.IncrementalNewlineDecoder(None, translate=True)
    rest, line = "", 1
    for text, final in _texts(stream, name):
        whole, end, rest = (rest + ends.decode(text, final)).rpartition("\n")
        if final and rest:
            whole, end, rest = whole + end + rest, "\n", ""
        if not end:
            continue
        lines = whole.split("\n")
        if not final and '"' in whole and (begun := _open_quote(lines)):
            rest = "\n".join([*lines[-begun:], rest])
            lines = lines[:-begun]
        if lines:
            yield lines, line
            line += len(lines)


def _open_quote(lines: Sequence[str]) -> int:
    """How many of the last lines are inside a quoted cell that has not ended, if they are few."""
    odd = [i for i, text in enumerate(lines, -len(lines)) if text.count('"') % 2]
    return -odd[-1] if len(odd) % 2 and -odd[-1] <= QUOTED_LINES else 0


def _texts(stream: Any, name: str) -> Iterator[tuple[str, bool]]:
    """Decoded text in portions of a buffered stream (with `read1`), and whether it is the last one.

    UTF-16 and UTF-32 are known by their mark or their zeros. Else it is UTF-8, and a line that is not is Windows-1252, which
    has Latin-1's letters.
    """
    portion = stream.read1(PORTION)
    if wide := _wide(portion):
        decoder = codecs.getincrementaldecoder(wide)(errors="replace")
        while portion:
            yield decoder.decode(portion), False
            portion = stream.read1(PORTION)
        yield decoder.decode(b"", True), True
        return
    held = portion = portion.removeprefix(codecs.BOM_UTF8)
    while portion:
        whole = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        if whole:
            yield _narrow(held[:whole]), False
        held = held[whole:]
        if len(held) > LONGEST_LINE:
            raise CorruptFile(f"{name}: a line is longer than {LONGEST_LINE:,} bytes; this is no table of text")
        portion = stream.read1(PORTION)
        held += portion
    yield _narrow(held), True


def _narrow(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        lines = text.splitlines(keepends=True)
        return "".join(map(_narrow, lines)) if len(lines) > 1 else text.decode("cp1252", "replace")


def _wide(first: bytes) -> str | None:
    """Which UTF-16 or UTF-32 a text is in, or None."""
    if first[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "utf-32"
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    zeros = [first[i:400:4].count(0) for i in range(4)]
    if sum(count > 0.9 * len(first[:400]) / 4 > 2 for count in zeros) == 3:
        return "utf-32-le" if zeros[0] < zeros[3] else "utf-32-be"
    zeros = [zeros[0] + zeros[2], zeros[1] + zeros[3]]
    if max(zeros) > 0.4 * len(first[:400]) / 2 > 2:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    return None


def split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Each line's cells."""
    return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))


def layout_of(head: Sequence[str], header: bool, name: str) -> TextLayout:
    """The layout of a text, by its first lines.

    Args:
        header: whether the columns have names; else they are `column 1`, `column 2`, ...

    Raises:
        CorruptFile: it is no table, or a header of numbers alone.
    """
    head, signs = list(head[:HEAD]), ",;\t|"
    if said := _SEPARATOR.fullmatch(head[0]):
        signs, head[0] = said[1], ""
    delimiter, width, at = _delimiter(head, signs)
    reader = csv.reader(head, delimiter=delimiter, skipinitialspace=True)
    ends, rows = [], []  # a quoted cell may go on over several lines
    for row in reader:
        ends.append(reader.line_num)
        rows.append(tuple(cell.strip() for cell in row))
    if not header:
        return TextLayout(delimiter, tuple(f"column {i + 1}" for i in range(width)), (), (), ends[at - 1] + 1 if at else 1)
    raw = names = tuple(cell.lstrip("\ufeff") for cell in rows[at])
    if garbled := [cell for cell in names if _is_garbled(cell)]:
        raise CorruptFile(
            f"{name}: line {at + 1}: the header is neither in UTF-8 nor in Windows-1252 ({garbled[0]!r}); convert the file to "
            "UTF-8 first, as by `iconv -f SHIFT-JIS -t UTF-8` (or from GBK, CP1251, ...)"
        )
    if not any(names):
        raise CorruptFile(f"{name}: line {at + 1}: expected a header with names of columns, got empty cells")
    if all(is_missing(cell) or _is_value(cell) for cell in names):
        shown = ", ".join(names[:3])
        raise CorruptFile(
            f"{name}: line {at + 1}: expected a header with names of columns, got numbers alone ({shown}, ...); write one, or "
            "say that there is none (--no-header), which calls them column 1, column 2, ..."
        )
    if len(names) < width:  # the cell above row numbers, or below a separator at the end of rows, is not there
        trailing = all(not row[-1] for row in rows[at + 1 :] if len(row) == width)
        names = (*names, "") if trailing else ("", *names)
    below = 0
    while below < UNIT_ROWS and _is_words(rows, at + 1 + below, width):
        below += 1
    units = rows[at + 1] if below else ()
    return TextLayout(delimiter, names, raw, units, ends[at + below] + 1)


def _is_garbled(cell: str) -> bool:
    """Whether a name was read as Windows-1252, and that is no likely word of it: four of its letters beside each other."""
    return "\ufffd" in cell or cell.count("\u0192") > 1 or bool(re.search(rb"[\x80-\xff]{4}", cell.encode("cp1252", "replace")))


def _delimiter(head: Sequence[str], signs: str) -> tuple[str, int, int]:
    """What separates cells, how many a row has, and which line is the header: the first with so many, or with one less."""
    best = (0.0, 0, ",", 0)
    for sign in signs:
        widths = [len(row) for row in split(head, sign)]
        counts = Counter(width for width in widths if width > 1)
        if not counts:
            continue
        width, lines = max(counts, key=lambda width: (counts[width], width)), sum(found > 0 for found in widths)
        less = width - 1 if width > 2 else width
        at = next(i for i, found in enumerate(widths) if found == width or (found == less and width in widths[i + 1 :]))
        fits = (counts[width] + (widths[at] < width)) / lines
        best = max(best, (fits, width, sign, at), key=lambda found: found[:2])
    if best[0] >= 0.5:
        return best[2], best[1], best[3]
    return signs[0] if len(signs) == 1 else ";", 1, next((i for i, line in enumerate(head) if line.strip()), 0)


def _is_value(cell: str) -> bool:
    return number(cell, ".") == number(cell, ".") or number(cell, ",") == number(cell, ",") or is_date(cell)


def _is_words(rows: Sequence[Sequence[str]], at: int, width: int) -> bool:
    """Whether a row holds units: words and nothing else, above numbers in the same columns."""
    if at >= len(rows) or len(rows[at]) != width or any(map(_is_value, rows[at])):
        return False
    words = [i for i, cell in enumerate(rows[at]) if not is_missing(cell)]
    below = [row for row in rows[at + 1 : at + 1 + UNIT_ROWS] if len(row) == width]
    return bool(words) and (not below or any(_is_value(row[i]) for row in below for i in words))


@dataclass(frozen=True)
class TextRows:
    """Some rows, each with as many cells as there are columns.

    Args:
        lines: the number of each row's line.
        rows: their cells; empty ones where a line has another number of cells.
        faults: what is wrong with these, by index.
        again: how many headers were passed over.
    """

    lines: list[int]
    rows: list[list[str]]
    faults: dict[int, str]
    again: int


def rows_of(block: Block, layout: TextLayout, name: str) -> TextRows:
    """The rows of some lines.

    Raises:
        CorruptFile: a cell that is longer than any number, or a header of the same names in another order.
    """
    texts, first = block
    if first < layout.begins:
        texts, first = texts[layout.begins - first :], layout.begins
    width = len(layout.names)
    found = _records(texts, first, layout.delimiter, name)
    quotes = sum(text.count('"') for text in texts)
    if quotes % 2 or (quotes and {len(row) for _, row in found} - {width}):  # one that is never closed costs its line alone
        single = [record for i, text in enumerate(texts) for record in _records([text], first + i, layout.delimiter, name)]
        found = min(single, found, key=lambda records: sum(len(row) != width for _, row in records))
    firsts = {row[0].strip().lstrip("\ufeff") for _, row in found}
    if {len(row) for _, row in found} <= {width} and firsts.isdisjoint((*filter(None, layout.header), *layout.units[:1])):
        return TextRows([line for line, _ in found], [row for _, row in found], {}, 0)
    rows, faults, again = [], {}, 0
    for line, row in found:
        if layout.repeats(row):
            again += 1
        elif layout.header and sorted(map(str.strip, row)) == sorted(layout.header):
            raise CorruptFile(f"{name}: line {line}: the columns come in another order from here on; make another file of it")
        elif len(row) == width or (len(row) > width and not any(map(str.strip, row[width:]))):
            rows.append((line, row[:width]))
        elif any(map(str.strip, row)) and not row[0].lstrip().startswith("#"):
            faults[len(rows)] = f"it has {len(row)} cells, and the header {width}"
            rows.append((line, [""] * width))
    return TextRows([line for line, _ in rows], [row for _, row in rows], faults, again)


def _records(texts: Sequence[str], first: int, delimiter: str, name: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(texts, delimiter=delimiter, skipinitialspace=True)
    try:
        return [(first + reader.line_num - 1, row) for row in reader if row]
    except csv.Error as error:
        raise CorruptFile(f"{name}: line {first + reader.line_num}: {error}") from error
