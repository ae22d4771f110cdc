"""What ships with examples/sentiment, and how it was made."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.reviews import BAD, EXAMPLE, GOOD, Judge, module, snippets_file, vocabulary

REPORT = json.loads((EXAMPLE / "report" / "report.json").read_text())


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def train() -> Iterator[ModuleType]:
    pytest.importorskip("xgboost")
    with module("train", ".", "src", "training") as loaded:
        yield loaded


def test_the_package_is_small_and_says_nothing_of_who_made_it() -> None:
    with tarfile.open(EXAMPLE / "model.tar.gz") as tar:
        [member] = tar.getmembers()
    assert (member.name, member.mtime, member.uid, member.gid, member.uname) == ("xgboost-model", 0, 0, 0, "")
    assert (EXAMPLE / "model.tar.gz").stat().st_size < 2_000_000
    assert (EXAMPLE / "src" / "vocabulary.json").stat().st_size < 200_000
    assert (EXAMPLE / "report" / "report.png").stat().st_size < 100_000


def test_model_and_vocabulary_have_the_same_columns(judge: Judge) -> None:
    assert sorted(vocabulary().values()) == list(range(5000))
    assert judge.booster.num_features() == 5000
    config = json.loads(judge.booster.save_config())["learner"]["learner_model_param"]
    # Any other is written in a form that older containers misread.
    assert float(config["base_score"].strip("[]")) == 0.5


def test_good_is_good_and_bad_is_bad(judge: Judge) -> None:
    good, bad = judge.probabilities([GOOD, BAD])
    assert good > 0.9
    assert bad < 0.1


def test_an_absent_word_is_a_zero_to_the_model(judge: Judge) -> None:
    """Rows of the endpoint are dense; a model of sparse rows would take them for something else."""
    import xgboost

    row = np.zeros((1, 5000), np.float32)
    row[0, vocabulary()["wonderful"]] = 1
    [dense] = judge.booster.predict(xgboost.DMatrix(row))
    assert judge.probabilities(["wonderful"]) == [pytest.approx(float(dense), abs=1e-7)]


def test_the_report_tells_enough_to_judge_by() -> None:
    trees, regression = REPORT["held_out"]["boosted trees"], REPORT["held_out"]["logistic regression"]
    assert trees["accuracy"] >= 0.73
    for score in (trees, regression):
        [[right_negative, _], [_, right_positive]] = score["confusion"]
        assert sum(map(sum, score["confusion"])) == REPORT["parts"]["held out"]
        assert (right_negative + right_positive) / REPORT["parts"]["held out"] == pytest.approx(
            score["accuracy"], abs=1e-4
        )
    text = (EXAMPLE / "report" / "report.md").read_text()
    assert f"| boosted trees | {trees['accuracy']:.4f} |" in text


def test_the_parts_share_no_snippet(train: ModuleType) -> None:
    made = [train.Snippet(f"snippet {number % 90}", number % 2 == 0) for number in range(100)]
    parts = train.split(made, 1)
    texts = [{snippet.text for snippet in part} for part in parts]
    assert sum(map(len, texts)) == 90
    assert len(texts[0] | texts[1] | texts[2]) == 90
    assert [len(part) for part in parts] == [58, 14, 18]
    assert train.split(made, 1) == parts != train.split(made, 2)


def test_columns_are_by_frequency_then_by_the_alphabet(train: ModuleType) -> None:
    made = [train.Snippet("b b a c", True), train.Snippet("b-a!", False)]
    assert train.frequent_words(made) == {"b": 0, "a": 1, "c": 2}


def test_the_same_seed_gives_the_same_bytes(train: ModuleType) -> None:
    chance = np.random.default_rng(3)
    rows = chance.integers(0, 3, (200, 20)).astype(np.float32)
    part = train.Part(rows, rows[:, 0] > rows[:, 1])
    packed: list[bytes] = [
        train.pack(train.boosted(part, {"max_depth": 3, "colsample_bytree": 0.5}, 20, lambda: None, None))
        for _ in range(2)
    ]
    assert packed[0] == packed[1]
    assert packed[0][4:8] == bytes(4), "no clock in the archive"


def test_another_table_is_refused(train: ModuleType) -> None:
    with pytest.raises(ValueError, match="10,605 snippets"):
        train.parse(b"1\t2.5\tA good film.\n")


def test_the_model_that_ships_is_as_good_as_its_report_says(train: ModuleType, judge: Judge) -> None:
    """On the snippets themselves, split again, with counts by the reference."""
    parts: tuple[Any, ...] = train.split(train.parse(snippets_file().read_bytes()), train.SEED)
    assert train.frequent_words(parts[0]) == vocabulary()
    found = judge.probabilities([snippet.text for snippet in parts[2]])
    right = sum((value > 0.5) == snippet.positive for value, snippet in zip(found, parts[2], strict=True))
    accuracy = right / len(parts[2])
    assert accuracy >= 0.73
    assert accuracy == pytest.approx(REPORT["held_out"]["boosted trees"]["accuracy"], abs=1e-4)
