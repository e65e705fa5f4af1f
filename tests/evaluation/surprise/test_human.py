"""The page on which a person takes the exam, and the score of the answers."""

import base64
import json
import re
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from armillary.errors import ArmillaryError
from armillary.evaluation.surprise.human import EACH, questions, read_answers, write_page
from armillary.worlds.scenes import Scenes

FACTS = {"world": "fake", "version": "1", "options": {"hand": False}, "scenes_seed": 7}


class Fake:
    """Two properties of two difficulties; a clip shows its number, its scene's and its item's in its first pixel."""

    name, version, made_with = FACTS["world"], FACTS["version"], FACTS["options"]
    stream_spec = type("spec", (), {"rate": 15.0})

    def scenes(self, n, seed, skip):
        frames = np.zeros((2, 2, n, 4, 3, 8, 8, 3), np.uint8)
        frames[..., 0, 0, 0, :] = np.stack(np.indices((2, 2, n, 4)), axis=-1)[..., [3, 2, 0]]
        made = [("a", "short"), ("a", "long"), ("b", "short"), ("b", "long")]
        return [
            Scenes(name, {"image": x}, np.zeros((n, 4, 2, 0)), level)
            for (name, level), x in zip(made, frames.reshape(4, n, 4, 3, 8, 8, 3), strict=True)
        ]


def test_a_page_asks_as_many_clips_of_each_property_of_mixed_difficulty():
    asked = questions(Fake().scenes(EACH, 0, 1), seed=0)
    assert Counter(one.item[0] for one in asked) == {"a": EACH, "b": EACH}
    assert len({one.item for one in asked}) == 4
    assert len({(one.item, one.scene) for one in asked}) == 2 * EACH
    assert asked != questions(Fake().scenes(EACH, 0, 1), seed=1)


def test_the_page_shows_the_clips_that_are_scored_and_no_answers(tmp_path):
    page = write_page(tmp_path, Fake(), at=7, seed=3).read_text()
    data = json.loads(re.search(r"= (\{.*\});", page)[1])
    strips = [np.array(Image.open(BytesIO(base64.b64decode(clip.partition(",")[2])))) for clip in data["clips"]]
    asked = questions(Fake().scenes(EACH, 7, 1), seed=3)
    assert [tuple(strip[0, 0, :2]) for strip in strips] == [(one.clip, one.scene) for one in asked]
    assert strips[0].shape == (24, 8, 3)
    assert data["facts"] == FACTS | {"seed": 3}
    assert data.keys() == {"facts", "rate", "clips"}


def test_answers_are_scored_by_item_against_the_same_scenes(tmp_path):
    scenes, path = Fake().scenes(EACH, 7, 1), tmp_path / "answers.json"
    said = [one.answer for one in questions(scenes, seed=3)]
    wrong = ["possible" if said[0] == "impossible" else "impossible", *said[1:]]
    path.write_text(json.dumps({"facts": FACTS | {"seed": 3}, "answers": wrong}))
    human = read_answers(path, scenes, FACTS | {"run": "x"})
    assert sum(human.asked.values()) == 2 * EACH
    assert human.share.value == 1 - 1 / (2 * EACH)
    with pytest.raises(ArmillaryError, match="write the page with its options"):
        read_answers(path, scenes, FACTS | {"scenes_seed": 8})
    path.write_text(json.dumps({"facts": FACTS | {"seed": 3}, "answers": wrong[1:]}))
    with pytest.raises(ArmillaryError, match="expected 10 answers"):
        read_answers(path, scenes, FACTS)
    path.write_text("[]")
    with pytest.raises(ArmillaryError, match="answers that a page of --human saved"):
        read_answers(path, scenes, FACTS)
