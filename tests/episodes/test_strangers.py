"""Files from strangers: what leads out of them, never ends, or declares more than it holds is refused before it is read."""

import json
import struct
import tracemalloc
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from armillary.episodes import images
from armillary.episodes.formats import hdf5_files
from armillary.episodes.formats.declared import FREE, RATIO, check_declared, check_parquet
from armillary.episodes.formats.hdf5 import import_hdf5
from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.formats.mcap_files import check_chunks
from armillary.episodes.formats.minari import import_minari
from armillary.episodes.formats.places import fill, inside
from armillary.episodes.formats.ros_files import fields_of, is_headed
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import parse_json

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
lz4 = pytest.importorskip("lz4.frame")
zstandard = pytest.importorskip("zstandard")
pytest.importorskip("lance")


def test_declared_sizes_are_compared_with_what_a_file_holds():
    check_declared("a", FREE, 0)
    check_declared("a", 10 * FREE, 10 * FREE // RATIO + 1)
    with pytest.raises(CorruptFile, match="declares"):
        check_declared("a", 10 * FREE, 1000)
    with pytest.raises(CorruptFile, match="declares"):
        check_declared("a", -1, 1000)


def test_parquet_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path):
    path, table = tmp_path / "bomb.parquet", pa.table({"a": pa.nulls(1_000_000, pa.float64())})
    pq.write_table(table, path)
    check_parquet(path)
    pq.write_table(pa.concat_tables([table] * 20), path)
    with pytest.raises(CorruptFile, match="rows: declares"):
        check_parquet(path)


def test_json_that_is_nested_too_deeply_is_no_json():
    with pytest.raises(CorruptFile, match="not JSON"):
        parse_json("[" * 100_000)


# ---- LeRobot: where a dataset says that its files are


@pytest.mark.parametrize(
    "template", ["{i:999999999d}", "{i.__class__}", "{i!r}", "{j}", "{0}", "{i", "i}", "{key:03d}", "{i:>9}"]
)
def test_templates_take_numbers_and_names_and_nothing_else(template):
    assert fill("a{i:03d}/{key}/{i}", i=7, key="top") == "a007/top/7"
    with pytest.raises(CorruptFile, match="path template"):
        fill(template, i=7, key="top")


def test_paths_stay_in_the_dataset(tmp_path):
    root, secret = tmp_path / "set", tmp_path / "secret"
    (root / "data").mkdir(parents=True)
    secret.mkdir()
    (root / "out").symlink_to(secret)
    (root / "loop").symlink_to(root / "loop")
    (root / "again").symlink_to(root / "data")
    assert inside(root, "data/x.parquet") == root / "data/x.parquet"
    assert inside(root, "again/x.parquet") == root / "again/x.parquet"
    for place in ("../secret/x", str(secret / "x"), "data/../../secret/x", "out/x", "loop", "a\0b"):
        with pytest.raises(CorruptFile):
            inside(root, place)


def test_the_cache_of_hugging_face_links_into_its_blobs(tmp_path):
    root, blobs = tmp_path / "datasets--a--b/snapshots/0123", tmp_path / "datasets--a--b/blobs"
    root.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "hash").write_text("x")
    (root / "x").symlink_to("../../blobs/hash")
    assert inside(root, "x").read_text() == "x"


@pytest.mark.parametrize("path", ["../secret/x.parquet", "{episode_index:9999999999d}"])
def test_a_dataset_that_leads_out_of_itself_is_refused(path, tmp_path):
    root = tmp_path / "set"
    (root / "meta").mkdir(parents=True)
    info = {"codebase_version": "v2.1", "fps": 10, "chunks_size": 1000, "features": {}, "data_path": path, "video_path": None}
    (root / "meta/info.json").write_text(json.dumps(info))
    (root / "meta/episodes.jsonl").write_text('{"episode_index": 0, "length": 5}')
    with pytest.raises(CorruptFile, match=r"leads out of the dataset|path template"):
        import_lerobot(root, tmp_path / "store", progress=False)


# ---- HDF5


def demo(file, name="data/demo_0"):
    group = file.require_group(name)
    group["actions"], group["obs/state"] = np.zeros((5, 2)), np.zeros((5, 3))
    return group


def external_link(file, folder):
    with h5py.File(folder / "other.hdf5", "w") as other:
        demo(other)
    file["data/demo_1"] = h5py.ExternalLink("other.hdf5", "/data/demo_0")


