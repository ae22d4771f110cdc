"""Each algorithm against published check values, and the way S3's model names them."""

from __future__ import annotations

import base64

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.store.checksums import ALGORITHMS, COMBINE, checksum, combine

#: Of the nine digits "123456789" (CRCs: the catalogue of parametrised CRC algorithms), in hex.
CHECK_VALUES = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "md5": "25f9e794323b453885f5181f1b624d0b",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "sha512": "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
    "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    "xxhash64": "8cb841db40e6ae83",
}


@pytest.mark.parametrize("name", CHECK_VALUES)
def test_check_values(name: str) -> None:
    assert base64.b64decode(checksum(name, b"123456789")).hex() == CHECK_VALUES[name]


def test_every_algorithm_of_the_model_is_there() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    assert {name.lower() for name in model.shape_for("ChecksumAlgorithm").enum} <= set(ALGORITHMS)


@pytest.mark.parametrize("name", ALGORITHMS)
@given(parts=st.lists(st.binary(max_size=300), max_size=5))
def test_the_way_it_is_cut_does_not_matter(name: str, parts: list[bytes]) -> None:
    hasher = ALGORITHMS[name]()
    for part in parts:
        hasher.update(part)
    assert base64.b64encode(hasher.digest()).decode() == checksum(name, b"".join(parts))


@pytest.mark.parametrize("name", COMBINE)
@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_checksums_of_parts_combine(name: str, first: bytes, second: bytes) -> None:
    joined = combine(name, checksum(name, first), checksum(name, second), len(second))
    assert joined == checksum(name, first + second)
