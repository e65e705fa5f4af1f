"""Train as test_resume.py does, and die by SIGKILL at the n-th save: before it, amid it (before the rename), or after it.

python killed_run.py STORE OUT N before|amid|after
"""

import os
import signal
import sys
from pathlib import Path

import torch
from training_fakes import STAGES, clips_of, new_model

from armillary.episodes.store import Episodes
from armillary.model.world_model import STATE
from armillary.training import state
from armillary.training.loop import TrainConfig, train

CONFIG = TrainConfig(log_every=4, save_every=0, validations=2, progress=False)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(store: str, out: str, number: str, moment: str) -> None:
    left, write = int(number), state.save

    def save(*given: object) -> None:
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            die()
        if left == 0 and moment == "amid":
            Path.replace = die
        write(*given)
        if left == 0:
            die()

    torch.set_num_threads(1)
    state.save = save
    resume = (Path(out) / STATE).exists()
    train(
        new_model(), clips_of(Episodes.open(store)), STAGES, out, CONFIG, validate=lambda model: {"asked": 1.0}, resume=resume
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
