"""The module `cfnresponse` as functions import it: it goes into the package of inline code, as on AWS.

It runs in the function's own Python, so it needs the standard library and nothing else. `send` answers the request
`event` of a custom resource: `responseData` becomes its attributes, `physicalResourceId` its `Ref` (the log stream's
name, where none is given).
"""

from __future__ import annotations

import json
import sys
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):  # type: ignore[no-untyped-def]
    """Put the answer where the request asks for it; what goes wrong with that is printed."""
    stream = context.log_stream_name
    body = {
        "Status": responseStatus,
        "Reason": reason or "See the details in CloudWatch Log Stream: " + stream,
        "PhysicalResourceId": physicalResourceId or stream,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    text = json.dumps(body)
    if not noEcho:
        sys.stdout.write("Response body: " + text + "\n")
    request = urllib.request.Request(event["ResponseURL"], text.encode("utf-8"), {"content-type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            sys.stdout.write("Status code: " + str(answer.status) + "\n")
    except Exception as error:
        sys.stdout.write("send(..) failed: " + str(error) + "\n")
