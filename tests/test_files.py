"""What is written to disk: JSON that every reader takes."""

import json

import pytest

from armillary.evaluation.judge import _revive
from armillary.evaluation.statistics import Estimate
from armillary.files import as_json, whole_file, write_whole

NAN, INF = float("nan"), float("inf")


def strict(text: str) -> object:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NAN, None),
        ({"a": [1, INF, (2.5, -INF)], "b": {"c": NAN}}, {"a": [1, None, [2.5, None]], "b": {"c": None}}),
        ({1: 0.5, NAN: 1}, {"1": 0.5, "nan": 1}),
        ([True, None, "NaN"], [True, None, "NaN"]),
    ],
)
def test_what_is_no_number_is_null(value, expected):
    assert strict(as_json(value)) == expected


def test_what_json_cannot_hold_is_not_hidden():
    with pytest.raises(TypeError):
        as_json({"a": object(), "b": NAN})


def test_a_file_that_is_not_finished_leaves_what_was_there(tmp_path):
    write_whole(tmp_path / "file", "old")

    def interrupted() -> None:
        with whole_file(tmp_path / "file", ".1") as file:
            file.write(b"new")
            file.flush()
            assert (tmp_path / "file").read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]
    with whole_file(tmp_path / "file", durable=False) as file:
        file.write(b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]


def test_an_estimate_of_nothing_comes_back_as_nan():
    back = _revive(Estimate, strict(as_json({"value": NAN, "low": 0.0, "high": INF})))
    assert back.value != back.value
    assert back.low == 0.0
