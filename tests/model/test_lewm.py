"""LeWM checkpoints: what is read predicts as a plain transcription of LeWM's forward pass, in both generations of names."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from armillary.costs import LatentGoal
from armillary.errors import ArmillaryError, CorruptFile
from armillary.goals import Goal
from armillary.imagination import Context
from armillary.model.lewm import load_lewm
from armillary.model.world_model import WorldModel
from armillary.planning import CEM, Problem
from armillary.spec import ActionSpace, Spec, Stream

WIDTH, LATENT, DEPTH, HEADS, SIDE, PATCH, FRAMES = 12, 8, 2, 2, 28, 14, 3
SPEC = Spec((Stream("pixels", "image", (SIDE, SIDE, 3)),), ActionSpace("box", 2))
MEAN, STD = torch.tensor([0.4, -0.2]), torch.tensor([0.5, 2.0])
STATISTICS = {"action_mean": MEAN.tolist(), "action_std": STD.tolist()}
CONFIG = {
    "encoder": {"size": "tiny", "patch_size": PATCH, "image_size": SIDE},
    "predictor": {"num_frames": FRAMES, "heads": HEADS, "dim_head": 64, "dropout": 0.1},
}
OLD = {
    "layers.": "encoder.layer.", "q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value",
    "o_proj": "output.dense", "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
}  # fmt: skip


def weights() -> dict[str, Tensor]:
    """A state dict of a small LeWM, in the names of the newer transformers; every tensor is random."""
    random, tensors = torch.Generator().manual_seed(0), {}

    def add(name: str, *shape: int, around: float = 0.0, scale: float = 0.4) -> None:
        tensors[name] = around + scale * torch.randn(shape, generator=random)

    def linear(name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        add(f"{name}.weight", outputs, inputs)
        if bias:
            add(f"{name}.bias", outputs)

    def norm(name: str, width: int) -> None:
        add(f"{name}.weight", width, around=1.0)
        add(f"{name}.bias", width)

    def mlp(name: str, inputs: int, hidden: int) -> None:
        linear(f"{name}.net.0", inputs, hidden)
        norm(f"{name}.net.1", hidden)
        add(f"{name}.net.1.running_mean", hidden)
        tensors[f"{name}.net.1.running_var"] = 0.5 + torch.rand(hidden, generator=random)
        tensors[f"{name}.net.1.num_batches_tracked"] = torch.tensor(7)
        linear(f"{name}.net.3", hidden, LATENT)

    add("encoder.embeddings.cls_token", 1, 1, WIDTH)
    add("encoder.embeddings.position_embeddings", 1, 1 + (SIDE // PATCH) ** 2, WIDTH)
    add("encoder.embeddings.patch_embeddings.projection.weight", WIDTH, 3, PATCH, PATCH, scale=0.05)
    add("encoder.embeddings.patch_embeddings.projection.bias", WIDTH)
    norm("encoder.layernorm", WIDTH)
    for i in range(DEPTH):
        place = f"encoder.layers.{i}"
        norm(f"{place}.layernorm_before", WIDTH)
        norm(f"{place}.layernorm_after", WIDTH)
        for part in "qkvo":
            linear(f"{place}.attention.{part}_proj", WIDTH, WIDTH)
        linear(f"{place}.mlp.fc1", WIDTH, 4 * WIDTH)
        linear(f"{place}.mlp.fc2", 4 * WIDTH, WIDTH)
        place = f"predictor.transformer.layers.{i}"
        norm(f"{place}.attn.norm", LATENT)
        linear(f"{place}.attn.to_qkv", LATENT, 3 * HEADS * 64, bias=False)
        linear(f"{place}.attn.to_out.0", HEADS * 64, LATENT)
        norm(f"{place}.mlp.net.0", LATENT)
        linear(f"{place}.mlp.net.1", LATENT, 24)
        linear(f"{place}.mlp.net.4", 24, LATENT)
        linear(f"{place}.adaLN_modulation.1", LATENT, 6 * LATENT)
    mlp("projector", WIDTH, 20)
    mlp("pred_proj", LATENT, 22)
    add("predictor.pos_embedding", 1, FRAMES, LATENT)
    norm("predictor.transformer.norm", LATENT)
    add("action_encoder.patch_embed.weight", 10, 10, 1)
    add("action_encoder.patch_embed.bias", 10)
    linear("action_encoder.embed.0", 10, 4 * LATENT)
    linear("action_encoder.embed.2", 4 * LATENT, LATENT)
    return tensors


class Reference:
    """LeWM's forward pass, written down line by line from its tensors, in float64."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = {name: tensor.double() for name, tensor in tensors.items()}

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], eps)

    def mlp(self, x: Tensor, name: str) -> Tensor:
        one = {key: self.tensors[f"{name}.net.1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
        x = self.linear(x, f"{name}.net.0")
        return self.linear(F.gelu(F.batch_norm(x, **one)), f"{name}.net.3")

    def attend(self, q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool) -> Tensor:
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)

    def encode(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 to (N, latent)."""
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        pixels = ((images.double() / 255 - mean) / std).permute(0, 3, 1, 2)
        place = "encoder.embeddings.patch_embeddings.projection."
        patches = F.conv2d(pixels, self.tensors[f"{place}weight"], self.tensors[f"{place}bias"], stride=PATCH)
        token = self.tensors["encoder.embeddings.cls_token"].expand(len(images), -1, -1)
        x = torch.cat([token, patches.flatten(2).transpose(1, 2)], 1)
        x = x + self.tensors["encoder.embeddings.position_embeddings"]
        for i in range(DEPTH):
            place = f"encoder.layers.{i}"
            y = self.norm(x, f"{place}.layernorm_before", 1e-12)
            parts = [self.linear(y, f"{place}.attention.{part}_proj") for part in "qkv"]
            x = x + self.linear(self.attend(*parts, heads=3, causal=False), f"{place}.attention.o_proj")
            y = self.linear(self.norm(x, f"{place}.layernorm_after", 1e-12), f"{place}.mlp.fc1")
            x = x + self.linear(F.gelu(y), f"{place}.mlp.fc2")
        return self.mlp(self.norm(x, "encoder.layernorm", 1e-12)[:, 0], "projector")

    def predict(self, z: Tensor, actions: Tensor) -> Tensor:
        """(N, T <= 3, latent) and normalised action blocks (N, T, 10) to the next latents."""
        smooth = self.tensors["action_encoder.patch_embed.weight"][:, :, 0]
        condition = F.linear(actions, smooth, self.tensors["action_encoder.patch_embed.bias"])
        condition = self.linear(F.silu(self.linear(condition, "action_encoder.embed.0")), "action_encoder.embed.2")
        x = z + self.tensors["predictor.pos_embedding"][:, : z.shape[1]]
        for i in range(DEPTH):
            place = f"predictor.transformer.layers.{i}"
            modulation = self.linear(F.silu(condition), f"{place}.adaLN_modulation.1").chunk(6, -1)
            y = F.layer_norm(x, (LATENT,), eps=1e-6) * (1 + modulation[1]) + modulation[0]
            parts = self.linear(self.norm(y, f"{place}.attn.norm", 1e-5), f"{place}.attn.to_qkv").chunk(3, -1)
            x = x + modulation[2] * self.linear(self.attend(*parts, heads=HEADS, causal=True), f"{place}.attn.to_out.0")
            y = F.layer_norm(x, (LATENT,), eps=1e-6) * (1 + modulation[4]) + modulation[3]
            y = F.gelu(self.linear(self.norm(y, f"{place}.mlp.net.0", 1e-5), f"{place}.mlp.net.1"))
            x = x + modulation[5] * self.linear(y, f"{place}.mlp.net.4")
        x = self.norm(x, "predictor.transformer.norm", 1e-5)
        return self.mlp(x.flatten(0, 1), "pred_proj").unflatten(0, z.shape[:2])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    def write(tensors: object, config: dict | None = CONFIG) -> Path:
        torch.save(tensors, tmp_path / "weights.pt")
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return write


def close(given: Tensor, expected: Tensor) -> None:
    assert given.shape == expected.shape
    assert (given - expected).norm() / expected.norm() < 1e-5


def old_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in OLD.items() if name.startswith("encoder.layers") else ():
            name = name.replace(new, old, 1)
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize("names", [dict, old_names])
def test_a_checkpoint_predicts_as_lewm_does(checkpoint, names):
    tensors = weights()
    model, reference = load_lewm(checkpoint(names(tensors)), SPEC, **STATISTICS), Reference(tensors)
    assert not model.training
    assert model.config.skip == 5
    images = torch.randint(256, (4, 3, SIDE, SIDE, 3), dtype=torch.uint8)
    z, actions = model.encode({"pixels": images}), torch.randn(4, 3, 10)
    close(z, reference.encode(images.flatten(0, 1)).unflatten(0, (4, 3)))
    standard = (actions.double() - MEAN.repeat(5)) / STD.repeat(5)
    close(model.predict(z, actions), reference.predict(z.double(), standard))
    # From one frame on, as its planner does: the window grows to three, and then slides.
    blocks = torch.randn(4, 6, 5, 10)
    imagined = model.rollout(Context(z[:, :1], actions[:, :0]), blocks).z
    standard = ((blocks.double() - MEAN.repeat(5)) / STD.repeat(5)).flatten(0, 1)
    states = [z[:, 0].double().repeat_interleave(6, 0)]
    for step in range(5):
        first = max(0, step + 1 - FRAMES)
        states.append(reference.predict(torch.stack(states[first:], 1), standard[:, first : step + 1])[:, -1])
    close(imagined, torch.stack(states[1:], 1).unflatten(0, (4, 6)))


def test_a_file_by_its_name_and_other_image_statistics(checkpoint):
    folder = checkpoint(weights())
    images = {"pixels": torch.randint(256, (2, 1, SIDE, SIDE, 3), dtype=torch.uint8)}
    by_folder = load_lewm(folder, SPEC, **STATISTICS)
    by_file = load_lewm(folder / "weights.pt", SPEC, **STATISTICS, image_mean=(0, 0, 0), image_std=(1, 1, 1))
    assert (by_folder.encode(images) - by_file.encode(images)).abs().max() > 1e-3


def test_plans_and_checkpoints_of_ours_can_be_made_of_it(checkpoint, tmp_path: Path):
    model = load_lewm(checkpoint(weights()), SPEC, **STATISTICS)
    model.save(tmp_path / "ours")
    again = WorldModel.load(tmp_path / "ours", "cpu")
    plans = []
    for one in (model, again):
        problem = Problem(Context(torch.ones(1, 1, LATENT), torch.zeros(1, 0, 10)), Goal(torch.zeros(1, LATENT)))
        plans.append(CEM(samples=16, iterations=2, elites=4).plan(one, problem, LatentGoal()))
    assert plans[0].actions.shape == (1, 25, 2)
    assert torch.equal(plans[0].actions, plans[1].actions)


def test_what_is_no_such_checkpoint(checkpoint, tmp_path: Path):
    tensors = weights()
    with pytest.raises(ArmillaryError, match="expected a"):
        load_lewm(tmp_path, SPEC, **STATISTICS)
    with pytest.raises(ArmillaryError, match="no such file; stable-worldmodel"):
        load_lewm(checkpoint(tensors, config=None), SPEC, **STATISTICS)
    lost = {name: tensor for name, tensor in tensors.items() if name != "predictor.transformer.norm.bias"}
    deep = tensors | {"predictor.transformer.input_proj.weight": torch.ones(8, 8)}
    for content, words in (
        (Path("a pickled object"), "not a state dict"),
        ({"model": 3}, "not a state dict; save"),
        (lost, "predictor.norm.bias"),
        (deep, "input_proj"),
    ):
        with pytest.raises(CorruptFile, match=words):
            load_lewm(checkpoint(content), SPEC, **STATISTICS)
    wide = CONFIG | {"predictor": CONFIG["predictor"] | {"heads": 3}}
    with pytest.raises(CorruptFile, match="size mismatch"):
        load_lewm(checkpoint(tensors, wide), SPEC, **STATISTICS)


@pytest.mark.parametrize(
    ("spec", "changes", "words"),
    [
        (Spec((*SPEC.streams, Stream("state", "vector", (3,))), SPEC.action), {}, "one stream of colour images"),
        (Spec(SPEC.streams, ActionSpace("discrete", 2)), {}, "box actions"),
        (Spec(SPEC.streams, ActionSpace("box", 3)), {"action_mean": [0] * 3, "action_std": [1] * 3}, "no multiple of the 3"),
        (SPEC, {"action_mean": [0.0]}, "each of 2 numbers"),
        (SPEC, {"action_std": [1.0, 0.0]}, "above 0, not 0.0"),
    ],
)
def test_specs_and_statistics_that_do_not_fit(checkpoint, spec, changes, words):
    with pytest.raises(ArmillaryError, match=words):
        load_lewm(checkpoint(weights()), spec, **{**STATISTICS, **changes})
