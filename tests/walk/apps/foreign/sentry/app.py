"""A handler that is watched by Sentry's SDK; what would be sent is printed instead."""

import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.transport import Transport


class Printed(Transport):
    def capture_envelope(self, envelope):
        if event := envelope.get_event():
            [raised] = event["exception"]["values"]
            told = event["extra"]["lambda"]
            print("reported", raised["type"], raised["value"], told["aws_request_id"], told["function_name"])


sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Printed, integrations=[AwsLambdaIntegration()])


def handler(event, context):
    raise LookupError(event)
