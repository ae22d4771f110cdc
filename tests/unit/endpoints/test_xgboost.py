"""`xgboost-model` as the container serves it: what goes in, what comes out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from alight.endpoints import formats
from alight.endpoints.contract import CannotServe, Reply, Request
from alight.endpoints.models.in_place import InPlace
from alight.endpoints.models.xgboost import XgboostModel
from alight.endpoints.server import Endpoints
from alight.errors.sagemaker import ModelError
from tests.unit.endpoints import boosters
from tests.unit.endpoints.conftest import one

CSV, LIBSVM = "text/csv", "text/libsvm"


@pytest.fixture(scope="module")
def booster() -> Any:
    return boosters.train()


@pytest.fixture(scope="module")
def model(booster: Any, tmp_path_factory: pytest.TempPathFactory) -> XgboostModel:
    return XgboostModel.open(boosters.save(booster, tmp_path_factory.mktemp("model")), {})


def ask(model: XgboostModel, body: bytes | str, content_type: str | None = CSV, accept: str | None = None) -> Reply:
    raw = body.encode() if isinstance(body, str) else body
    return model.answer(Request(raw, content_type, accept))


def expected(booster: Any, rows: list[list[float]], **more: Any) -> bytes:
    return ",".join(str(value) for value in boosters.predict(booster, np.array(rows), **more).tolist()).encode()


def test_one_row_is_one_number(model: XgboostModel, booster: Any) -> None:
    reply = ask(model, "1,2,3,4")
    assert (reply.status, reply.content_type) == (200, "text/csv; charset=utf-8")
    assert reply.body == expected(booster, [[1, 2, 3, 4]])


NAN = float("nan")


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("1,2,3,4\n", [[1, 2, 3, 4]]),
        ("1,2,3,4\n5,6,7,80", [[1, 2, 3, 4], [5, 6, 7, 80]]),
        ("1,2,3,4\r\n5,6,7,8\r\n", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("-0.5,1e-3,.25,4", [[-0.5, 1e-3, 0.25, 4]]),
        ("1,,nan,4", [[1, NAN, NAN, 4]]),
        ("1,2,3,\r\n,6,7,8", [[1, 2, 3, NAN], [NAN, 6, 7, 8]]),
        ("1\t2\t3\t4", [[1, 2, 3, 4]]),
        ("1;2222;3;4", [[1, 2222, 3, 4]]),
        ("1 2 3 4", [[1, 2, 3, 4]]),
        ("1, 2, 3, 4", [[1, 2, 3, 4]]),
        ("1|2|3|4", [[1, 2, 3, 4]]),
        ("12345678,2,3,4", [[12345678, 2, 3, 4]]),
        ("0001,0,0,0", [[1, 0, 0, 0]]),
    ],
)
def test_forms_of_csv(model: XgboostModel, booster: Any, body: str, rows: list[list[float]]) -> None:
    assert ask(model, body).body == expected(booster, rows)


def test_a_model_of_one_feature_has_no_delimiter(tmp_path: Path) -> None:
    booster = boosters.train(width=1)
    model = XgboostModel.open(boosters.save(booster, tmp_path), {})
    assert ask(model, "-1.5").body == expected(booster, [[-1.5]])
    assert ask(model, "1\n\n2.5\n").body == expected(booster, [[1], [NAN], [2.5]])


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "Text/CSV", "text/csv;label_size=1"])
def test_content_types_of_csv(model: XgboostModel, booster: Any, content_type: str) -> None:
    assert ask(model, "1,2,3,4", content_type).body == expected(booster, [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"a,b,c,d\n1,2,3,4", 415, "line 1: 'a' is not a number (a header row? send the rows alone)"),
        (b"1,2,3,4\n1,2,x,4", 415, "line 2: 'x' is not a number."),
        (b"1,2,3,4\n1,2,3", 415, "line 2 has 3 values, the first has 4"),
        (b"1,2,3,4\n\n1,2,3,4", 415, "line 2 has 1 values"),
        (b"1,2,3,4_0", 415, "'4_0' is not a number"),
        (b"\xff\xfe1,2,3,4", 415, "utf-8"),
        (b" \n", 415, "there are no values in it"),
        (b"1,2,inf,4", 415, "infinity"),
        (b"1,2,1e39,4", 415, "beyond 32 bits"),
        (b"1,2,3", 400, "its rows have 3 values, the model has 4 features."),
        (b"1,2,3,4,5", 400, "The label is not sent."),
        (b"1", 400, "its rows have 1 values"),
        (b'{"instances": [[1, 2, 3, 4]]}', 415, "is not a number"),
    ],
)
def test_bad_csv(model: XgboostModel, body: bytes, status: int, message: str) -> None:
    reply = ask(model, body)
    assert reply.status == status
    assert message in reply.body.decode()


def test_a_megabyte_of_one_row_is_of_the_wrong_width(model: XgboostModel) -> None:
    reply = ask(model, b"1," * (1 << 19))
    assert reply.status == 400
    assert b"524289 values" in reply.body


def test_no_body_is_no_content(model: XgboostModel) -> None:
    reply = ask(model, b"")
    assert (reply.status, reply.body) == (204, b"")


@pytest.mark.parametrize("body", ["1 0:1 1:2 2:3 3:4", "0:1 1:2 2:3 3:4", "1 3:4 0:1 1:2 2:3\n"])
@pytest.mark.parametrize("content_type", [LIBSVM, "text/x-libsvm", None])
def test_libsvm(model: XgboostModel, booster: Any, body: str, content_type: str | None) -> None:
    assert ask(model, body, content_type).body == expected(booster, [[1, 2, 3, 4]])


def test_what_libsvm_leaves_out_is_missing_and_every_line_is_a_row(model: XgboostModel, booster: Any) -> None:
    rows = [[0.0, NAN, NAN, 2.5], [NAN, NAN, NAN, NAN], [NAN, -1.0, NAN, NAN], [NAN, NAN, NAN, NAN]]
    assert ask(model, "1 0:0 3:2.5\n0\n1 1:-1\r\n0\n", LIBSVM).body == expected(booster, rows)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("1 4:1", 400, "index 4 is beyond the model's 4 features"),
        ("1 a:1", 415, "'a:1' is not index:value"),
        ("1 -1:1", 415, "'-1:1' is not index:value"),
        ("1 0:x", 415, "'x' is not a number"),
        ("1,2,3,4", 415, "no index:value"),
        ("1 0:inf", 415, "infinity"),
    ],
)
def test_bad_libsvm(model: XgboostModel, body: str, status: int, message: str) -> None:
    reply = ask(model, body, LIBSVM)
    assert reply.status == status
    assert message in reply.body.decode()


@pytest.mark.parametrize("content_type", ["application/x-recordio-protobuf", "application/json", "image/png"])
def test_other_content_types_are_refused(model: XgboostModel, content_type: str) -> None:
    reply = ask(model, "1,2,3,4", content_type)
    assert reply.status == 415
    assert content_type in reply.body.decode()


def test_accept_is_not_looked_at_without_selectable_inference(model: XgboostModel) -> None:
    assert ask(model, "1,2,3,4", accept="application/json").content_type == "text/csv; charset=utf-8"


@pytest.mark.parametrize("raw", ["json", "ubj"])
@pytest.mark.parametrize("name", ["xgboost-model", "anything.bin"])
def test_json_and_ubj_under_any_name(booster: Any, tmp_path: Path, raw: str, name: str) -> None:
    model = XgboostModel.open(boosters.save(booster, tmp_path, raw, name), {})
    assert ask(model, "1,2,3,4").body == expected(booster, [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("objective", "parameters"),
    [
        ("multi:softprob", {"num_class": 3}),
        ("multi:softmax", {"num_class": 3}),
        ("reg:squarederror", {}),
        ("binary:logitraw", {}),
        ("binary:logistic", {"booster": "dart", "rate_drop": 0.2}),
        ("reg:squarederror", {"booster": "gblinear"}),
        ("binary:logistic", {"num_parallel_tree": 3, "subsample": 0.5}),
    ],
)
def test_predictions_are_the_models_own_to_the_bit(tmp_path: Path, objective: str, parameters: dict[str, Any]) -> None:
    classes = parameters.get("num_class", 2)
    booster = boosters.train(classes=classes, objective=objective, **parameters)
    model = XgboostModel.open(boosters.save(booster, tmp_path), {})
    values = np.random.default_rng(2).normal(size=(300, 4))
    values[values > 1.5] = np.nan
    body = "\n".join(",".join(map(repr, row)) for row in values.tolist())
    assert ask(model, body).body == expected(booster, values.tolist())
    for row in values[:20].tolist():
        assert ask(model, ",".join(map(repr, row))).body == expected(booster, [row])


def test_what_was_predicted_stays_when_more_is(booster: Any) -> None:
    in_place = InPlace(xgboost, booster, (0, 0))
    rows = np.random.default_rng(3).normal(size=(40, 4)).astype(np.float32)
    alone = [in_place.predict(row[np.newaxis]) for row in rows]
    assert np.array_equal(np.concatenate(alone), in_place.predict(rows))
    assert np.array_equal(in_place.predict(rows), booster.inplace_predict(rows))


def test_what_the_library_refuses_is_its_own_error(booster: Any) -> None:
    in_place = InPlace(xgboost, booster, (0, 0))
    with pytest.raises(xgboost.core.XGBoostError, match="columns"):
        in_place.predict(np.zeros((1, 3), np.float32))
    # And it is none of the next table's
    rows = np.ones((2, 4), np.float32)
    assert np.array_equal(in_place.predict(rows), booster.inplace_predict(rows))


def test_rows_of_classes_are_written_as_lists(tmp_path: Path) -> None:
    booster = boosters.train(classes=3, objective="multi:softprob", num_class=3)
    reply = ask(XgboostModel.open(boosters.save(booster, tmp_path), {}), "1,2,3,4\n0,0,0,0")
    rows = boosters.predict(booster, np.array([[1, 2, 3, 4], [0, 0, 0, 0]])).tolist()
    assert reply.body.decode() == f"{rows[0]},{rows[1]}"


def test_training_that_stopped_early_answers_by_its_best_round(tmp_path: Path) -> None:
    booster = boosters.train(rounds=50, early=True)
    best = booster.best_iteration + 1
    assert best < booster.num_boosted_rounds()
    model = XgboostModel.open(boosters.save(booster, tmp_path), {})
    row = [[0.3, 0.1, -2.0, 0.7]]
    assert ask(model, "0.3,0.1,-2.0,0.7").body == expected(booster, row, iteration_range=(0, best))
    assert expected(booster, row, iteration_range=(0, best)) != expected(booster, row)


def selecting(booster: Any, folder: Path, names: str, **environment: str) -> XgboostModel:
    return XgboostModel.open(boosters.save(booster, folder), {"SAGEMAKER_INFERENCE_OUTPUT": names, **environment})


def test_selectable_inference_of_two_classes(booster: Any, tmp_path: Path) -> None:
    model = selecting(booster, tmp_path, "predicted_label, labels,probability,probabilities,raw_score")
    score = boosters.predict(booster, np.array([[1, 2, 3, 4]])).tolist()[0]
    reply = ask(model, "1,2,3,4", accept="application/json")
    assert reply.content_type == "application/json"
    assert json.loads(reply.body) == {
        "predictions": [
            {
                "predicted_label": int(score > 0.5),
                "labels": [0, 1],
                "probability": score,
                "probabilities": [1.0 - score, score],
                "raw_score": score,
            }
        ]
    }
    lines = ask(model, "1,2,3,4\n1,2,3,4", accept="application/jsonlines").body.decode().splitlines()
    assert [json.loads(line)["probability"] for line in lines] == [score, score]
    reply = ask(model, "1,2,3,4")
    assert reply.content_type == "text/csv; charset=utf-8"
    assert reply.body.decode() == f'{int(score > 0.5)},"[0, 1]",{score},"[{1.0 - score}, {score}]",{score}'


def test_selectable_inference_of_three_classes_and_a_name_that_is_not_there(tmp_path: Path) -> None:
    booster = boosters.train(classes=3, objective="multi:softprob", num_class=3)
    model = selecting(booster, tmp_path, "predicted_label,labels,probability,predicted_score")
    row = boosters.predict(booster, np.array([[1, 2, 3, 4]])).tolist()[0]
    assert ask(model, "1,2,3,4").body.decode() == f'{row.index(max(row))},"[0, 1, 2]",{max(row)},nan'


def test_selectable_inference_of_a_number(tmp_path: Path) -> None:
    booster = boosters.train(objective="reg:squarederror")
    model = selecting(booster, tmp_path, "predicted_score", SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/json")
    (score,) = json.loads(ask(model, "1,2,3,4", accept="*/*").body)["predictions"]
    assert score == {"predicted_score": boosters.predict(booster, np.array([[1, 2, 3, 4]])).tolist()[0]}


def test_selectable_inference_refuses_what_it_cannot_write(booster: Any, tmp_path: Path) -> None:
    reply = ask(selecting(booster, tmp_path, "probability"), "1,2,3,4", accept="application/x-recordio-protobuf")
    assert reply.status == 406
    poisson = boosters.train(objective="count:poisson")
    assert ask(selecting(poisson, tmp_path, "predicted_score"), "1,2,3,4").status == 500


def test_batch_transform_has_a_line_for_each(booster: Any, tmp_path: Path) -> None:
    model = XgboostModel.open(boosters.save(booster, tmp_path), {"SAGEMAKER_BATCH": "true"})
    one = expected(booster, [[1, 2, 3, 4]]).decode()
    assert ask(model, "1,2,3,4\n1,2,3,4").body.decode() == f"{one}\n{one}\n"


@pytest.mark.parametrize("content", [b'{"learner": 3}', b"{nonsense", b"{"])
def test_a_damaged_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "xgboost-model").write_bytes(content)
    with pytest.raises(CannotServe, match=r"xgboost-model cannot be loaded: \S"):
        XgboostModel.open(tmp_path, {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x04\x95booster", "is a pickle. .* python -m alight.endpoints.convert xgboost-model --unpickle"),
        (b"binf\x00\x00\x00\x3f", "old binary format. .* python -m alight.endpoints.convert xgboost-model"),
        (b"\x00\x00\x00\x3f\x7f", "old binary format"),
    ],
)
def test_what_is_not_json_or_ubj_is_told_how_to_convert(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "xgboost-model").write_bytes(content)
    with pytest.raises(CannotServe, match=reason):
        formats.detect(tmp_path, {})


def test_several_models_are_refused(booster: Any, tmp_path: Path) -> None:
    for fold in (0, 1):
        boosters.save(booster, tmp_path, name=f"xgboost-model-{fold}")
    with pytest.raises(CannotServe, match="several XGBoost models"):
        formats.detect(tmp_path, {})


def test_the_extra_is_named_where_the_library_is_missing(
    booster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boosters.save(booster, tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CannotServe, match=r"pip install 'alight\[xgboost\]'"):
        formats.detect(tmp_path, {})


async def test_a_replica_serves_it_without_scikit_learn(endpoints: Endpoints, booster: Any, tmp_path: Path) -> None:
    await endpoints.deploy(one(boosters.save(booster, tmp_path / "package")))
    answer = await endpoints.invoke("endpoint", b"1,2,3,4", content_type=CSV, accept=None)
    assert (answer.body, answer.content_type) == (expected(booster, [[1, 2, 3, 4]]), "text/csv; charset=utf-8")
    empty = await endpoints.invoke("endpoint", b"", content_type=CSV, accept=None)
    assert empty.body == b""
    (pid,) = endpoints.status("endpoint").variants[0].pids  # type: ignore[union-attr]
    maps = Path(f"/proc/{pid}/maps")
    if maps.exists():
        assert "libxgboost" in maps.read_text()
        assert "/sklearn/" not in maps.read_text()


@pytest.mark.parametrize(("body", "status"), [(b"a,b,c,d", 415), (b"1,2,3", 400)])
async def test_its_error_is_a_model_error(
    endpoints: Endpoints, booster: Any, tmp_path: Path, body: bytes, status: int
) -> None:
    await endpoints.deploy(one(boosters.save(booster, tmp_path / "package")))
    with pytest.raises(ModelError, match=rf"^Received client error \({status}\) from primary") as error:
        await endpoints.invoke("endpoint", body, content_type=CSV, accept=None)
    assert error.value.members["OriginalStatusCode"] == status
