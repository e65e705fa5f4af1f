"""Retired words stay out of what people read: README, documentation, examples, and the help and messages of the package.

In their place stand the terms of the field: predict, held out, baseline, default, ablation.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RETIRED = (
    *("foretell", "foretold", "unless given", "unless it is given", "betray", "flatter", "told the", "hang on", "laxly"),
    *("in looks that", "without drawing pixels", "what does each sense buy", "the model knows no actions"),
)
FILES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/*.py", "armillary/**/*.py")


@pytest.mark.parametrize("pattern", FILES)
def test_retired_words_stay_out(pattern):
    paths = sorted(ROOT.glob(pattern))
    assert paths, pattern
    words = re.compile("|".join(rf"\b{word}" for word in RETIRED), re.IGNORECASE)
    found = [f"{path.relative_to(ROOT)}: {words.findall(text)}" for path in paths if words.search(text := path.read_text())]
    assert not found
