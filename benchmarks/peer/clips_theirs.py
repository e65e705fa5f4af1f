"""Clips from disk with the peer's reader of a format, in random order by torch's DataLoader, batches of 64.

On one core the DataLoader reads in its own process; on several it has a worker on each.
"""

import common
import lewm  # noqa: F401  torchvision, which its formats import


def main() -> None:
    settings = common.SETTINGS
    from stable_worldmodel.data import load_dataset
    from torch.utils.data import DataLoader

    data = load_dataset(str(common.WORK / settings["path"]), num_steps=4, frameskip=5)
    workers = settings["cores"] if settings["cores"] > 1 else 0
    loader = DataLoader(data, batch_size=64, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0)

    def batches():
        while True:
            for batch in loader:
                assert batch["pixels"].shape == (64, 4, 3, 224, 224)
                yield 64

    common.answer(**common.throughput(batches(), settings["seconds"]))


if __name__ == "__main__":  # workers import this file once more
    main()
