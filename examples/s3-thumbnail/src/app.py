"""Makes a thumbnail of every picture that lands under uploads/.

Settings (environment):
    LONGEST  pixels of a thumbnail's longer side (256)

What is no picture fails: it is tried again, and then kept as a dead letter with its reason.
"""

import io
import os
from pathlib import PurePosixPath
from urllib.parse import unquote_plus

import boto3
from PIL import Image, ImageOps

s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        picture = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        small = thumbnail(picture, int(os.environ.get("LONGEST", "256")))
        place = f"thumbnails/{PurePosixPath(key).relative_to('uploads').with_suffix('.jpg')}"
        s3.put_object(Bucket=bucket, Key=place, Body=small, ContentType="image/jpeg")
        print(f"{key} -> {place} ({len(small)} bytes)")


def thumbnail(picture, longest):
    """A JPEG that is `longest` pixels long at most, upright."""
    with Image.open(io.BytesIO(picture)) as image:
        # JPEGs are decoded at the smallest size that is still large enough.
        image.draft("RGB", (longest, longest))
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((longest, longest))
        out = io.BytesIO()
        upright.convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()
