"""The peer's training step on 16 clips of 4 frames at 224 px, which lie normalised in memory, after one that is not counted.

What scripts/train/lewm.py does in a step, without Lightning around it: forward in bfloat16, SIGReg, backward, clipped
gradients, fused AdamW as ours. Where the CPU has no arithmetic for bfloat16, which would slow it down, both take float32.
"""

import common
import lewm
import torch


def main() -> None:
    torch.manual_seed(common.SETTINGS["seed"])
    model = lewm.build().train()
    from stable_worldmodel.wm.loss import SIGReg

    regulariser, halves = SIGReg(), torch.cpu._is_avx512_bf16_supported()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=1e-3, fused=True)
    count = common.SETTINGS["clips"]
    batch = {"pixels": torch.randn(count, 4, 3, 224, 224), "action": torch.randn(count, 4, 10)}

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=halves):
            seen = model.encode(dict(batch))
            z = seen["emb"]
            error = (model.predict(z[:, :3], seen["act_emb"][:, :3]) - z[:, 1:]).pow(2).mean()
            loss = error + 0.09 * regulariser(z.transpose(0, 1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    common.timed(step, 1)
    common.answer(**common.timed(step, common.SETTINGS["repeats"]), precision="bfloat16" if halves else "float32")


main()
