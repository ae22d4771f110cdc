"""What each member of SageMaker's operations means here, nested structures included."""

from __future__ import annotations

from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.sagemaker import ValidationException
from alight.services.members import Support, Table, check, support
from alight.services.sagemaker.acting import check_url

_LISTING = "SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"

CONTROL: Table = {
    "CreateModel": support(
        "ModelName PrimaryContainer Containers ExecutionRoleArn Tags", "EnableNetworkIsolation VpcConfig"
    ),
    "DescribeModel": support("ModelName"),
    "ListModels": support(_LISTING),
    "DeleteModel": support("ModelName"),
    "CreateEndpointConfig": support(
        "EndpointConfigName ProductionVariants ShadowProductionVariants DataCaptureConfig AsyncInferenceConfig "
        "EnableNetworkIsolation ExecutionRoleArn Tags",
        "KmsKeyId VpcConfig MetricsConfig",
    ),
    "DescribeEndpointConfig": support("EndpointConfigName"),
    "ListEndpointConfigs": support(_LISTING),
    "DeleteEndpointConfig": support("EndpointConfigName"),
    "CreateEndpoint": support("EndpointName EndpointConfigName Tags", "DeploymentConfig"),
    "DescribeEndpoint": support("EndpointName"),
    "ListEndpoints": support(f"{_LISTING} LastModifiedTimeBefore LastModifiedTimeAfter StatusEquals"),
    "UpdateEndpoint": support(
        "EndpointName EndpointConfigName RetainAllVariantProperties ExcludeRetainedVariantProperties",
        "DeploymentConfig RetainDeploymentConfig",
    ),
    "UpdateEndpointWeightsAndCapacities": support("EndpointName DesiredWeightsAndCapacities"),
    "DeleteEndpoint": support("EndpointName"),
    "AddTags": support("ResourceArn Tags"),
    "ListTags": support("ResourceArn NextToken MaxResults"),
    "DeleteTags": support("ResourceArn TagKeys"),
}
RUNTIME: Table = {
    "InvokeEndpointWithResponseStream": support(
        "EndpointName Body ContentType Accept CustomAttributes TargetVariant", "InferenceId"
    ),
    "InvokeEndpointAsync": support(
        "EndpointName ContentType Accept CustomAttributes InferenceId InputLocation Body S3OutputPathExtension "
        "Filename RequestTTLSeconds InvocationTimeoutSeconds"
    ),
    "InvokeEndpoint": support(
        "EndpointName Body ContentType Accept CustomAttributes TargetVariant TargetModel InferenceId"
    ),
}
CONTAINER: Support = support(
    "ModelDataUrl ModelDataSource Environment Mode MultiModelConfig",
    "Image ImageConfig ContainerHostname ContainerMetricsConfig",
)
DATA_SOURCE: Support = support("S3Uri S3DataType CompressionType", "ModelAccessConfig ETag ManifestEtag")
WEIGHT: Support = support("VariantName DesiredWeight DesiredInstanceCount", "ServerlessUpdateConfig")
ASYNC: Support = support("ClientConfig OutputConfig")
ASYNC_OUTPUT: Support = support("S3OutputPath S3FailurePath NotificationConfig")
ASYNC_TOLD: Support = support("SuccessTopic ErrorTopic")
CAPTURE: Support = support(
    "EnableCapture InitialSamplingPercentage DestinationS3Uri CaptureOptions CaptureContentTypeHeader"
)
VARIANT: Support = support(
    "VariantName ModelName InitialInstanceCount InitialVariantWeight",
    "InstanceType VolumeSizeInGB ModelDataDownloadTimeoutInSeconds ContainerStartupHealthCheckTimeoutInSeconds "
    "EnableSSMAccess RoutingConfig InferenceAmiVersion ServerlessConfig AcceleratorType CoreDumpConfig",
)


def check_model(given: Members) -> None:
    """Raises `NotImplemented_` for what a model asks and gets nowhere here."""
    if given.get("EnableNetworkIsolation"):
        raise NotImplemented_("Alight does not support EnableNetworkIsolation of sagemaker CreateModel.")
    for container in [given.get("PrimaryContainer"), *(given.get("Containers") or [])]:
        if container:
            _check("CreateModel container", container, CONTAINER)
            if (container.get("MultiModelConfig") or {}).get("ModelCacheSetting", "Enabled") != "Enabled":
                raise NotImplemented_("Alight does not support ModelCacheSetting Disabled of sagemaker CreateModel.")
            if (container.get("Environment") or {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "").startswith("s3://"):
                raise NotImplemented_(
                    "Alight does not support a SAGEMAKER_SUBMIT_DIRECTORY in S3 of sagemaker CreateModel; pack what is "
                    "in it as the folder code/ of model.tar.gz."
                )
            _check_source((container.get("ModelDataSource") or {}).get("S3DataSource") or {})


def check_configuration(given: Members) -> None:
    """The same for an endpoint configuration."""
    if given.get("EnableNetworkIsolation"):
        raise NotImplemented_("Alight does not support EnableNetworkIsolation of sagemaker CreateEndpointConfig.")
    _check("CreateEndpointConfig DataCaptureConfig", given.get("DataCaptureConfig") or {}, CAPTURE)
    if given.get("AsyncInferenceConfig"):
        _check_async(given["AsyncInferenceConfig"])
    for member in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in given.get(member) or []:
            _check(f"CreateEndpointConfig {member}", variant, VARIANT)


def _check_async(config: Members) -> None:
    _check("CreateEndpointConfig AsyncInferenceConfig", config, ASYNC)
    output = config["OutputConfig"]
    _check("CreateEndpointConfig AsyncInferenceConfig OutputConfig", output, ASYNC_OUTPUT)
    _check("CreateEndpointConfig NotificationConfig", output.get("NotificationConfig") or {}, ASYNC_TOLD)
    check_url(output.get("S3OutputPath") or "", "S3OutputPath")
    if output.get("S3FailurePath"):
        check_url(output["S3FailurePath"], "S3FailurePath")


def check_weights(desired: Members) -> None:
    """The same for what a variant is to get, and its numbers."""
    _check("UpdateEndpointWeightsAndCapacities", desired, WEIGHT)
    if desired.get("DesiredWeight", 0.0) < 0 or desired.get("DesiredInstanceCount", 1) < 1:
        raise ValidationException("DesiredWeight must not be negative, DesiredInstanceCount must be 1 at least.")


def _check(operation: str, given: Members, row: Support) -> None:
    check("sagemaker", operation, given, row.honoured, row.neutral)


def _check_source(source: Members) -> None:
    _check("CreateModel S3DataSource", source, DATA_SOURCE)
    if source and (source.get("S3DataType"), source.get("CompressionType")) != ("S3Object", "Gzip"):
        raise NotImplemented_("Alight supports the S3DataSource of one object, compressed with Gzip, only.")
