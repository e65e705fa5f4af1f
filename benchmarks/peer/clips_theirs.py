"""Clips with the peer: random batches of 64, by torch's DataLoader on its reader of a format, or by its replay buffer.

On one core the DataLoader reads in its own process; on several it has a worker on each.
"""

import time
from collections.abc import Iterator

import common
import lewm  # noqa: F401  torchvision, which its formats import
import torch


def loaded() -> Iterator[int]:
    """Batches of a reader, which may hold the frames in memory."""
    from stable_worldmodel.data import load_dataset
    from torch.utils.data import DataLoader

    settings = common.SETTINGS
    data = load_dataset(str(common.WORK / settings["path"]), num_steps=4, frameskip=5, **settings.get("options", {}))
    workers = settings["cores"] if settings["cores"] > 1 else 0
    loader = DataLoader(data, batch_size=64, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0)
    yield 0
    while True:
        for batch in loader:
            assert batch["pixels"].shape == (64, 4, 3, 224, 224)
            yield 64


def buffered() -> Iterator[int]:
    """Batches of the replay buffer, filled from the HDF5 file."""
    import h5py
    from stable_worldmodel.data import ReplayBuffer

    with h5py.File(common.WORK / common.SETTINGS["path"]) as file:
        buffer = ReplayBuffer(int(file["ep_len"][:].sum()), history_len=4, frameskip=5)
        for start, rows in zip(file["ep_offset"][:], file["ep_len"][:], strict=True):
            buffer.write_episode({name: list(file[name][start : start + rows]) for name in ("pixels", "action")})
    yield 0
    while True:
        assert buffer.sample(64)["pixels"].shape == (64, 4, 224, 224, 3)
        yield 64


def main() -> None:
    settings = common.SETTINGS
    torch.manual_seed(settings["seed"])
    began = time.perf_counter()
    batches = buffered() if settings.get("buffer") else loaded()
    next(batches)  # opens it
    opened = time.perf_counter() - began
    common.answer(**common.throughput(batches, settings["seconds"]), seconds_to_open=opened)


if __name__ == "__main__":  # workers import this file once more
    main()
