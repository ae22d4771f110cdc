"""Three hundred odd files through a real replica: none ends it, each is answered or refused with a reason, and the same
picture in another dress is the same bird."""

from __future__ import annotations

import io
import json
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alight.endpoints.artifact import unpack
from alight.endpoints.server import Endpoints
from alight.errors.sagemaker import ModelError
from tests.unit.endpoints.conftest import BIRDS, one
from tests.unit.endpoints.odd_pictures import ANSWER, EITHER, REFUSED, TWIN, Odd, corpus, encoded

SEED = int(os.environ.get("ALIGHT_TEST_SEED") or random.Random().randrange(2**32))
#: `make test` dresses three birds up, ALIGHT_CHAOS_PICTURES=1 all that are sure.
NAMES = ("duck", "flamingo", "king-penguin", "toucan", "vulture")[
    : None if os.environ.get("ALIGHT_CHAOS_PICTURES") else 3
]


async def asked(endpoints: Endpoints, odd: Odd) -> tuple[int, str, int]:
    """Status, the reason where it was refused, the class where it was answered."""
    try:
        answer = await endpoints.invoke("endpoint", odd.body, content_type=odd.content_type, accept=None)
    except ModelError as error:
        return int(error.members["OriginalStatusCode"]), str(error.members["OriginalMessage"]), -1
    scores = np.array(json.loads(answer.body))
    assert np.isfinite(scores).all()
    return 200, "", int(scores.argmax())


def wrong(odd: Odd, status: int, why: str, found: int, plain: dict[str, int]) -> bool:
    if status != 200:
        is_fine = odd.wanted in (REFUSED, EITHER) and status in (400, 413, 415) and odd.why in why and len(why) > 20
        return not is_fine
    return odd.wanted == REFUSED or (odd.wanted == TWIN and found != plain[odd.of])


@pytest.mark.timeout(300)
async def test_no_picture_ends_a_replica_and_twins_are_the_same_bird(endpoints: Endpoints, tmp_path: Path) -> None:
    package = await unpack(BIRDS / "model.tar.gz", tmp_path / "store")
    await endpoints.deploy(one(package.dir, ALIGHT_MODEL_FORMAT="onnx"))
    pids = endpoints.status("endpoint").variants[0].pids  # type: ignore[union-attr]
    pictures: dict[str, Image.Image] = {}
    for name in NAMES:
        with Image.open(io.BytesIO((BIRDS / "pictures" / f"{name}.jpg").read_bytes())) as image:
            pictures[name] = image.convert("RGB").resize((320, 240))
    plain = {name: (await asked(endpoints, Odd(name, encoded(one), ANSWER)))[2] for name, one in pictures.items()}
    assert len(set(plain.values())) == len(NAMES)
    files, bad, ended = corpus(SEED, pictures), [], Counter[str]()
    for odd in files:
        status, why, found = await asked(endpoints, odd)
        ended["answered" if status == 200 else "refused"] += 1
        if wrong(odd, status, why, found, plain):
            bad.append((odd.name, odd.wanted, status, why, found))
    twins = sum(odd.wanted == TWIN for odd in files)
    print(f"\nseed {SEED}: {len(files)} odd files, {twins} of them twins: {dict(ended)}, {len(bad)} wrong")
    assert not bad, "\n".join(map(str, bad))
    assert len(files) >= 300
    variant = endpoints.status("endpoint").variants[0]  # type: ignore[union-attr]
    assert (variant.pids, variant.restarts) == (pids, 0)
