"""Small good files of other people's formats, and how to change them deeper than bytes."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.own_files import store


def lerobot(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    vector = {"dtype": "float32", "shape": [2], "names": ["a", "b"]}
    features = {"observation.state": vector, "action": vector, "timestamp": {"dtype": "float32", "shape": [1], "names": None}}
    data = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
    info = {"codebase_version": "v2.1", "fps": 10, "chunks_size": 1000, "features": features, "data_path": data}
    (folder / "meta").mkdir()
    (folder / "data/chunk-000").mkdir(parents=True)
    (folder / "meta/info.json").write_text(json.dumps({**info, "video_path": None, "robot_type": "toy"}))
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0, "tasks": ["x"], "length": 5}\n')
    rows = np.arange(10.0).reshape(5, 2).tolist()
    columns = {"observation.state": rows, "action": rows, "timestamp": pa.array(np.arange(5) / 10, pa.float32())}
    pq.write_table(pa.table({**columns, "episode_index": [0] * 5}), folder / data.format(episode_chunk=0, episode_index=0))


def lerobot_v3(folder: Path) -> None:
    from armillary.episodes.formats.lerobot_export import export_lerobot

    store(folder)
    export_lerobot(folder / "store", folder / "set", rate=10.0, progress=False)
    shutil.rmtree(folder / "store")


def hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "demo.hdf5", "w") as file:
        for demo in range(2):
            group = file.create_group(f"data/demo_{demo}")
            group["actions"] = np.ones((5, 2))
            group["obs/state"] = np.arange(15.0).reshape(5, 3)
            group["obs/text"] = np.array(["a", "b", "c", "d", "e"], object)
            group.create_dataset("obs/camera", data=np.ones((5, 8, 8, 3), np.uint8), compression="gzip", chunks=(2, 8, 8, 3))
            group.create_dataset("obs/packed", data=np.arange(15).reshape(5, 3), scaleoffset=0)
            group.attrs["num_samples"] = 5
        file["data"].attrs["env_args"] = '{"env_kwargs": {"control_freq": 20}}'


def swm_hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "file.h5", "w", libver="latest") as file:
        file["ep_len"], file["ep_offset"], file["action"] = [4, 3], [0, 4], np.ones((7, 2))
        file.create_dataset("state", data=np.ones((7, 3)), chunks=(2, 3), maxshape=(None, 3), compression="lzf")
        file["pixels"] = np.ones((7, 8, 8, 3), np.uint8)


def mcap(folder: Path) -> None:
    from episodes.ros_fakes import write_mcap
    from mcap.writer import CompressionType

    write_mcap(folder / "file.mcap", _messages(), enable_crcs=False, compression=CompressionType.NONE, chunk_size=4096)


def bag(folder: Path) -> None:
    from episodes.ros_fakes import write_rosbag

    write_rosbag(folder / "file.bag", _messages())


def db3(folder: Path) -> None:
    from episodes.ros_fakes import write_rosbag

    write_rosbag(folder / "file.db3", _messages())


def _messages() -> dict[str, tuple[str, list[tuple[float, dict]]]]:
    from episodes.ros_fakes import axes, image, scan

    pixels = np.zeros((4, 4, 3), np.uint8)
    return {
        "/camera": ("sensor_msgs/Image", [(i / 10, image(pixels, "rgb8")) for i in range(6)]),
        "/scan": ("sensor_msgs/LaserScan", [(i / 10, scan(np.ones(4), 0.1)) for i in range(6)]),
        "/cmd": ("geometry_msgs/Twist", [(i / 10, {"linear": axes(1), "angular": axes(0)}) for i in range(6)]),
    }


def table(folder: Path) -> None:
    lines = [f"2020-01-01 00:00:{i:02d};{i};{2 * i}.5;{i % 2}" for i in range(30)]
    (folder / "log.csv").write_text("\n".join(["time;a [bar];b;valve", *lines]) + "\n")


def images(folder: Path) -> None:
    from PIL import Image

    (folder / "film").mkdir()
    for i, kind in enumerate(("png", "jpg", "png", "bmp", "tif")):
        Image.fromarray(np.full((16, 16, 3), 10 * i, np.uint8)).save(folder / f"film/{i}.{kind}")


def video(folder: Path) -> None:
    from film_fakes import film

    for kind in ("mp4", "mkv", "avi", "ts"):
        film(folder / f"film.{kind}", range(6), codec="mpeg4")


def minari(folder: Path) -> None:
    import h5py

    space = json.dumps({"type": "Box", "dtype": "float32", "shape": [2], "low": [-1, -1], "high": [1, 1]})
    (folder / "data").mkdir()
    about = {"total_episodes": 1, "observation_space": space, "action_space": space, "data_format": "hdf5"}
    (folder / "data/metadata.json").write_text(json.dumps(about))
    with h5py.File(folder / "data/main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["observations"], group["actions"] = np.zeros((6, 2), np.float32), np.zeros((5, 2), np.float32)
        group["rewards"], group["terminations"], group["truncations"] = np.zeros(5), np.zeros(5, bool), np.zeros(5, bool)


def minari_arrow(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import feather

    space = json.dumps({"type": "Box", "dtype": "float32", "shape": [2], "low": [-1, -1], "high": [1, 1]})
    about = {"total_episodes": 1, "observation_space": space, "action_space": space, "data_format": "arrow"}
    (folder / "data/0").mkdir(parents=True)
    (folder / "data/metadata.json").write_text(json.dumps(about))
    (folder / "data/0/metadata.json").write_text(json.dumps({"id": 0, "seed": 1, "total_steps": 5}))
    rows = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(12, np.float32)), 2)
    flags = pa.array(np.zeros(6, bool))
    parts = {"observations": rows, "actions": rows, "rewards": pa.array(np.zeros(6)), "terminations": flags}
    feather.write_feather(pa.table({**parts, "truncations": flags}), folder / "data/0/part-0.arrow", compression="uncompressed")


def swm(folder: Path) -> None:
    for name, values in {"ep_len": [4, 3], "ep_offset": [0, 4], "action": np.zeros((7, 2)), "state": np.zeros((7, 3))}.items():
        np.savez(folder / f"{name}.npz", values)


def npz(folder: Path) -> None:
    ends = np.arange(10) % 5 == 4
    np.savez_compressed(folder / "set.npz", observations=np.ones((10, 3)), actions=np.ones((10, 2)), terminals=ends)


def change_in_place(folder: Path, rng: Any) -> None:
    """A few bytes of a file that are not zero: others would move what its index points at, or be of what nobody reads."""
    path = rng.choice(sorted(file for file in folder.rglob("*") if file.is_file()))
    content = bytearray(path.read_bytes())
    places = [at for at, byte in enumerate(content) if byte]
    for _ in range(rng.choice((1, 2, 4))):
        at = rng.choice(places) + rng.choice((0, 0, 1))
        content[at : at + 1] = bytes([rng.choice((0, 1, 0xFF, content[at % len(content)] ^ 1 << rng.randrange(8)))])
    path.write_bytes(content)


def change_film(folder: Path, rng: Any) -> None:
    kept = rng.choice(sorted(folder.iterdir()))
    for film in folder.iterdir():
        if film != kept:
            film.unlink()
    change_in_place(folder, rng)


def change_archive(folder: Path, rng: Any) -> None:
    """One of the arrays in an archive of NumPy, whose checksum is then right."""
    from fuzz.mutations import mutate

    path = rng.choice(sorted(folder.iterdir()))
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(entries))
    entries[name] = mutate(entries[name], rng)
    with zipfile.ZipFile(path, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
