"""aws-chunked bodies: AWS's published example, every split of a body, and frames that are wrong in one place."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.calls import Principal
from alight.errors import Fault
from alight.errors.gateway import IncompleteBody, InvalidChunk, MalformedTrailer, SignatureDoesNotMatch
from alight.gateway.canonical import Scope, derive_key
from alight.gateway.chunks import ChunkDecoder
from alight.gateway.signature import ChunkSeed

EMPTY = hashlib.sha256(b"").hexdigest()
#: The example that AWS prints for a 66,560-byte upload in chunks of 64 KiB.
SEED = ChunkSeed(
    derive_key(
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Scope("AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3")
    ),
    "20130524T000000Z",
    "20130524/us-east-1/s3/aws4_request",
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
)
PUBLISHED = [
    (65_536, b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1_024, b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
]
TRAILER = "x-amz-checksum-crc32c"
ANYBODY = Principal("anonymous", "a", "a")


def published() -> bytes:
    frames = [b"%x;chunk-signature=%s\r\n%s\r\n" % (size, signature, b"a" * size) for size, signature in PUBLISHED]
    return b"".join(frames)


def signed_frames(parts: list[bytes], trailer: tuple[str, str] | None = None) -> bytes:
    """What a client that follows the description would send."""
    previous, written = SEED.signature, b""
    for part in [*parts, b""]:
        hashed = hashlib.sha256(part).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{SEED.moment}\n{SEED.scope}\n{previous}\n{EMPTY}\n{hashed}"
        previous = hmac.new(SEED.key, text.encode(), hashlib.sha256).hexdigest()
        written += b"%x;chunk-signature=%s\r\n" % (len(part), previous.encode())
        written += part + b"\r\n" if part else b""
    if trailer:
        hashed = hashlib.sha256(f"{trailer[0]}:{trailer[1]}\n".encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{SEED.moment}\n{SEED.scope}\n{previous}\n{hashed}"
        signature = hmac.new(SEED.key, text.encode(), hashlib.sha256).hexdigest()
        written += f"{trailer[0]}:{trailer[1]}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return written + b"\r\n"


def unsigned_frames(parts: list[bytes], trailer: str = "") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailer.encode() + b"\r\n"


def decoded(frames: bytes, *, seed: ChunkSeed | None = SEED, announced: tuple[str, ...] = (), step: int = 0) -> bytes:
    decoder = ChunkDecoder(seed, frozenset(announced))
    step = step or len(frames) or 1
    out = b"".join(
        piece for start in range(0, len(frames), step) for piece in decoder.feed(frames[start : start + step])
    )
    decoder.finish()
    return out


@pytest.mark.parametrize("step", [0, 1_000, 65_536])
def test_the_published_example(step: int) -> None:
    assert decoded(published(), step=step) == b"a" * 66_560


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.binary(min_size=1, max_size=50), max_size=4), step=st.integers(1, 40), signs=st.booleans())
def test_however_it_is_cut(parts: list[bytes], step: int, signs: bool) -> None:
    frames = signed_frames(parts, (TRAILER, "AAAA")) if signs else unsigned_frames(parts, f"{TRAILER}:AAAA\r\n")
    decoder = ChunkDecoder(SEED if signs else None, frozenset({TRAILER}))
    out = [piece for at in range(0, len(frames), step) for piece in decoder.feed(frames[at : at + step])]
    decoder.finish()
    assert b"".join(out) == b"".join(parts)
    assert decoder.trailers == {TRAILER: "AAAA"}


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(at: int, bit: int) -> None:
    frames = bytearray(signed_frames([b"hello", b"world" * 10], (TRAILER, "AAAA")))
    at %= len(frames)
    frames[at] ^= 1 << bit
    try:
        out = decoded(bytes(frames), announced=(TRAILER,))
    except Fault:
        return
    # Only a name's or a number's letter case may change, and that changes nothing.
    assert out == b"hello" + b"world" * 10
    assert chr(frames[at]).isalpha()
    assert bit == 5


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 400))
def test_no_beginning_is_taken_for_the_whole(size: int) -> None:
    frames = signed_frames([b"hello", b"world"], (TRAILER, "AAAA"))
    if size < len(frames):
        with pytest.raises(IncompleteBody):
            decoded(frames[:size], announced=(TRAILER,))


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        (b"5\r\nhello0\r\n\r\n", InvalidChunk),
        (b"-5\r\nhello\r\n0\r\n\r\n", InvalidChunk),
        (b"0x5\r\nhello\r\n0\r\n\r\n", InvalidChunk),
        (b"5 \r\nhello\r\n0\r\n\r\n", InvalidChunk),
        (b"\r\nhello\r\n0\r\n\r\n", InvalidChunk),
        (b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n0\r\n\r\n", InvalidChunk),
        (b"5;other=1\r\nhello\r\n0\r\n\r\n", InvalidChunk),
        (b"f" * 17 + b"\r\n", InvalidChunk),
        (b"1" * 2000, InvalidChunk),
        (b"5\nhello\n0\n\n", IncompleteBody),
        (b"0\r\n\r\nmore", InvalidChunk),
        (b"0\r\nno colon\r\n\r\n", MalformedTrailer),
        (b"0\r\n" + TRAILER.encode() + b":AAAA\r\n\r\n", MalformedTrailer),
        (b"0\r\nx:" + b"y" * 20_000, MalformedTrailer),
        (b"ffff\r\nhello", IncompleteBody),
        (b"", IncompleteBody),
        (b"0\r\n", IncompleteBody),
    ],
)
def test_frames_out_of_order(frames: bytes, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        decoded(frames, seed=None)


def test_signed_frames_out_of_order() -> None:
    good = signed_frames([b"hello", b"world"])
    first, rest = good.split(b"hello\r\n")
    for bad in (
        unsigned_frames([b"hello"]),
        good.replace(b"hello", b"jello"),
        first.replace(b"5;", b"a;") + b"helloworld\r\n" + rest,
        signed_frames([b"world", b"hello"]).replace(b"world", b"hello", 1),
        good[good.index(b"world") - 85 :],
    ):
        with pytest.raises((SignatureDoesNotMatch, InvalidChunk)):
            decoded(bad)
    with pytest.raises(InvalidChunk, match="too large"):
        decoded(b"fffffff;chunk-signature=" + b"0" * 64 + b"\r\n")


def test_trailers_have_to_be_those_that_were_announced() -> None:
    good = signed_frames([b"hello"], (TRAILER, "AAAA"))
    assert decoded(good, announced=(TRAILER,)) == b"hello"
    signature = good[good.index(b"x-amz-trailer-signature") :]
    for bad, announced in (
        (good, ()),
        (good, ("x-amz-checksum-sha1",)),
        (good, (TRAILER, "x-amz-checksum-sha1")),
        (good.replace(signature, b"\r\n"), (TRAILER,)),
        (signed_frames([b"hello"]), (TRAILER,)),
        (good.replace(b"AAAA\r\n", b"AAAA\r\n" + TRAILER.encode() + b":AAAA\r\n"), (TRAILER,)),
    ):
        with pytest.raises(MalformedTrailer):
            decoded(bad, announced=announced)
    with pytest.raises(SignatureDoesNotMatch):
        decoded(good.replace(b"AAAA", b"AAAB"), announced=(TRAILER,))
    with pytest.raises(SignatureDoesNotMatch):
        decoded(good.replace(signature[24:30], b"000000"), announced=(TRAILER,))
