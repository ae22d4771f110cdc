"""Takes orders from a queue, batch by batch: {"item": "tea", "count": 2}.

The answer names the messages that could not be handled. Only they come again; the others are done and leave the queue.
"""

import json


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            take(json.loads(record["body"]))
        except (ValueError, KeyError, TypeError) as error:
            print(f"not taken: {record['messageId']}: {type(error).__name__}: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def take(order):
    print(f"order: {int(order['count'])} x {order['item']}")
