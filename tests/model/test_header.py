"""Checkpoints from strangers: what a header asks for is compared with the tensors before anything is built by it."""

from copy import deepcopy

import numpy as np
import pytest
from small_models import PREDICTORS, SPEC, small_model

from armillary import weights
from armillary.acting.habit import Habit, HabitConfig
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, CorruptFile, PluginError
from armillary.evaluation.run import local_recording, open_run
from armillary.model.world_model import WorldModel

NESTED = "[" * 100_000


def spoilt(path, change, load):
    """The file with its header changed has to be refused."""
    tensors, header = weights.read(path)
    header = deepcopy(header)
    change(header)
    weights.write(path.with_name("spoilt"), tensors, header)
    with pytest.raises(CorruptFile) as error:
        load(path.with_name("spoilt"))
    return str(error.value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("header") / "model.safetensors"
    small_model("transformer").save(path, {"recording": "here", "held_out": [1, 2]})
    return path


def config(**changes):
    return lambda header: header["config"].update(changes)


def provenance(**changes):
    return lambda header: header["provenance"].update(changes)


def spec(old, new):
    def change(header):
        assert old in header["spec"]
        header["spec"] = header["spec"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (config(predictor_depth=10**7), "predictor_depth is 10000000"),
        (config(predictor_depth=10**5), "predictor_depth is 100000, and there are"),
        (config(projector_depth=10**9), "projector_depth is"),
        (config(predictor_width=10**6), "do not fit"),
        (config(predictor_width=10**12), "predictor_width is"),
        (config(projector=900_000, latent=900_000), "do not fit"),
        (config(skip=10**9), "skip is"),
        (config(width="64"), "do not fit"),
        (config(objective=[]), "do not fit"),
        (config(objective=None), "do not fit"),
        (config(objective={"sigreg": {"weight": "1"}}), "do not fit"),
        (config(objective={"inverse": {"width": 10**12}}), "width is"),
        (config(objective={"inverse": {"width": 900_000}}), "do not fit"),
        (lambda header: header.update(terms=3), "do not fit"),
        (lambda header: header.update(config=[1]), "do not fit"),
        (lambda header: header.update(action_dim=-(10**12)), "action_dim is"),
        (lambda header: header.update(provenance=["x"]), "provenance is a list"),
        (provenance(recording=["x"]), "a recording that is a list"),
        (provenance(recording_seed="x"), "a recording_seed that is a str"),
        (provenance(held_out=[-1]), "held-out"),
        (provenance(held_out=[[1]]), "held-out"),
        (lambda header: header.update(spec=NESTED), "Spec in JSON"),
        (lambda header: header.update(spec=7), "do not fit"),
        (spec('"shape": [3]', '"shape": [1000000000]'), "state"),
        (spec('"n": 2', '"n": 1000000000'), "bounds"),
        (spec('"shape": [3]', '"shape": [2.5]'), "whole numbers"),
    ],
)
def test_a_header_that_asks_for_what_the_tensors_are_not(saved, change, said):
    assert said in spoilt(saved, change, lambda path: WorldModel.load(path, "cpu"))


@pytest.mark.parametrize("change", [config(objective={"os": {}}), lambda header: header.update(terms=["os.path"])])
def test_a_term_that_nobody_registered_is_not_imported(saved, change):
    tensors, header = weights.read(saved)
    change(header)
    weights.write(saved.with_name("spoilt"), tensors, header)
    with pytest.raises(PluginError, match=r"spoilt: objective 'os(\.path)?' is none of contrast, critic,"):
        WorldModel.load(saved.with_name("spoilt"), "cpu")


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_a_model_of_every_kind_comes_back(predictor, tmp_path):
    small_model(predictor).save(tmp_path / "model")
    assert WorldModel.load(tmp_path / "model", "cpu").config.predictor == predictor


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (config(width=10**9), "width is"),
        (config(width=500_000), "do not fit"),
        (config(embedding=10**6, width=64), "do not fit"),
        (config(reach=[]), "do not fit"),
        (lambda header: header.update(provenance=3), "provenance is a int"),
    ],
)
def test_the_header_of_a_habit(change, said, tmp_path):
    model = small_model()
    Habit(model, HabitConfig(width=8)).save(tmp_path / "habit")
    assert Habit.load(tmp_path / "habit", model).config.width == 8
    assert said in spoilt(tmp_path / "habit", change, lambda path: Habit.load(path, model))


def test_a_recording_elsewhere_is_not_contacted_because_a_file_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(Episodes, "open", lambda path: pytest.fail(f"contacted {path}"))
    small_model().save(
        tmp_path / "model.safetensors", {"recording": "s3://bucket/store", "recording_hash": "x", "held_out": [0]}
    )
    with pytest.raises(ArmillaryError, match="s3://bucket/store, which is not on this machine"):
        open_run(tmp_path)
    (tmp_path / "s3:" / "bucket").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert local_recording("s3://bucket") is None
    assert local_recording(str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize("held_out", [[], [3]])
def test_held_out_episodes_have_to_be_in_the_recording(held_out, tmp_path):
    shown = {stream.name: np.zeros((5, *stream.shape), stream.dtype) for stream in SPEC.streams}
    truth = {stream.name: shown.pop(stream.name) for stream in SPEC.truth}
    with Episodes.create(tmp_path / "store", SPEC) as store:
        store.append(*[Episode(shown, np.zeros((4, 2), np.float32), truth)] * 3)
        about = {"recording": str(tmp_path / "store"), "recording_hash": store.content_hash(), "held_out": held_out}
    small_model().save(tmp_path / "model.safetensors", about)
    with pytest.raises(CorruptFile, match="held-out"):
        open_run(tmp_path)
