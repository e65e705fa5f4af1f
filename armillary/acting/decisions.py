"""What deciding has cost, for whoever wants to know how fast an agent is."""

from dataclasses import dataclass, field

KEPT = 1000  # decisions


@dataclass
class Decisions:
    """What deciding has cost: one entry for each of the last `KEPT` calls of `act` in which plans were made."""

    problems: list[int] = field(default_factory=list)
    """plans made in the call"""
    encode_seconds: list[float] = field(default_factory=list)
    """wall time to encode what was seen"""
    plan_seconds: list[float] = field(default_factory=list)
    """wall time to plan"""
    model_calls: list[int] = field(default_factory=list)
    """imagined steps, summed over the problems"""
    count: int = 0
    """calls of `act` in which plans were made, since the agent was made"""

    def add(self, problems: int, encode_seconds: float, plan_seconds: float, model_calls: int) -> None:
        """One more entry; the oldest goes, so that an agent that acts for ever needs no more memory for it."""
        self.problems.append(problems)
        self.encode_seconds.append(encode_seconds)
        self.plan_seconds.append(plan_seconds)
        self.model_calls.append(model_calls)
        for log in (self.problems, self.encode_seconds, self.plan_seconds, self.model_calls):
            del log[:-KEPT]
        self.count += 1
