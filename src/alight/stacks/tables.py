"""The table of every resource type: which property is honoured (H), neutral (N) or refused, and why.

Pure data: `properties` reads it at plan time, and the coverage page is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Honoured, Neutral, Only, Refused, Table

H = Honoured()
TEXT, TEXTS, DOCUMENT = Honoured("text"), Honoured("texts"), Honoured("document")
WHOLE, NUMBER, FLAG, MAPPING = Honoured("whole"), Honoured("number"), Honoured("flag"), Honoured("mapping")
N = Neutral()
TAGS, N_TEXT, N_WHOLE = Neutral("tags"), Neutral("text"), Neutral("whole")
_KMS = Refused("encryption with your own keys is not offered; protect the data folder's disk instead.")

_RULES = {"S3Key": {"Rules": [{"Name": TEXT, "Value": TEXT}]}}
_BUCKET: Table = {
    "BucketName": TEXT,
    "NotificationConfiguration": {
        "LambdaConfigurations": [{"Event": TEXT, "Function": TEXT, "Filter": _RULES}],
        "TopicConfigurations": [{"Event": TEXT, "Topic": TEXT, "Filter": _RULES}],
        "QueueConfigurations": [{"Event": TEXT, "Queue": TEXT, "Filter": _RULES}],
        "EventBridgeConfiguration": Refused("there is no EventBridge here; name the function, topic or queue."),
    },
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {
                "BucketKeyEnabled": N,
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": Only(("AES256",), "only AES256 (S3's default) is taken.", neutral=True),
                    "KMSMasterKeyID": _KMS,
                },
            }
        ]
    },
    "PublicAccessBlockConfiguration": N,  # nothing is public here that a policy did not open
    "OwnershipControls": N,  # one account owns everything
    "VersioningConfiguration": {"Status": Only(("Suspended",), "versioning is not offered yet.", neutral=True)},
    "AccessControl": Only(("Private", "BucketOwnerFullControl"), "public buckets are not offered yet.", neutral=True),
    "CorsConfiguration": Refused("CORS of buckets is not offered yet."),
    "WebsiteConfiguration": Refused("static websites are not offered yet."),
    "LifecycleConfiguration": Refused("lifecycle rules are not offered yet: nothing would expire."),
    "ReplicationConfiguration": Refused("replication is not offered."),
    "ObjectLockEnabled": Only(("false",), "object lock is not offered: objects could be deleted.", neutral=True),
    "ObjectLockConfiguration": Refused("object lock is not offered: objects could be deleted."),
    "LoggingConfiguration": Refused("access logs into a bucket are not offered."),
    "InventoryConfigurations": Refused("inventories are not offered."),
    "AccelerateConfiguration": N,
    "AnalyticsConfigurations": N,
    "IntelligentTieringConfigurations": N,
    "MetricsConfigurations": N,
    "Tags": TAGS,
}

_FUNCTION: Table = {
    "FunctionName": TEXT,
    "Code": {
        "Local": TEXT,
        "ZipFile": TEXT,
        "S3Bucket": TEXT,
        "S3Key": TEXT,
        "S3ObjectVersion": Refused("versioning of buckets is not offered yet."),
        "ImageUri": Refused("container images need a container engine; use a folder or a zip."),
        "SourceKMSKeyArn": _KMS,
    },
    "Handler": TEXT,
    "Runtime": TEXT,
    "Role": TEXT,
    "Timeout": WHOLE,
    "MemorySize": WHOLE,
    "Environment": {"Variables": MAPPING},
    "Description": TEXT,
    "ReservedConcurrentExecutions": WHOLE,
    "DeadLetterConfig": Refused("what fails for good is kept (alight events); a target of its own is not offered yet."),
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
    "Tags": TAGS,
    "RuntimeManagementConfig": N,
    "RecursiveLoop": Only(("Terminate",), "loops are always ended.", neutral=True),
    "SnapStart": {"ApplyOn": Only(("None",), "workers start in milliseconds; there are no snapshots.", neutral=True)},
    "Layers": Refused("layers are not offered yet; put the packages into requirements.txt."),
    "ImageConfig": Refused("container images need a container engine."),
    "VpcConfig": Refused("there is no VPC here: the function would see other networks than its template says."),
    "FileSystemConfigs": Refused("EFS is not offered."),
    "KmsKeyArn": _KMS,
    "CodeSigningConfigArn": Refused("code signing is not offered: unsigned code would run."),
}

_PERMISSION: Table = {
    "FunctionName": TEXT,
    "Action": TEXT,
    "Principal": TEXT,
    "SourceArn": TEXT,
    "SourceAccount": TEXT,
    "EventSourceToken": Refused("is not offered."),
    "FunctionUrlAuthType": Refused("function URLs are not offered yet."),
    "PrincipalOrgID": Refused("there are no organisations here."),
}

_EVENT_INVOKE_CONFIG: Table = {
    "FunctionName": TEXT,
    "Qualifier": Only(("$LATEST",), "versions of functions are not offered yet."),
    "MaximumRetryAttempts": WHOLE,
    "MaximumEventAgeInSeconds": WHOLE,
    "DestinationConfig": Refused("destinations are not offered yet."),
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

_ROLE: Table = {
    "RoleName": TEXT,
    "Path": TEXT,
    "AssumeRolePolicyDocument": DOCUMENT,
    "Policies": [{"PolicyName": TEXT, "PolicyDocument": DOCUMENT}],
    "ManagedPolicyArns": TEXTS,
    "Description": N_TEXT,
    "MaxSessionDuration": N_WHOLE,
    "Tags": TAGS,
    "PermissionsBoundary": Refused("would narrow what the role may do; not offered yet."),
}
_USERS = Refused("there are no users here, only the owner and roles.")
_POLICY: Table = {"PolicyName": TEXT, "PolicyDocument": DOCUMENT, "Roles": TEXTS, "Users": _USERS, "Groups": _USERS}
_MANAGED_POLICY: Table = {
    "ManagedPolicyName": TEXT,
    "PolicyDocument": DOCUMENT,
    "Path": TEXT,
    "Roles": TEXTS,
    "Users": _USERS,
    "Groups": _USERS,
    "Description": N_TEXT,
    "Tags": TAGS,
}

_FIFO = "first-in-first-out is not offered yet."
_TOPIC: Table = {
    "TopicName": TEXT,
    "DisplayName": TEXT,
    "Subscription": [{"Protocol": TEXT, "Endpoint": TEXT}],
    "SignatureVersion": TEXT,
    "DeliveryStatusLogging": N,
    "TracingConfig": N,
    "Tags": TAGS,
    "FifoTopic": Only(("false",), _FIFO, neutral=True),
    "ContentBasedDeduplication": Refused(_FIFO),
    "FifoThroughputScope": Refused(_FIFO),
    "ArchivePolicy": Refused("archives of topics are not offered."),
    "DataProtectionPolicy": Refused("would hide parts of messages; not offered."),
    "KmsMasterKeyId": N,
}
_SUBSCRIPTION: Table = {
    "TopicArn": TEXT,
    "Protocol": TEXT,
    "Endpoint": TEXT,
    "FilterPolicy": DOCUMENT,
    "FilterPolicyScope": TEXT,
    "RawMessageDelivery": FLAG,
    "RedrivePolicy": DOCUMENT,
    "DeliveryPolicy": DOCUMENT,
    "Region": N,
    "SubscriptionRoleArn": N,
    "ReplayPolicy": Refused("replay of topics is not offered."),
}

_QUEUE: Table = {
    "QueueName": TEXT,
    "DelaySeconds": WHOLE,
    "MaximumMessageSize": WHOLE,
    "MessageRetentionPeriod": WHOLE,
    "ReceiveMessageWaitTimeSeconds": WHOLE,
    "RedrivePolicy": DOCUMENT,
    "VisibilityTimeout": WHOLE,
    "RedriveAllowPolicy": N,
    "SqsManagedSseEnabled": N,
    "Tags": TAGS,
    "FifoQueue": Only(("false",), _FIFO, neutral=True),
    "ContentBasedDeduplication": Refused(_FIFO),
    "DeduplicationScope": Refused(_FIFO),
    "FifoThroughputLimit": Refused(_FIFO),
    "KmsMasterKeyId": N,
    "KmsDataKeyReusePeriodSeconds": N,
}

_CONTAINER = {
    "ModelDataUrl": TEXT,
    "Environment": MAPPING,
    "Image": N,  # the archive itself says how it is served
    "ContainerHostname": N,
    "ImageConfig": N,
    "Mode": Only(("SingleModel",), "one model per container is offered.", neutral=True),
    "ModelDataSource": Refused("is not offered; give ModelDataUrl."),
    "MultiModelConfig": Refused("one model per container is offered."),
    "ModelPackageName": Refused("the model registry is not offered; give ModelDataUrl."),
    "InferenceSpecificationName": Refused("the model registry is not offered."),
}
_MODEL: Table = {
    "ModelName": TEXT,
    "PrimaryContainer": _CONTAINER,
    "Containers": Refused("inference pipelines are not offered; give PrimaryContainer."),
    "InferenceExecutionConfig": Refused("inference pipelines are not offered."),
    "ExecutionRoleArn": N,
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
_ENDPOINT_CONFIG: Table = {
    "EndpointConfigName": TEXT,
    "ProductionVariants": [_VARIANT],
    "ShadowProductionVariants": Refused("shadow variants are not offered yet."),
    "DataCaptureConfig": Refused("data capture is not offered yet."),
    "AsyncInferenceConfig": Refused("asynchronous endpoints are not offered yet."),
    "ExplainerConfig": Refused("explainers are not offered."),
    "VpcConfig": N,
    "EnableNetworkIsolation": Only(("false",), "replicas are not cut off from the network.", neutral=True),
    "ExecutionRoleArn": N,
    "KmsKeyId": N,
    "Tags": TAGS,
}
_ENDPOINT: Table = {
    "EndpointName": TEXT,
    "EndpointConfigName": TEXT,
    "DeploymentConfig": N,
    "ExcludeRetainedVariantProperties": N,
    "RetainAllVariantProperties": Only(("false",), "is not offered.", neutral=True),
    "RetainDeploymentConfig": N,
    "Tags": TAGS,
}

TABLES: Mapping[str, Table] = {
    "AWS::IAM::ManagedPolicy": _MANAGED_POLICY,
    "AWS::IAM::Policy": _POLICY,
    "AWS::IAM::Role": _ROLE,
    "AWS::Lambda::Alias": {
        "FunctionName": TEXT,
        "FunctionVersion": TEXT,
        "Name": TEXT,
        "Description": TEXT,
        "ProvisionedConcurrencyConfig": N,  # workers stay warm as it is
        "RoutingConfig": Refused("weighted versions are not offered yet."),
    },
    "AWS::Lambda::EventInvokeConfig": _EVENT_INVOKE_CONFIG,
    "AWS::Lambda::EventSourceMapping": _EVENT_SOURCE_MAPPING,
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Lambda::Permission": _PERMISSION,
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
        "KmsKeyId": _KMS,
        "Tags": TAGS,
        "LogGroupClass": N,
        "DeletionProtectionEnabled": Only(("false",), "is not offered.", neutral=True),
        "DataProtectionPolicy": Refused("would hide parts of the log; not offered."),
        "FieldIndexPolicies": N,
        "ResourcePolicyDocument": Refused("is not offered."),
    },
    "AWS::S3::Bucket": _BUCKET,
    "AWS::SNS::Subscription": _SUBSCRIPTION,
    "AWS::SNS::Topic": _TOPIC,
    "AWS::SNS::TopicPolicy": {"PolicyDocument": N, "Topics": TEXTS},
    "AWS::SQS::Queue": _QUEUE,
    "AWS::SQS::QueuePolicy": {"PolicyDocument": N, "Queues": TEXTS},
    "AWS::SageMaker::Endpoint": _ENDPOINT,
    "AWS::SageMaker::EndpointConfig": _ENDPOINT_CONFIG,
    "AWS::SageMaker::Model": _MODEL,
}

_RULE = "NotificationConfiguration.{0}Configurations.*.{1}"
#: Properties that must be there (`*`: in every item), where what holds them is.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::ManagedPolicy": ("PolicyDocument",),
    "AWS::IAM::Policy": ("PolicyName", "PolicyDocument"),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument", "Policies.*.PolicyName", "Policies.*.PolicyDocument"),
    "AWS::Lambda::Alias": ("FunctionName", "FunctionVersion", "Name"),
    "AWS::Lambda::EventInvokeConfig": ("FunctionName", "Qualifier"),
    "AWS::Lambda::EventSourceMapping": ("FunctionName", "EventSourceArn"),
    "AWS::Lambda::Function": ("Code", "Role", "Handler", "Runtime"),
    "AWS::Lambda::Permission": ("FunctionName", "Action", "Principal"),
    "AWS::Lambda::Version": ("FunctionName",),
    "AWS::S3::Bucket": (
        *(_RULE.format(kind, "Event") for kind in ("Lambda", "Topic", "Queue")),
        *(
            _RULE.format(kind, target)
            for kind, target in (("Lambda", "Function"), ("Topic", "Topic"), ("Queue", "Queue"))
        ),
    ),
    "AWS::SNS::Subscription": ("TopicArn", "Protocol"),
    "AWS::SNS::Topic": ("Subscription.*.Protocol", "Subscription.*.Endpoint"),
    "AWS::SNS::TopicPolicy": ("PolicyDocument", "Topics"),
    "AWS::SQS::QueuePolicy": ("PolicyDocument", "Queues"),
    "AWS::SageMaker::Endpoint": ("EndpointConfigName",),
    "AWS::SageMaker::EndpointConfig": (
        "ProductionVariants",
        "ProductionVariants.*.VariantName",
        "ProductionVariants.*.ModelName",
    ),
    "AWS::SageMaker::Model": ("PrimaryContainer",),
}

#: Types that templates of this kind often hold, with what to say of them.
REFUSED_TYPES: Mapping[str, str] = {
    "AWS::ApiGateway::": "HTTP APIs are not offered yet.",
    "AWS::ApiGatewayV2::": "HTTP APIs are not offered yet.",
    "AWS::CloudFormation::CustomResource": "custom resources are not offered yet.",
    "AWS::CloudFormation::Stack": "nested stacks are not offered; put the resources into this template.",
    "AWS::Events::": "EventBridge (schedules, rules) is not offered yet.",
    "AWS::Lambda::LayerVersion": "layers are not offered yet; put the packages into requirements.txt.",
    "AWS::Lambda::Url": "function URLs are not offered yet.",
    "AWS::S3::BucketPolicy": "bucket policies are not offered yet; roles say who may do what.",
    "AWS::Scheduler::": "schedules are not offered yet.",
    "Custom::": "custom resources are not offered yet.",
}


def refusal_of(type_name: str) -> str | None:
    """Why a type cannot be applied, or None where it can."""
    if type_name in TABLES:
        return None
    for prefix, why in REFUSED_TYPES.items():
        if type_name.startswith(prefix):
            return f"{type_name}: {why}"
    return f"{type_name} is not offered."
