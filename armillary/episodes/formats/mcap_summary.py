"""What an import of ROS messages did, in words."""

from dataclasses import dataclass, field

from armillary.episodes.formats.importing import ImportSummary


@dataclass(kw_only=True)
class McapSummary(ImportSummary):
    """What an import did.

    Args:
        clock: the control clock, in words.
        rules: of each stream, its topic, rate and what a row holds of it.
        late: by topic, how long after its stamp a message was logged, in seconds, where it has one.
        on_clock, in_files: seconds that have every topic, and those of the files.
        uneven: steps that are off the clock by more than a tenth, where it is a topic.
        irregular: by topic of which a row has so many messages, the steps in which another number of them came.
    """

    clock: str
    rules: dict[str, str]
    late: dict[str, float] = field(default_factory=dict)
    on_clock: float = 0.0
    in_files: float = 0.0
    uneven: int = 0
    irregular: dict[str, int] = field(default_factory=dict)

    def notes(self) -> list[str]:
        lines = [f"clock: {self.clock}; {self.on_clock:.1f} s of {self.in_files:.1f} s have every topic"]
        if self.uneven:
            lines.append(f"{self.uneven} steps are off the clock by more than a tenth; --rate gives an even one")
        lines += [f"{name}: {rule}" for name, rule in self.rules.items()]
        lines += [
            f"in {steps} steps another number of messages of {name} came" for name, steps in self.irregular.items() if steps
        ]
        if self.late:
            lines.append("logged after their stamps: " + ", ".join(f"{name} {late:.3f} s" for name, late in self.late.items()))
        return lines
