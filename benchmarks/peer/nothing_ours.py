"""From nothing to a model that reaches goals in the other room: `armillary demo`, and when its model was there."""

import tempfile
import time
from pathlib import Path

import common

from armillary.demo import demo


def main() -> None:
    with tempfile.TemporaryDirectory(dir=common.WORK) as folder:
        began, began_cpu = time.time(), time.process_time()
        judgement = demo(folder, seed=common.SETTINGS["seed"], device="cpu", progress=False)
        whole, cpu = time.time() - began, time.process_time() - began_cpu
        learned = (Path(folder) / "model.safetensors").stat().st_mtime - began
    told = judgement.summary()
    held = {f"held{bound}": told[f"success{bound}"] for bound in ("", "_low", "_high")}
    about = {"train_seconds": judgement.facts["train_seconds"], "with_judging": whole, "pairs": told["episodes"]}
    common.answer(values=[learned], cpu_seconds=[cpu], **about, **held)


main()
