"""Models and endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Only, Refused, Table
from alight.stacks.tables.kinds import FLAG, MAPPING, N_WHOLE, NO_OWN_KEYS, NUMBER, TAGS, TEXT, TEXTS, WHOLE, N

_CONTAINER = {
    "ModelDataUrl": TEXT,
    "Environment": MAPPING,
    "Image": N,  # the archive itself says how it is served
    "ContainerHostname": N,
    "ImageConfig": N,
    "Mode": TEXT,
    "ModelDataSource": {
        "S3DataSource": {
            "S3Uri": TEXT,
            "S3DataType": Only(("S3Object",), "one archive is offered, not a prefix."),
            "CompressionType": Only(("Gzip",), "one archive is offered, not a prefix."),
        }
    },
    "MultiModelConfig": {"ModelCacheSetting": Only(("Enabled",), "models stay loaded for as long as there is room.")},
    "ModelPackageName": Refused("the model registry is not offered; give ModelDataUrl."),
    "InferenceSpecificationName": Refused("the model registry is not offered."),
}
_MODEL: Table = {
    "ModelName": TEXT,
    "PrimaryContainer": _CONTAINER,
    "Containers": Refused("inference pipelines are not offered; give PrimaryContainer."),
    "InferenceExecutionConfig": Refused("inference pipelines are not offered."),
    "ExecutionRoleArn": TEXT,
    "EnableNetworkIsolation": Only(("false",), "replicas are not cut off from the network.", neutral=True),
    "VpcConfig": N,
    "Tags": TAGS,
}
_VARIANT = {
    "VariantName": TEXT,
    "ModelName": TEXT,
    "InitialInstanceCount": WHOLE,
    "InitialVariantWeight": NUMBER,
    "InstanceType": N,  # the machine is the one that runs this
    "AcceleratorType": N,
    "ContainerStartupHealthCheckTimeoutInSeconds": N_WHOLE,
    "ModelDataDownloadTimeoutInSeconds": N_WHOLE,
    "EnableSSMAccess": N,
    "VolumeSizeInGB": N_WHOLE,
    "InferenceAmiVersion": N,
    "ServerlessConfig": N,  # replicas answer as they do for instances
    "ManagedInstanceScaling": Refused("scaling by load is not offered yet."),
    "RoutingConfig": N,
}
_CAPTURE = {
    "EnableCapture": FLAG,
    "InitialSamplingPercentage": WHOLE,
    "DestinationS3Uri": TEXT,
    "CaptureOptions": [{"CaptureMode": TEXT}],
    "CaptureContentTypeHeader": {"CsvContentTypes": TEXTS, "JsonContentTypes": TEXTS},
    "KmsKeyId": NO_OWN_KEYS,
}
_ASYNC = {
    "ClientConfig": {"MaxConcurrentInvocationsPerInstance": WHOLE},
    "OutputConfig": {
        "S3OutputPath": TEXT,
        "S3FailurePath": TEXT,
        "NotificationConfig": {
            "SuccessTopic": TEXT,
            "ErrorTopic": TEXT,
            "IncludeInferenceResponseIn": Refused("messages carry the place of the response only."),
        },
        "KmsKeyId": NO_OWN_KEYS,
    },
}
_ENDPOINT_CONFIG: Table = {
    "EndpointConfigName": TEXT,
    "ProductionVariants": [_VARIANT],
    "ShadowProductionVariants": [_VARIANT],
    "DataCaptureConfig": _CAPTURE,
    "AsyncInferenceConfig": _ASYNC,
    "ExplainerConfig": Refused("explainers are not offered."),
    "VpcConfig": N,
    "EnableNetworkIsolation": Only(("false",), "replicas are not cut off from the network.", neutral=True),
    "ExecutionRoleArn": TEXT,
    "KmsKeyId": N,
    "Tags": TAGS,
}
_ENDPOINT: Table = {
    "EndpointName": TEXT,
    "EndpointConfigName": TEXT,
    "DeploymentConfig": N,
    "ExcludeRetainedVariantProperties": [{"VariantPropertyType": TEXT}],
    "RetainAllVariantProperties": FLAG,
    "RetainDeploymentConfig": N,
    "Tags": TAGS,
}

TABLES: Mapping[str, Table] = {
    "AWS::SageMaker::Endpoint": _ENDPOINT,
    "AWS::SageMaker::EndpointConfig": _ENDPOINT_CONFIG,
    "AWS::SageMaker::Model": _MODEL,
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::SageMaker::Endpoint": ("EndpointConfigName",),
    "AWS::SageMaker::EndpointConfig": (
        "ProductionVariants",
        "ProductionVariants.*.VariantName",
        "ProductionVariants.*.ModelName",
    ),
    "AWS::SageMaker::Model": ("PrimaryContainer",),
}
