"""Models without a script, from the bucket to InvokeEndpoint's answer, by boto3 alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, Start
from tests.unit.endpoints import boosters
from tests.walk.making import make_packed_endpoint, make_role


@pytest.fixture
def instance(start: Start) -> Instance:
    instance = start()
    make_role(instance)
    return instance


def test_xgboost_answers_reviews_and_says_what_is_wrong(instance: Instance) -> None:
    booster = boosters.train(width=20, rounds=30)
    made = make_packed_endpoint(instance, "trees", {"xgboost-model": bytes(booster.save_raw("ubj"))}, replicas=2)
    assert made["EndpointStatus"] == "InService"
    runtime = instance.client("sagemaker-runtime", max_pool_connections=8)
    rows = np.random.default_rng(3).integers(0, 5, (60, 20))

    def ask(row: Any) -> str:
        body = ",".join(map(str, row.tolist()))
        answer = runtime.invoke_endpoint(EndpointName="trees", ContentType="text/csv", Body=body)
        assert answer["ContentType"] == "text/csv; charset=utf-8"
        return str(answer["Body"].read().decode())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, rows))
    assert found == list(map(str, boosters.predict(booster, rows).tolist()))
    # And nothing is an answer too
    empty = runtime.invoke_endpoint(EndpointName="trees", ContentType="text/csv", Body=b"")
    assert (empty["Body"].read(), empty["ResponseMetadata"]["HTTPStatusCode"]) == (b"", 200)
    wrong = {
        b"1,2,3": (400, "its rows have 3 values, the model has 20 features"),
        b",".join([b"word"] * 20): (415, "a header row?"),
        b"\xff": (415, "utf-8"),
        b"1," * (1 << 19): (400, "524289 values"),
    }
    for body, (status, text) in wrong.items():
        with pytest.raises(ClientError) as error:
            runtime.invoke_endpoint(EndpointName="trees", ContentType="text/csv", Body=body)
        answer = error.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
        assert answer["OriginalStatusCode"] == status
        assert text in answer["OriginalMessage"]
        assert answer["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/trees")
    missing = ",".join([*(["nan", ""] * 9), "1", "2"])
    row = np.array([[*([np.nan] * 18), 1, 2]])
    answer = runtime.invoke_endpoint(EndpointName="trees", ContentType="text/csv", Body=missing)
    assert float(answer["Body"].read()) == boosters.predict(booster, row).item()


def test_a_pickled_model_is_refused_with_the_command_that_converts_it(instance: Instance) -> None:
    with pytest.raises(ClientError, match=r"python -m alight\.endpoints.convert xgboost-model --unpickle") as error:
        make_packed_endpoint(instance, "old", {"xgboost-model": b"\x80\x04\x95..."}, replicas=1)
    assert error.value.response["Error"]["Code"] == "ValidationException"