def external_storage(file, folder):
    (folder / "secret").write_bytes(bytes(100))
    file.create_dataset("data/demo_0/obs/secret", (100,), "u1", external=[(str(folder / "secret"), 0, 100)])


def virtual(file, folder):
    layout = h5py.VirtualLayout((5, 3), "f8")
    layout[:] = h5py.VirtualSource("other.hdf5", "data/demo_0/obs/state", (5, 3))
    file.create_virtual_dataset("data/demo_0/obs/secret", layout)


def group_loop(file, folder):
    file["data/demo_0/again"] = file["data"]


def unstored(file, folder):
    file.create_dataset("data/demo_0/obs/large", (1 << 40, 3), "f4", chunks=(1, 3))


def large_chunk(file, folder):
    file.create_dataset("data/demo_0/obs/large", (5, 3), "f4", maxshape=(None, 3), chunks=(1 << 27, 3))


def bomb(file, folder):
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(600)) + packer.flush()
    large = file.create_dataset(
        "data/demo_0/obs/large", (5, 1 << 20), "u1", chunks=(1, 1 << 20), compression="gzip", shuffle=True
    )
    large.id.write_direct_chunk((2, 0), packed)


def bomb_in_bomb(file, folder):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((1, 3))
    for _ in range(2):
        made.set_deflate(9)
    space = h5py.h5s.create_simple((5, 3))
    h5py.h5d.create(file.id, b"data/demo_0/large", h5py.h5t.NATIVE_FLOAT, space, made)


def deep(file, folder):
    file.create_group("/".join(["data/demo_0", *"a" * 60]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (external_link, "is an external link to /data/demo_0 of other.hdf5"),
        (external_storage, "stored in another file"),
        (virtual, "virtual dataset"),
        (group_loop, "is the group /data once more"),
        (unstored, "declares"),
        (large_chunk, "declares"),
        (bomb, r"the chunk at \(2, 0\) unpacks to more than the 1,048,576 bytes that it declares"),
        (bomb_in_bomb, "unusual order of filters"),
        (deep, "nested more than"),
    ],
)
def test_hdf5_that_holds_more_than_itself_is_refused(spoil, said, tmp_path):
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        demo(file)
        spoil(file, tmp_path)
    tracemalloc.start()
    with pytest.raises(CorruptFile, match=said):
        import_hdf5(tmp_path / "demo.hdf5", tmp_path / "store", progress=False)
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def damage_heap(path):
    """Make the first object of the global heap a free one of no size, which the HDF5 library passes over for ever."""
    content = path.read_bytes()
    first = content.index(b"GCOL") + 16
    path.write_bytes(content[:first] + bytes(16) + content[first + 16 :])


@pytest.mark.parametrize("path", ["demo.hdf5", "main_data.hdf5"])
def test_hdf5_that_keeps_the_library_in_a_loop_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_files, "STEP_SECONDS", 0.3)
    with h5py.File(tmp_path / path, "w") as file:
        demo(file)
        file["data"].attrs["env_args"] = '{"env_kwargs": {"control_freq": 20}}'
    damage_heap(tmp_path / path)
    with pytest.raises(CorruptFile, match=f"{path}: reading it keeps the HDF5 library busy without end"):
        (import_hdf5 if path == "demo.hdf5" else import_minari)(tmp_path, tmp_path / "store", progress=False)


def test_hdf5_that_crashes_the_library_is_refused_and_the_others_are_read(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in "abc":
        with h5py.File(tmp_path / f"{name}.hdf5", "w") as file:
            demo(file)
    (tmp_path / "hdf5plugin.py").write_text(  # in place of a file that crashes this version of the library
        "import os, h5py\nh5py.File.__enter__ = lambda file: os._exit(1) if file.filename.endswith('b.hdf5') else file\n"
    )
    summary = import_hdf5(tmp_path, tmp_path / "store", progress=False)
    assert "crashes the HDF5 library" in summary.skipped["b.hdf5"]
    assert summary.episodes == ("a.hdf5", "c.hdf5")


def test_variable_length_rows_that_keep_the_library_in_a_loop_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_files, "STEP_SECONDS", 0.3)
    path = tmp_path / "demo.hdf5"
    with h5py.File(path, "w") as file:
        demo(file)["obs/text"] = np.array(["a", "b", "c", "d", "e"], object)
    damage_heap(path)
    with pytest.raises(CorruptFile, match="keeps the HDF5 library busy without end"):
        import_hdf5(path, tmp_path / "store", progress=False)


