"""A LeWM whose costs mean something, in four minutes of one core: `lewm/` in the work folder, as the peer writes it.

Training LeWM takes hours on a GPU. Here the encoder stays as it was drawn, its projector is scaled so that latents have mean 0
and variance 1, and the predictor is taught by the peer's own loss on a small system: a disc that is pushed, slides on, and is
seen from above. One image shows no velocity, so that what a prediction makes of its context counts. Beside the weights,
`images.pt` has a start and a goal.
"""

import json

import common
import lewm
import torch
import torch.nn.functional as F
from torch import Tensor

GRID, STEPS, BATCH = common.SETTINGS["grid"], common.SETTINGS["lessons"], 64


def draw(places: Tensor) -> Tensor:
    """Places (N, 2) in [0, 1] to images (N, 224, 224, 3) uint8: a soft red disc on a shaded ground."""
    axis = (torch.arange(224) + 0.5) / 224
    down, across = axis[:, None].expand(224, 224), axis.expand(224, 224)
    ground = torch.stack([0.2 + 0.5 * down, 0.6 - 0.4 * across, torch.full_like(down, 0.3)], -1)
    centres = 0.1 + 0.8 * places[:, :, None, None]
    distance = ((down - centres[:, 0]).square() + (across - centres[:, 1]).square()).sqrt()
    disc = torch.sigmoid(20 * (0.35 - distance))[..., None]
    return (255 * ground.lerp(torch.tensor([1.0, 0.1, 0.1]).expand_as(ground), disc)).round().to(torch.uint8)


def slide(random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places (N, 4, 2) at kept frames, and the blocks of 5 actions (N, 3, 10) between them."""
    place, speed = torch.rand(BATCH, 2, generator=random), 0.015 * torch.randn(BATCH, 2, generator=random)
    actions = torch.randn(BATCH, 3, 5, 2, generator=random)
    places = [place]
    for block in actions.unbind(1):
        for action in block.unbind(1):
            speed = 0.7 * speed + 0.015 * action
            place = place + speed
            speed = torch.where((place < 0) | (place > 1), -speed, speed)
            place = place.clamp(0, 1)
        places.append(place)
    return torch.stack(places, 1), actions.flatten(2)


@torch.no_grad()
def latents(model: torch.nn.Module) -> Tensor:
    """Latents (1, D, GRID, GRID) of the disc at places of a grid; sets the projector's scales on the way."""
    line = torch.linspace(0, 1, GRID)
    images = draw(torch.cartesian_prod(line, line))
    features = torch.cat([model.encoder(lewm.normalise(part)).last_hidden_state[:, 0] for part in images.split(32)])
    model.projector.net[1].momentum = None
    model.projector.train()(features)
    std, mean = torch.std_mean(model.projector.eval()(features), 0)
    last = model.projector.net[3]
    last.weight /= std[:, None]
    last.bias.copy_((last.bias - mean) / std)
    return model.projector(features).T.reshape(1, -1, GRID, GRID)


def main() -> None:
    torch.manual_seed(common.SETTINGS["seed"])
    random = torch.Generator().manual_seed(common.SETTINGS["seed"])
    model = lewm.build()
    with torch.no_grad():
        for name, layer in model.encoder.named_modules():
            if name.endswith(("v_proj", "o_proj")):
                layer.weight *= 3  # or features differ so little that their rounding shows
    grid = latents(model)
    trained = torch.nn.ModuleList([model.predictor, model.action_encoder, model.pred_proj]).train()
    optimizer = torch.optim.AdamW(trained.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-4, STEPS)
    for _ in range(STEPS):
        places, actions = slide(random)
        where = 2 * places.flip(-1).flatten(0, 1)[None, None] - 1
        z = F.grid_sample(grid, where, align_corners=True)[0, :, 0].T.unflatten(0, (BATCH, 4))
        loss = F.mse_loss(model.predict(z[:, :3], model.action_encoder(actions)), z[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    folder = common.WORK / "lewm"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.eval().state_dict(), folder / "weights.pt")
    (folder / "config.json").write_text(json.dumps(lewm.CONFIG, indent=2))
    start, goal = draw(torch.tensor([[0.3, 0.3], [0.5, 0.45]]))
    torch.save({"start": start, "goal": goal}, common.WORK / "images.pt")
    common.answer(values=[loss.item()], persistence=F.mse_loss(z[:, :3], z[:, 1:]).item())


main()
