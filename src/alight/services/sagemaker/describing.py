"""How an endpoint is described: what its record says, and what runs of it now."""

from __future__ import annotations

from alight.calls import Members
from alight.endpoints.spec import EndpointStatus, VariantStatus
from alight.services.sagemaker.ledger import ENDPOINT, arn, moment
from alight.store.records import Record


def summary(record: Record) -> Members:
    """As lists show it."""
    return {
        "EndpointName": record.name,
        "EndpointArn": arn(ENDPOINT, record.name),
        "EndpointStatus": record.body["EndpointStatus"],
        "CreationTime": moment(record.created),
        "LastModifiedTime": moment(record.modified),
    }


def description(record: Record, status: EndpointStatus | None) -> Members:
    """All of it. `status` is None where nothing of it was deployed since the start."""
    body = record.body
    running = {variant.name: variant for variant in status.variants} if status else {}
    wanted = body["Wanted"] or {}
    desired = {part["name"]: part for part in wanted.get("Variants", [])}
    parts = body["Variants"] or list(desired.values())
    described: Members = {**summary(record), "EndpointConfigName": body["EndpointConfigName"]}
    if parts:
        described["ProductionVariants"] = [
            _variant(part, running.get(part["name"]), record, desired.get(part["name"], part)) for part in parts
        ]
    if shadows := body.get("Shadows"):
        described["ShadowProductionVariants"] = [
            _variant(part, running.get(part["name"]), record, part) for part in shadows
        ]
    if body.get("AsyncInferenceConfig"):
        described["AsyncInferenceConfig"] = body["AsyncInferenceConfig"]
    if capture := body.get("DataCaptureConfig"):
        described["DataCaptureConfig"] = _capture(capture)
    if body["Variants"] and wanted:
        described["PendingDeploymentSummary"] = {
            "EndpointConfigName": wanted["EndpointConfigName"],
            "StartTime": moment(record.modified),
            "ProductionVariants": [_pending(part, record) for part in wanted["Variants"]],
        }
    if body.get("DeploymentConfig"):
        described["LastDeploymentConfig"] = body["DeploymentConfig"]
    if body["FailureReason"]:
        described["FailureReason"] = body["FailureReason"]
    return described


def _variant(part: Members, running: VariantStatus | None, record: Record, desired: Members) -> Members:
    shown: Members = {
        "VariantName": part["name"],
        "DeployedImages": _images(part, record),
        "CurrentWeight": running.weight if running else part["weight"],
        "DesiredWeight": desired["weight"],
        "CurrentInstanceCount": part["instances"] if running else 0,
        "DesiredInstanceCount": desired["instances"],
    }
    settings = part.get("settings") or {}
    if "ServerlessConfig" in settings:
        shown["CurrentServerlessConfig"] = shown["DesiredServerlessConfig"] = settings["ServerlessConfig"]
    if "RoutingConfig" in settings:
        shown["RoutingConfig"] = settings["RoutingConfig"]
    return shown


def _pending(part: Members, record: Record) -> Members:
    """A variant of a deployment that is under way; nothing of it answers yet."""
    settings = part.get("settings") or {}
    return {
        "VariantName": part["name"],
        "DeployedImages": _images(part, record),
        "CurrentWeight": 0.0,
        "DesiredWeight": part["weight"],
        "CurrentInstanceCount": 0,
        "DesiredInstanceCount": part["instances"],
        "VariantStatus": [{"Status": "Creating", "StartTime": moment(record.modified)}],
        **({"InstanceType": settings["InstanceType"]} if "InstanceType" in settings else {}),
    }


def _capture(settings: Members) -> Members:
    enabled = settings.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": settings["InitialSamplingPercentage"],
        "DestinationS3Uri": settings["DestinationS3Uri"],
        "KmsKeyId": "",
    }


def _images(part: Members, record: Record) -> list[Members]:
    if not part["image"]:
        return []
    image = part["image"]
    return [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": moment(record.created)}]