@pytest.mark.parametrize("target", ["/data", "/data/demo_1/", "/nowhere"])
def test_soft_links_are_not_followed(target, tmp_path):
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        demo(file)
        file["data/demo_1"] = h5py.SoftLink(target)
    assert import_hdf5(tmp_path / "demo.hdf5", tmp_path / "store", progress=False).episodes == (0,)


def test_soft_links_in_a_circle_are_no_data(tmp_path):
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    with pytest.raises(ArmillaryError):
        import_hdf5(tmp_path / "demo.hdf5", tmp_path / "store", progress=False)


# ---- images


def png(height, width, *chunks):
    """A PNG file that declares this size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = [chunk(*one) for one in chunks]
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(rest) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        png(9_000, 9_000),
        png(100_000, 100_000),
        png(2**31 - 1, 2**31 - 1),
        png(8, 8),
        png(8, 8, (b"zTXt", b"k\0\0" + zlib.compress(bytes(70 << 20)))),
        png(8, 8, (b"iCCP", b"k\0\0" + zlib.compress(bytes(70 << 20)))),
    ],
)
def test_image_files_that_are_none_or_too_large(file):
    with pytest.raises(CorruptFile), images.open_picture(file) as picture:
        picture.load()
    with pytest.raises(CorruptFile):
        images.decode([file], (9_000, 9_000, 3), 8)


# ---- MCAP


def test_of_a_message_definition_its_fields_are_left():
    definition = "# a [unit]\n\nstd_msgs/Header header # b\n\n\tuint8 A=1\nstring name 'x'\nstring<=3 s\n" + "=" * 80
    definition += "\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\r\nuint8[] data\nuint8[4] four"
    fields = fields_of(definition.encode())
    assert fields.splitlines()[:3] == ["std_msgs/Header header", "string name 'x'", "string<=3 s"]
    assert fields.splitlines()[3:] == [
        *("=" * 80, "MSG: std_msgs/Header", "builtin_interfaces/Time stamp", "uint8[] data", "uint8[4] four")
    ]
    assert is_headed(fields)
    assert not is_headed("float64 x\nstd_msgs/Header header")


@pytest.mark.parametrize("text", ["#\n" * 5000, "\n" * 100_000, "uint8 " + "A" * 500 + "!=1", "# " + " [" * 40_000])
def test_comments_and_constants_cost_nothing(text):
    parse = pytest.importorskip("mcap_ros2._dynamic").generate_dynamic
    fields = fields_of(f"{text}\nfloat64 x".encode())
    assert fields == "float64 x"
    assert "a/B" in parse("a/B", fields)
    assert not is_headed(fields)


@pytest.mark.parametrize("text", [b"\xff", b"x" * 300_000, b"a " * 1000, b"uint8[0] x", b"a/B[0] x"])
def test_message_definitions_that_nobody_would_write(text):
    with pytest.raises(CorruptFile, match="message definition"):
        fields_of(text)


@pytest.mark.parametrize("compression", ["zstd", "lz4", ""])
@pytest.mark.parametrize("lie", [None, "index", "chunk"])
def test_chunks_unpack_to_what_is_declared(compression, lie, tmp_path):
    records = pytest.importorskip("mcap.records")
    builder = pytest.importorskip("mcap.data_stream").RecordBuilder()
    content = bytes(1_000_000)
    packed = {"zstd": zstandard.compress, "lz4": lz4.compress, "": bytes}[compression](content)
    records.Chunk(compression, packed, 1, 0, 0, len(content) - 1000 * (lie == "chunk")).write(builder)
    (tmp_path / "file").write_bytes(written := builder.end())
    declared = len(content) - 1000 * (lie is not None)
    index = records.ChunkIndex(len(written), 0, compression, len(packed), 1, 0, {}, 0, declared)
    if lie is None:
        check_chunks(tmp_path / "file", SimpleNamespace(chunk_indexes=[index]))
        with pytest.raises(CorruptFile, match="overlap"):
            check_chunks(tmp_path / "file", SimpleNamespace(chunk_indexes=[index, index]))
    elif compression:
        with pytest.raises(CorruptFile, match="unpacks to more"):
            check_chunks(tmp_path / "file", SimpleNamespace(chunk_indexes=[index]))
