"""Greets what lands in the bucket, and whoever invokes it by hand."""

from urllib.parse import unquote_plus


def handler(event, context):
    if "Records" not in event:
        return {"greeting": f"Hello, {event.get('name', 'world')}!"}
    for record in event["Records"]:
        key = unquote_plus(record["s3"]["object"]["key"])
        print(f"Hello, {key} ({record['s3']['object']['size']} bytes)!")
