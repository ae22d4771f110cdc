"""Functions and what is attached to them, and where they log."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Honoured, Neutral, Only, Refused, Table
from alight.stacks.tables.kinds import FLAG, MAPPING, N_WHOLE, NO_OWN_KEYS, NUMBER, TAGS, TEXT, TEXTS, WHOLE, N

_FUNCTION: Table = {
    "FunctionName": TEXT,
    "Code": {
        "Local": TEXT,
        "ZipFile": TEXT,
        "S3Bucket": TEXT,
        "S3Key": TEXT,
        "S3ObjectVersion": TEXT,
        "ImageUri": Refused("container images need a container engine; use a folder or a zip."),
        "SourceKMSKeyArn": NO_OWN_KEYS,
    },
    "Handler": TEXT,
    "Runtime": TEXT,
    "Role": TEXT,
    "Timeout": WHOLE,
    "MemorySize": WHOLE,
    "Environment": {"Variables": MAPPING},
    "Description": TEXT,
    "ReservedConcurrentExecutions": WHOLE,
    "DeadLetterConfig": {"TargetArn": TEXT},
    "LoggingConfig": {
        "LogGroup": TEXT,
        "LogFormat": Only(("Text",), "only Text is offered.", neutral=True),
        "ApplicationLogLevel": Refused("filters the log by level: not offered."),
        "SystemLogLevel": Refused("filters the log by level: not offered."),
    },
    "PackageType": Only(("Zip",), "container images need a container engine; use a folder or a zip."),
    "Architectures": Neutral("texts"),
    "EphemeralStorage": {"Size": N_WHOLE},
    "TracingConfig": N,
    "Tags": Honoured("tags"),
    "RuntimeManagementConfig": N,
    "RecursiveLoop": Only(("Allow", "Terminate"), "AWS knows Allow and Terminate."),
    "SnapStart": {"ApplyOn": Only(("None",), "workers start in milliseconds; there are no snapshots.", neutral=True)},
    "Layers": TEXTS,
    "ImageConfig": Refused("container images need a container engine."),
    "VpcConfig": Refused("there is no VPC here: the function would see other networks than its template says."),
    "FileSystemConfigs": Refused("EFS is not offered."),
    "KmsKeyArn": NO_OWN_KEYS,
    "CodeSigningConfigArn": Refused("code signing is not offered: unsigned code would run."),
}

_PERMISSION: Table = {
    "FunctionName": TEXT,
    "Action": TEXT,
    "Principal": TEXT,
    "SourceArn": TEXT,
    "SourceAccount": TEXT,
    "EventSourceToken": Refused("is not offered."),
    "FunctionUrlAuthType": TEXT,
    "InvokedViaFunctionUrl": FLAG,
    "PrincipalOrgID": Refused("there are no organisations here."),
}

_EVENT_INVOKE_CONFIG: Table = {
    "FunctionName": TEXT,
    "Qualifier": TEXT,
    "MaximumRetryAttempts": WHOLE,
    "MaximumEventAgeInSeconds": WHOLE,
    "DestinationConfig": {"OnSuccess": {"Destination": TEXT}, "OnFailure": {"Destination": TEXT}},
}

_EVENT_SOURCE_MAPPING: Table = {
    "FunctionName": TEXT,
    "EventSourceArn": TEXT,
    "BatchSize": WHOLE,
    "MaximumBatchingWindowInSeconds": WHOLE,
    "Enabled": FLAG,
    "FilterCriteria": MAPPING,
    "FunctionResponseTypes": TEXTS,
    "ScalingConfig": MAPPING,
    "Tags": TAGS,
}

_URL: Table = {
    "TargetFunctionArn": TEXT,
    "Qualifier": TEXT,
    "AuthType": TEXT,
    "Cors": {
        "AllowCredentials": FLAG,
        "AllowHeaders": TEXTS,
        "AllowMethods": TEXTS,
        "AllowOrigins": TEXTS,
        "ExposeHeaders": TEXTS,
        "MaxAge": WHOLE,
    },
    "InvokeMode": Only(("BUFFERED",), "answers are not streamed yet."),
}

TABLES: Mapping[str, Table] = {
    "AWS::Lambda::Alias": {
        "FunctionName": TEXT,
        "FunctionVersion": TEXT,
        "Name": TEXT,
        "Description": TEXT,
        "ProvisionedConcurrencyConfig": N,  # workers stay warm as it is
        "RoutingConfig": {"AdditionalVersionWeights": [{"FunctionVersion": TEXT, "FunctionWeight": NUMBER}]},
    },
    "AWS::Lambda::EventInvokeConfig": _EVENT_INVOKE_CONFIG,
    "AWS::Lambda::EventSourceMapping": _EVENT_SOURCE_MAPPING,
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Lambda::LayerVersion": {
        "LayerName": TEXT,
        "Description": TEXT,
        "Content": {
            "Local": TEXT,
            "S3Bucket": TEXT,
            "S3Key": TEXT,
            "S3ObjectVersion": TEXT,
        },
        "CompatibleRuntimes": TEXTS,
        "CompatibleArchitectures": TEXTS,
        "LicenseInfo": Neutral("text"),
    },
    "AWS::Lambda::Permission": _PERMISSION,
    "AWS::Lambda::Url": _URL,
    "AWS::Lambda::Version": {
        "FunctionName": TEXT,
        "Description": TEXT,
        "CodeSha256": TEXT,
        "ProvisionedConcurrencyConfig": N,
        "RuntimePolicy": N,
    },
    "AWS::Logs::LogGroup": {
        "LogGroupName": TEXT,
        "RetentionInDays": WHOLE,
        "KmsKeyId": NO_OWN_KEYS,
        "Tags": TAGS,
        "LogGroupClass": N,
        "DeletionProtectionEnabled": Only(("false",), "is not offered.", neutral=True),
        "DataProtectionPolicy": Refused("would hide parts of the log; not offered."),
        "FieldIndexPolicies": N,
        "ResourcePolicyDocument": Refused("is not offered."),
    },
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::Lambda::Alias": ("FunctionName", "FunctionVersion", "Name"),
    "AWS::Lambda::EventInvokeConfig": (
        "FunctionName",
        "Qualifier",
        "DestinationConfig.OnSuccess.Destination",
        "DestinationConfig.OnFailure.Destination",
    ),
    "AWS::Lambda::EventSourceMapping": ("FunctionName", "EventSourceArn"),
    "AWS::Lambda::Function": ("Code", "Role", "Handler", "Runtime"),
    "AWS::Lambda::LayerVersion": ("Content",),
    "AWS::Lambda::Permission": ("FunctionName", "Action", "Principal"),
    "AWS::Lambda::Url": ("TargetFunctionArn", "AuthType"),
    "AWS::Lambda::Version": ("FunctionName",),
}
