"""What the object store takes and gives: frozen values, no AWS shapes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from alight.store.database import Row

MULTIPART_LIMIT = 10_000

#: What S3 calls a version that was made while its bucket kept none.
NULL = "null"


@dataclass(frozen=True, slots=True)
class Bucket:
    """`settings` holds what was configured (notification, policy, cors ...) as JSON; to be read only."""

    name: str
    created: float
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What a client says about an object beside its bytes.

    `headers` are content headers by AWS member name (`CacheControl`), `storage` further stored members
    (`StorageClass` ...), `checksums` base64 values by lower-case algorithm, `checksum_type` FULL_OBJECT or COMPOSITE.
    """

    content_type: str = "binary/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    storage: dict[str, Any] = field(default_factory=dict)
    owner: str = ""
    acl: Any = None
    tags: dict[str, str] = field(default_factory=dict)

    def checked(self, checksums: dict[str, str], checksum_type: str) -> ObjectInfo:
        """The same with these checksums. Spelled out: every PUT comes here, and `replace` looks at each field anew."""
        return ObjectInfo(
            content_type=self.content_type,
            headers=self.headers,
            metadata=self.metadata,
            checksums=checksums,
            checksum_type=checksum_type,
            storage=self.storage,
            owner=self.owner,
            acl=self.acl,
            tags=self.tags,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of an object's bytes: the row `body` of `bodies` (`inline`), or beside the database where its name says."""

    body: str
    size: int
    crc64nvme: str
    inline: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One part that a multipart object was made of."""

    number: int
    size: int
    etag: str
    checksums: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow(ObjectInfo):
    """One object, or one version of it. `etag` has no quotes; `sequencer` (16 hex digits) grows with every change in
    the store. `versioned`: it was made while its bucket kept versions; `marker`: it says that the key was deleted."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str
    last_modified: float
    sequencer: str
    crc64nvme: str
    segments: tuple[Segment, ...]
    parts: tuple[Part, ...] = ()
    versioned: bool = False
    marker: bool = False

    @property
    def visible(self) -> str:
        """The version's id as S3 shows it."""
        return self.version_id if self.versioned else NULL

    @property
    def info(self) -> ObjectInfo:
        """What was said about the object, to say it of another one."""
        return ObjectInfo(**{name: getattr(self, name) for name in INFO_FIELDS})


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun."""

    id: str
    bucket: str
    key: str
    initiated: float
    info: ObjectInfo


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One part of an upload that is not complete yet."""

    upload_id: str
    number: int
    size: int
    etag: str
    last_modified: float
    checksums: dict[str, str]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a listing. `next` continues it as `start_after`; None where it has come to its end."""

    rows: list[ObjectRow]
    common_prefixes: list[str]
    next: str | None


INFO_FIELDS = tuple(item.name for item in fields(ObjectInfo))

_DEFAULTS = tuple(asdict(ObjectInfo()).items())

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump(value: Any) -> str:
    """JSON as it is stored."""
    return _encode(value)


def dump_info(info: ObjectInfo) -> str:
    """Only what differs from the defaults: most objects say little."""
    return dump(_said(info))


def _said(info: ObjectInfo) -> dict[str, Any]:
    return {name: value for name, default in _DEFAULTS if (value := getattr(info, name)) != default}


def dump_object(row: ObjectRow) -> str:
    """What is said about an object, and which kind of version it is."""
    said = _said(row)
    for name in ("versioned", "marker"):
        if getattr(row, name):
            said[name] = True
    return dump(said)


def load_info(text: str) -> ObjectInfo:
    return ObjectInfo(**json.loads(text))


def dump_segments(segments: tuple[Segment, ...]) -> str:
    return dump([[item.body, item.size, item.crc64nvme, item.inline] for item in segments])


def load_segments(text: str) -> tuple[Segment, ...]:
    return tuple(Segment(*item) for item in json.loads(text))


def dump_parts(parts: tuple[Part, ...]) -> str:
    return dump([[item.number, item.size, item.etag, item.checksums] for item in parts]) if parts else ""


def load_object(row: Row) -> ObjectRow:
    """An ObjectRow from a row of `objects`."""
    return ObjectRow(
        bucket=row["bucket"],
        key=row["key"],
        version_id=row["version_id"],
        size=row["size"],
        etag=row["etag"],
        last_modified=row["last_modified"],
        sequencer=row["sequencer"],
        crc64nvme=row["crc64nvme"],
        segments=load_segments(row["segments"]),
        parts=tuple(Part(*item) for item in json.loads(row["parts"])) if row["parts"] else (),
        **json.loads(row["info"]),
    )


def load_upload(row: Row) -> Upload:
    return Upload(row["id"], row["bucket"], row["key"], row["initiated"], load_info(row["info"]))


def load_part(row: Row) -> UploadedPart:
    return UploadedPart(
        row["upload_id"],
        row["number"],
        row["size"],
        row["etag"],
        row["last_modified"],
        json.loads(row["checksums"]),
        load_segments(row["segments"]),
    )
