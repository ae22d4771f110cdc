"""Handlers as the handbook of Powertools for AWS Lambda shows them: decorators, data classes, a batch, a router."""

import importlib
import json
from urllib.parse import unquote_plus

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, APIGatewayRestResolver
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes import S3Event, SNSEvent, event_source
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.models import S3Model, SnsModel
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
tracer = Tracer()
metrics = Metrics()
processor = BatchProcessor(event_type=EventType.SQS)
rest_app = APIGatewayRestResolver(strip_prefixes=["/my"])
http_app = APIGatewayHttpResolver()


def read(record):
    """All that the data class of one S3 record tells, and the key as a person wrote it."""
    return {
        "key": unquote_plus(record.s3.get_object.key),
        "bucket": record.s3.bucket.name,
        "arn": record.s3.bucket.arn,
        "owner": record.s3.bucket.owner_identity.principal_id,
        "size": record.s3.get_object.size,
        "etag": record.s3.get_object.etag,
        "version": record.s3.get_object.version_id,
        "sequencer": record.s3.get_object.sequencer,
        "event": record.event_name,
        "source": record.event_source,
        "region": record.aws_region,
        "time": record.event_time,
        "who": record.user_identity.principal_id,
        "ip": record.request_parameters.source_ip_address,
        "request": record.response_elements["x-amz-request-id"],
        "schema": record.s3.s3_schema_version,
    }


@logger.inject_lambda_context(log_event=True, correlation_id_path='Records[0].responseElements."x-amz-request-id"')
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
@event_source(data_class=S3Event)
def on_put(event: S3Event, context: LambdaContext):
    body = boto3.client("s3").get_object(Bucket=event.bucket_name, Key=event.object_key)["Body"].read()
    logger.info("read", extra={"length": len(body)})
    metrics.add_metric(name="Pictures", unit=MetricUnit.Count, value=1)
    return [read(record) | {"body": body.decode()} for record in event.records]


@event_parser(model=S3Model)
def parsed(event: S3Model, context: LambdaContext):
    """Pydantic has judged every field by now."""
    [record] = event.Records
    return {"key": record.s3.object.key, "event": record.eventName, "size": record.s3.object.size}


@event_source(data_class=SNSEvent)
def on_told(event: SNSEvent, context: LambdaContext):
    [record] = SnsModel.model_validate(event.raw_event).Records
    told = S3Event(json.loads(event.sns_message))
    return {"subject": record.Sns.Subject, "topic": record.Sns.TopicArn, "records": [read(r) for r in told.records]}


def take(record: SQSRecord):
    if record.body == "spoilt":
        raise ValueError("spoilt")
    logger.info(
        "taken", extra={"keys": [read(r)["key"] for r in nested(record)], "sent": record.attributes.sent_timestamp}
    )


def nested(record):
    """A record from a bucket, straight or through a topic."""
    if "TopicArn" in record.json_body:
        return S3Event(json.loads(record.decoded_nested_sns_event.message)).records
    return record.decoded_nested_s3_event.records


@logger.inject_lambda_context
def batch(event, context: LambdaContext):
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)


def sample(event, context: LambdaContext):
    """The class that the caller names reads the event; what it kept and what it has read go back."""
    module, name = context.client_context.custom["class"].split(":")
    package = "aws_lambda_powertools.utilities.data_classes"
    event = getattr(importlib.import_module(f"{package}.{module}"), name)(event)
    return {"event": event.raw_event, "read": [str(item) for item in (event, *getattr(event, "records", ()))]}


@rest_app.get("/path")
@http_app.get("/my/path")
@http_app.post("/my/path")
def path():
    app = http_app if "rawPath" in (http_app.current_event or {}) else rest_app
    return {"query": app.current_event.query_string_parameters, "header": app.current_event.headers["Header1"]}


@logger.inject_lambda_context
def rest(event, context: LambdaContext):
    return (http_app if event.get("version") == "2.0" else rest_app).resolve(event, context)
