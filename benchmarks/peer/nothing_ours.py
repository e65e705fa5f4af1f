"""From nothing to a model that reaches goals in the other room: `armillary demo` until it begins to judge its model."""

import tempfile
import time

import common

from armillary import demo


def main() -> None:
    judge, learned = demo.evaluate_run, []

    def judged(*given, **options):
        learned.extend((time.perf_counter(), time.process_time()))
        return judge(*given, **options)

    demo.evaluate_run = judged
    with tempfile.TemporaryDirectory(dir=common.WORK) as folder:
        began, began_cpu = time.perf_counter(), time.process_time()
        judgement = demo.demo(folder, seed=common.SETTINGS["seed"], device="cpu", progress=False)
        whole = {"with_judging": time.perf_counter() - began, "with_judging_cpu": time.process_time() - began_cpu}
    told = judgement.summary()
    held = {f"held{bound}": told[f"success{bound}"] for bound in ("", "_low", "_high")}
    about = {"train_seconds": judgement.facts["train_seconds"], "pairs": told["episodes"], **whole}
    common.answer(values=[learned[0] - began], cpu_seconds=[learned[1] - began_cpu], **about, **held)


main()
