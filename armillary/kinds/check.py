"""One line of the doctor's table: a value in words, a verdict and, where something is wrong, what to do."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    check: str
    value: str
    verdict: Verdict
    advice: str = ""

    @classmethod
    def of(cls, check: str, value: str, verdict: Verdict | bool, advice: str) -> "Row":
        """A row whose advice is left out when all is well; `True` warns."""
        if not isinstance(verdict, str):
            verdict = "warn" if verdict else "ok"
        return cls(check, value, verdict, advice if verdict != "ok" else "")
