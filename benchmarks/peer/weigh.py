"""What a requirement brings with it: all packages that it depends on, as they are installed here."""

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def weigh(requirement: str) -> dict[str, float]:
    """Packages and megabytes of a requirement such as "armillary[data]", the packages that it depends on included."""
    seen: set[tuple[str, str]] = set()
    files: set[Path] = set()
    waiting = [Requirement(requirement)]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            place = canonicalize_name(wanted.name), extra
            if place in seen:
                continue
            try:
                package = importlib.metadata.distribution(wanted.name)
            except importlib.metadata.PackageNotFoundError:
                continue  # an extra of a dependency that nobody asked for
            seen.add(place)
            files.update(Path(package.locate_file(file)).resolve() for file in package.files or ())
            needs = (Requirement(line) for line in package.requires or ())
            waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    megabytes = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    return {"packages": len({name for name, _ in seen}), "megabytes": round(megabytes)}
