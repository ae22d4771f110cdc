"""Which members of S3's operations are honoured and which are neutral here; every other one is refused by name.

Neutral: `RequestPayer` (nobody pays), `ContentMD5` and `ChecksumAlgorithm` where the body is XML (the gateway has
compared that body with them), `ServerSideEncryption` AES256 and `StorageClass` STANDARD (their values are checked in
`headers`).
"""

from __future__ import annotations

from alight.services.members import Table, support

_AT = "Bucket ExpectedBucketOwner"
_OBJECT = f"{_AT} Key"
_SUMS = (
    "ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256 ChecksumSHA512 ChecksumMD5 "
    "ChecksumXXHASH64 ChecksumXXHASH3 ChecksumXXHASH128"
)
_HEADERS = (
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Expires Metadata "
    "WebsiteRedirectLocation"
)
_STORED = "ServerSideEncryption StorageClass RequestPayer"
_READ = (
    f"{_OBJECT} IfMatch IfModifiedSince IfNoneMatch IfUnmodifiedSince Range PartNumber ChecksumMode VersionId "
    "ResponseCacheControl ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage "
    "ResponseContentType ResponseExpires"
)
_SOURCE = (
    "CopySource CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch CopySourceIfUnmodifiedSince "
    "ExpectedSourceBucketOwner"
)
_XML_BODY = "ContentMD5 ChecksumAlgorithm"

TABLE: Table = {
    "CreateBucket": support("Bucket CreateBucketConfiguration ACL ObjectLockEnabledForBucket ObjectOwnership"),
    "DeleteBucket": support(_AT),
    "HeadBucket": support(_AT),
    "ListBuckets": support("MaxBuckets ContinuationToken Prefix BucketRegion"),
    "GetBucketLocation": support(_AT),
    "GetBucketVersioning": support(_AT),
    "PutBucketVersioning": support(f"{_AT} VersioningConfiguration", _XML_BODY),
    "GetBucketTagging": support(_AT),
    "PutBucketTagging": support(f"{_AT} Tagging", _XML_BODY),
    "DeleteBucketTagging": support(_AT),
    "GetBucketAcl": support(_AT),
    "PutBucketAcl": support(f"{_AT} ACL", _XML_BODY),
    "GetBucketPolicy": support(_AT),
    "PutBucketPolicy": support(f"{_AT} Policy", f"ConfirmRemoveSelfBucketAccess {_XML_BODY}"),
    "DeleteBucketPolicy": support(_AT),
    "GetBucketPolicyStatus": support(_AT),
    "GetPublicAccessBlock": support(_AT),
    "PutPublicAccessBlock": support(f"{_AT} PublicAccessBlockConfiguration", _XML_BODY),
    "DeletePublicAccessBlock": support(_AT),
    "GetBucketOwnershipControls": support(_AT),
    "PutBucketOwnershipControls": support(f"{_AT} OwnershipControls", _XML_BODY),
    "DeleteBucketOwnershipControls": support(_AT),
    "GetBucketCors": support(_AT),
    "PutBucketCors": support(f"{_AT} CORSConfiguration", _XML_BODY),
    "DeleteBucketCors": support(_AT),
    "GetBucketWebsite": support(_AT),
    "PutBucketWebsite": support(f"{_AT} WebsiteConfiguration", _XML_BODY),
    "DeleteBucketWebsite": support(_AT),
    "GetBucketEncryption": support(_AT),
    "PutBucketEncryption": support(_AT, f"ServerSideEncryptionConfiguration {_XML_BODY}"),
    "DeleteBucketEncryption": support(_AT),
    "GetBucketAccelerateConfiguration": support(_AT, "RequestPayer"),
    "GetBucketLogging": support(_AT),
    "GetBucketRequestPayment": support(_AT),
    "GetBucketReplication": support(_AT),
    "GetObjectLockConfiguration": support(_AT),
    "GetBucketLifecycleConfiguration": support(_AT),
    "PutBucketLifecycleConfiguration": support(
        f"{_AT} LifecycleConfiguration", "ChecksumAlgorithm TransitionDefaultMinimumObjectSize"
    ),
    "DeleteBucketLifecycle": support(_AT),
    "GetBucketNotificationConfiguration": support(_AT),
    "PutBucketNotificationConfiguration": support(f"{_AT} NotificationConfiguration SkipDestinationValidation"),
    "PutObject": support(
        f"{_OBJECT} Body ContentLength ContentMD5 ChecksumAlgorithm {_SUMS} {_HEADERS} IfMatch IfNoneMatch Tagging ACL",
        _STORED,
    ),
    "GetObject": support(_READ, "RequestPayer"),
    "HeadObject": support(_READ, "RequestPayer"),
    "GetObjectAttributes": support(f"{_OBJECT} VersionId MaxParts PartNumberMarker ObjectAttributes", "RequestPayer"),
    "DeleteObject": support(f"{_OBJECT} VersionId IfMatch", "RequestPayer BypassGovernanceRetention"),
    "DeleteObjects": support(f"{_AT} Delete", f"RequestPayer BypassGovernanceRetention {_XML_BODY}"),
    "CopyObject": support(
        f"{_OBJECT} {_SOURCE} {_HEADERS} MetadataDirective TaggingDirective Tagging ChecksumAlgorithm IfMatch "
        "IfNoneMatch ACL",
        _STORED,
    ),
    "ListObjects": support(f"{_AT} Delimiter EncodingType Marker MaxKeys Prefix", "RequestPayer"),
    "ListObjectVersions": support(
        f"{_AT} Delimiter EncodingType KeyMarker MaxKeys Prefix VersionIdMarker", "RequestPayer"
    ),
    "ListObjectsV2": support(
        f"{_AT} Delimiter EncodingType MaxKeys Prefix ContinuationToken FetchOwner StartAfter", "RequestPayer"
    ),
    "GetObjectTagging": support(f"{_OBJECT} VersionId", "RequestPayer"),
    "PutObjectTagging": support(f"{_OBJECT} VersionId Tagging", f"RequestPayer {_XML_BODY}"),
    "DeleteObjectTagging": support(f"{_OBJECT} VersionId"),
    "GetObjectAcl": support(f"{_OBJECT} VersionId", "RequestPayer"),
    "PutObjectAcl": support(f"{_OBJECT} VersionId ACL", f"RequestPayer {_XML_BODY}"),
    "CreateMultipartUpload": support(f"{_OBJECT} {_HEADERS} Tagging ACL ChecksumAlgorithm ChecksumType", _STORED),
    "UploadPart": support(
        f"{_OBJECT} Body ContentLength ContentMD5 ChecksumAlgorithm {_SUMS} PartNumber UploadId", "RequestPayer"
    ),
    "UploadPartCopy": support(f"{_OBJECT} {_SOURCE} CopySourceRange PartNumber UploadId", "RequestPayer"),
    "CompleteMultipartUpload": support(
        f"{_OBJECT} MultipartUpload UploadId {_SUMS} ChecksumType MpuObjectSize IfMatch IfNoneMatch", "RequestPayer"
    ),
    "AbortMultipartUpload": support(f"{_OBJECT} UploadId", "RequestPayer"),
    "ListParts": support(f"{_OBJECT} MaxParts PartNumberMarker UploadId", "RequestPayer"),
    "ListMultipartUploads": support(
        f"{_AT} Delimiter EncodingType KeyMarker MaxUploads Prefix UploadIdMarker", "RequestPayer"
    ),
}
