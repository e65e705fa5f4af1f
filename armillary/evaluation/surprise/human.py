"""The exam for a person: a page in one file with 40 clips, and the score of the answers that it saves.

A person says of single clips whether they are possible; a page has as many clips of each property, of mixed difficulty, in any
order. Which clips a page shows follows from its seed, and the answers carry the seed: the key is in no file.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from armillary.errors import ArmillaryError, require
from armillary.evaluation.report.page import document
from armillary.evaluation.statistics import Estimate, wilson
from armillary.files import write_whole
from armillary.worlds.scenes import Scenes

EACH = 5
"""Clips of a property."""
SAID = "impossible", "possible"


@dataclass(frozen=True)
class Question:
    """A clip of a scene: `item` is the label of its scenes, and clips 2 and 3 are impossible."""

    item: str
    scene: int
    clip: int

    @property
    def answer(self) -> str:
        """What is right."""
        return SAID[self.clip < 2]


@dataclass(frozen=True)
class Human:
    """What a person said: for each item, how many answers were right, and how many were given."""

    right: dict[str, int]
    asked: dict[str, int]

    @property
    def share(self) -> Estimate:
        """Of right answers; half is chance."""
        return wilson(sum(self.right.values()), sum(self.asked.values()))


def questions(scenes: Sequence[Scenes], seed: int) -> list[Question]:
    """EACH clips of a property, each of another scene, in turn of its difficulties, all in any order."""
    rng = np.random.default_rng(seed)
    found = []
    for name in dict.fromkeys(some.name for some in scenes):
        labels = rng.permutation([some.label for some in scenes if some.name == name]).tolist()
        found += [Question(labels[i % len(labels)], i // len(labels), int(rng.integers(4))) for i in range(EACH)]
    return [found[i] for i in rng.permutation(len(found))]


def write_page(folder: Path, world: Any, at: int, seed: int) -> Path:
    """Write FOLDER/exam.html, which needs nothing else.

    Args:
        world: one that stages scenes of images.
        at: seed of the scenes.
        seed: which clips are shown.
    """
    scenes = world.scenes(EACH, at, 1)
    by_label = {some.label: some.observations["image"] for some in scenes}
    asked = questions(scenes, seed)
    clips = [_strip(by_label[one.item][one.scene, one.clip]) for one in asked]
    facts = {"world": world.name, "version": world.version, "options": world.made_with, "scenes_seed": at, "seed": seed}
    data = json.dumps({"facts": facts, "rate": world.stream_spec.rate, "clips": clips})
    script = _SCRIPT.replace("DATA", data.replace("<", "\\u003c"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "exam.html"
    write_whole(path, document("Is it possible?", f"<style>{_STYLE}</style>{_BODY}<script>{script}</script>"))
    return path


def read_answers(path: Path, scenes: Sequence[Scenes], facts: dict[str, Any]) -> Human:
    """The score of answers that a page saved.

    Args:
        scenes: of the exam in whose table they go; their labels count.
        facts: of that exam; world, version, options and seed of the scenes are those of the page.

    Raises:
        ArmillaryError: the file is no such answers, or of other scenes.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        page, said = dict(saved["facts"]), list(saved["answers"])
        asked = questions(scenes, int(page.pop("seed")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArmillaryError(f"{path}: expected the answers that a page of --human saved, got {error!r}") from error
    own = json.loads(json.dumps({name: facts.get(name) for name in page}))
    if page != own:
        raise ArmillaryError(f"{path}: expected answers about {own}, got answers about {page}; write the page with its options")
    if len(said) != len(asked) or not all(answer in SAID for answer in said):
        raise ArmillaryError(f"{path}: expected {len(asked)} answers, each possible or impossible, got {len(said)}")
    right, count = dict.fromkeys((some.label for some in scenes), 0), dict.fromkeys((some.label for some in scenes), 0)
    for one, answer in zip(asked, said, strict=True):
        right[one.item] += one.answer == answer
        count[one.item] += 1
    return Human(right, count)


def _strip(frames: UInt8[np.ndarray, "t h w 3"]) -> str:
    """Frames one below the other, as the address of a picture."""
    file = BytesIO()
    require("PIL.Image", "report").fromarray(frames.reshape(-1, *frames.shape[2:])).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


_STYLE = """
main { max-width: 640px; padding-top: 28px; } section { text-align: center; }
canvas { width: min(448px, 100%); aspect-ratio: 1; border: 1px solid var(--line); border-radius: 6px; }
progress { width: 100%; height: 8px; accent-color: var(--blue); margin-bottom: 12px; }
.buttons { display: flex; gap: 10px; justify-content: center; margin-top: 16px; flex-wrap: wrap; }
button, a.save { font: inherit; font-weight: 600; padding: 10px 13px; border-radius: 8px; border: 1px solid #9aa5b1;
  background: var(--paper); color: var(--ink); cursor: pointer; text-decoration: none; }
button:hover, a.save, button:focus-visible { border-color: var(--blue); } a.save { background: var(--blue); color: #fff; }
kbd { font: 12px ui-monospace, monospace; border: 1px solid #9aa5b1; border-radius: 4px; padding: 1px 5px; margin-left: 6px; }
[hidden] { display: none !important; }
"""
_BODY = """
<h1>Is it possible?</h1>
<p>Things fall, roll and collide in a box. They may go on behind a screen. Each clip can happen, or cannot: something
vanishes, changes, or moves as it could not. What was seen before the screen tells.</p>
<section id="ask" aria-live="polite"><p id="count"></p><progress id="progress" value="0"></progress>
<canvas id="clip" width="448" height="448" role="img" aria-label="The clip"></canvas>
<div class="buttons"><button id="possible">Possible<kbd>P</kbd></button><button id="impossible">Impossible<kbd>I</kbd></button>
<button id="again">Play again<kbd>Space</kbd></button><button id="back">Back<kbd>B</kbd></button></div></section>
<section id="end" hidden><h2>Done</h2><p>Save your answers, and score them with
<code>armillary bench physics RUN --human answers.json</code></p>
<div class="buttons"><a class="save" id="save" download="answers.json">Save answers.json</a></div></section>
"""
_SCRIPT = """
const { facts, rate, clips } = DATA;
const at = (id) => document.getElementById(id), pen = at("clip").getContext("2d"), answers = [];
let timer = 0;
async function play() {
  clearInterval(timer);
  const number = answers.length, strip = new Image();
  strip.src = clips[number];
  await strip.decode();
  if (number !== answers.length) return;
  const side = strip.width;
  let frame = 0;
  const draw = () => pen.drawImage(strip, 0, side * frame, side, side, 0, 0, 448, 448);
  clearInterval(timer);
  draw();
  timer = setInterval(() => { if (++frame * side < strip.height) draw(); else clearInterval(timer); }, 1000 / rate);
}
function show() {
  const over = answers.length === clips.length;
  at("ask").hidden = over;
  at("end").hidden = !over;
  at("back").disabled = !answers.length;
  at("progress").max = clips.length;
  at("progress").value = answers.length;
  at("count").textContent = `Clip ${answers.length + 1} of ${clips.length}`;
  if (!over) return play();
  at("save").href = "data:application/json," + encodeURIComponent(JSON.stringify({ facts, answers }));
  at("save").focus();
}
function say(answer) { if (answers.length < clips.length) { answers.push(answer); show(); } }
const keys = { p: () => say("possible"), i: () => say("impossible"), b: () => { answers.pop(); show(); },
  " ": () => answers.length < clips.length && play() };
for (const [id, key] of [["possible", "p"], ["impossible", "i"], ["again", " "], ["back", "b"]]) {
  at(id).onclick = () => { at(id).blur(); keys[key](); };
}
document.onkeydown = (event) => {
  const act = keys[event.key.toLowerCase()];
  if (!act || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
};
show();
"""
