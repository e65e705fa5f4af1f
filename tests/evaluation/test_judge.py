"""What a judgement says of itself."""

from small_models import small_model

from armillary.evaluation.judge import judge


def test_the_seeds_of_judging_and_of_training_are_told_apart():
    model = small_model()
    model.provenance = {"seed": 3, "frames": 10}
    facts = judge(model, seed=5).facts
    assert (facts["seed"], facts["training_seed"], facts["frames"]) == (5, 3, 10)
