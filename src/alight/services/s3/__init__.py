"""S3: buckets, objects, multipart uploads, listings and notifications, as AWS's clients know them."""

from alight.services.s3.service import S3

__all__ = ["S3"]
