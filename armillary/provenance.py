"""Where a result comes from: the commit of this code, and the machine that it ran on."""

import os
import platform
import subprocess
from pathlib import Path


def commit() -> str | None:
    """The commit of this code, with "-dirty" where some of it was changed since; None where it is not under git."""
    folder = Path(__file__).parent

    def git(*command: str) -> str:
        return subprocess.run(("git", *command), cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + "-dirty" * bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError):
        return None


def machine() -> str:
    """The machine in a few words: processor, whether it computes in bfloat16 (where that is known), cores, system."""
    processor, told = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if told.exists():
        lines = dict(line.split("\t: ", 1) for line in told.read_text().splitlines() if "\t: " in line)
        named = {name.strip(): value for name, value in lines.items()}
        processor = " ".join([named.get("model name", processor), *(["with bfloat16"] * ("bf16" in named.get("flags", "")))])
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
