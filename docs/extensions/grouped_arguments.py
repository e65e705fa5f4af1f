"""Lets a docstring say one thing of several arguments (`low, high: bounds`): each has its own row on the page."""

import re
from typing import Any

from griffe import Extension, Object

GROUP = re.compile(r"^( +)(\w+(?:, \w+)+):((?: .*)?(?:\n\1 +.*)*)$", re.MULTILINE)


class GroupedArguments(Extension):
    """Takes groups of names apart before the docstring is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Write each name of a group on a line of its own, with the group's text."""
        if obj.docstring:
            text = obj.docstring.value
            obj.docstring.value = GROUP.sub(lambda m: "\n".join(f"{m[1]}{n}:{m[3]}" for n in m[2].split(", ")), text)
