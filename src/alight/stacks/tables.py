"""The table of every resource type: which property is honoured (H), neutral (N) or refused, and why.

Pure data: `properties` reads it at plan time, and the coverage page is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Honoured, Neutral, Only, Refused, Table

H = Honoured()
N = Neutral()
_KMS = Refused("encryption with your own keys is not offered; protect the data folder's disk instead.")

_RULES = {"S3Key": {"Rules": [{"Name": H, "Value": H}]}}
_BUCKET: Table = {
    "BucketName": H,
    "NotificationConfiguration": {
        "LambdaConfigurations": [{"Event": H, "Function": H, "Filter": _RULES}],
        "TopicConfigurations": [{"Event": H, "Topic": H, "Filter": _RULES}],
        "QueueConfigurations": [{"Event": H, "Queue": H, "Filter": _RULES}],
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
    "Tags": N,
}

_FUNCTION: Table = {
    "FunctionName": H,
    "Code": {
        "Local": H,
        "ZipFile": H,
        "S3Bucket": H,
        "S3Key": H,
        "S3ObjectVersion": Refused("versioning of buckets is not offered yet."),
        "ImageUri": Refused("container images need a container engine; use a folder or a zip."),
        "SourceKMSKeyArn": _KMS,
    },
    "Handler": H,
    "Runtime": H,
    "Role": H,
    "Timeout": H,
    "MemorySize": H,
    "Environment": {"Variables": H},
    "Description": H,
    "ReservedConcurrentExecutions": H,
    "DeadLetterConfig": Refused("what fails for good is kept (alight events); a target of its own is not offered yet."),
    "LoggingConfig": {
        "LogGroup": H,
        "LogFormat": Only(("Text",), "only Text is offered.", neutral=True),
        "ApplicationLogLevel": Refused("filters the log by level: not offered."),
        "SystemLogLevel": Refused("filters the log by level: not offered."),
    },
    "PackageType": Only(("Zip",), "container images need a container engine; use a folder or a zip."),
    "Architectures": N,
    "EphemeralStorage": N,
    "TracingConfig": N,
    "Tags": N,
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
    "FunctionName": H,
    "Action": H,
    "Principal": H,
    "SourceArn": H,
    "SourceAccount": H,
    "EventSourceToken": Refused("is not offered."),
    "FunctionUrlAuthType": Refused("function URLs are not offered yet."),
    "PrincipalOrgID": Refused("there are no organisations here."),
}

_EVENT_INVOKE_CONFIG: Table = {
    "FunctionName": H,
    "Qualifier": Only(("$LATEST",), "versions of functions are not offered yet."),
    "MaximumRetryAttempts": H,
    "MaximumEventAgeInSeconds": H,
    "DestinationConfig": Refused("destinations are not offered yet."),
}

_EVENT_SOURCE_MAPPING: Table = {
    "FunctionName": H,
    "EventSourceArn": H,
    "BatchSize": H,
    "MaximumBatchingWindowInSeconds": H,
    "Enabled": H,
    "FilterCriteria": H,
    "FunctionResponseTypes": H,
    "ScalingConfig": H,
    "Tags": N,
}

_ROLE: Table = {
    "RoleName": H,
    "Path": H,
    "AssumeRolePolicyDocument": H,
    "Policies": [{"PolicyName": H, "PolicyDocument": H}],
    "ManagedPolicyArns": H,
    "Description": N,
    "MaxSessionDuration": N,
    "Tags": N,
    "PermissionsBoundary": Refused("would narrow what the role may do; not offered yet."),
}
_USERS = Refused("there are no users here, only the owner and roles.")
_POLICY: Table = {"PolicyName": H, "PolicyDocument": H, "Roles": H, "Users": _USERS, "Groups": _USERS}
_MANAGED_POLICY: Table = {
    "ManagedPolicyName": H,
    "PolicyDocument": H,
    "Path": H,
    "Roles": H,
    "Users": _USERS,
    "Groups": _USERS,
    "Description": N,
    "Tags": N,
}

_FIFO = "first-in-first-out is not offered yet."
_TOPIC: Table = {
    "TopicName": H,
    "DisplayName": H,
    "Subscription": [{"Protocol": H, "Endpoint": H}],
    "SignatureVersion": H,
    "DeliveryStatusLogging": N,
    "TracingConfig": N,
    "Tags": N,
    "FifoTopic": Only(("false",), _FIFO, neutral=True),
    "ContentBasedDeduplication": Refused(_FIFO),
    "FifoThroughputScope": Refused(_FIFO),
    "ArchivePolicy": Refused("archives of topics are not offered."),
    "DataProtectionPolicy": Refused("would hide parts of messages; not offered."),
    "KmsMasterKeyId": N,
}
_SUBSCRIPTION: Table = {
    "TopicArn": H,
    "Protocol": H,
    "Endpoint": H,
    "FilterPolicy": H,
    "FilterPolicyScope": H,
    "RawMessageDelivery": H,
    "RedrivePolicy": H,
    "DeliveryPolicy": H,
    "Region": N,
    "SubscriptionRoleArn": N,
    "ReplayPolicy": Refused("replay of topics is not offered."),
}

_QUEUE: Table = {
    "QueueName": H,
    "DelaySeconds": H,
    "MaximumMessageSize": H,
    "MessageRetentionPeriod": H,
    "ReceiveMessageWaitTimeSeconds": H,
    "RedrivePolicy": H,
    "VisibilityTimeout": H,
    "RedriveAllowPolicy": N,
    "SqsManagedSseEnabled": N,
    "Tags": N,
    "FifoQueue": Only(("false",), _FIFO, neutral=True),
    "ContentBasedDeduplication": Refused(_FIFO),
    "DeduplicationScope": Refused(_FIFO),
    "FifoThroughputLimit": Refused(_FIFO),
    "KmsMasterKeyId": N,
    "KmsDataKeyReusePeriodSeconds": N,
}

_CONTAINER = {
    "ModelDataUrl": H,
    "Environment": H,
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
    "ModelName": H,
    "PrimaryContainer": _CONTAINER,
    "Containers": Refused("inference pipelines are not offered; give PrimaryContainer."),
    "InferenceExecutionConfig": Refused("inference pipelines are not offered."),
    "ExecutionRoleArn": N,
    "EnableNetworkIsolation": Only(("false",), "replicas are not cut off from the network.", neutral=True),
    "VpcConfig": N,
    "Tags": N,
}
_VARIANT = {
    "VariantName": H,
    "ModelName": H,
    "InitialInstanceCount": H,
    "InitialVariantWeight": H,
    "InstanceType": N,  # the machine is the one that runs this
    "AcceleratorType": N,
    "ContainerStartupHealthCheckTimeoutInSeconds": N,
    "ModelDataDownloadTimeoutInSeconds": N,
    "EnableSSMAccess": N,
    "VolumeSizeInGB": N,
    "InferenceAmiVersion": N,
    "ServerlessConfig": N,  # replicas answer as they do for instances
    "ManagedInstanceScaling": Refused("scaling by load is not offered yet."),
    "RoutingConfig": N,
}
_ENDPOINT_CONFIG: Table = {
    "EndpointConfigName": H,
    "ProductionVariants": [_VARIANT],
    "ShadowProductionVariants": Refused("shadow variants are not offered yet."),
    "DataCaptureConfig": Refused("data capture is not offered yet."),
    "AsyncInferenceConfig": Refused("asynchronous endpoints are not offered yet."),
    "ExplainerConfig": Refused("explainers are not offered."),
    "VpcConfig": N,
    "EnableNetworkIsolation": Only(("false",), "replicas are not cut off from the network.", neutral=True),
    "ExecutionRoleArn": N,
    "KmsKeyId": N,
    "Tags": N,
}
_ENDPOINT: Table = {
    "EndpointName": H,
    "EndpointConfigName": H,
    "DeploymentConfig": N,
    "ExcludeRetainedVariantProperties": N,
    "RetainAllVariantProperties": Only(("false",), "is not offered.", neutral=True),
    "RetainDeploymentConfig": N,
    "Tags": N,
}

TABLES: Mapping[str, Table] = {
    "AWS::IAM::ManagedPolicy": _MANAGED_POLICY,
    "AWS::IAM::Policy": _POLICY,
    "AWS::IAM::Role": _ROLE,
    "AWS::Lambda::Alias": {
        "FunctionName": H,
        "FunctionVersion": H,
        "Name": H,
        "Description": H,
        "ProvisionedConcurrencyConfig": N,  # workers stay warm as it is
        "RoutingConfig": Refused("weighted versions are not offered yet."),
    },
    "AWS::Lambda::EventInvokeConfig": _EVENT_INVOKE_CONFIG,
    "AWS::Lambda::EventSourceMapping": _EVENT_SOURCE_MAPPING,
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Lambda::Permission": _PERMISSION,
    "AWS::Lambda::Version": {
        "FunctionName": H,
        "Description": H,
        "CodeSha256": H,
        "ProvisionedConcurrencyConfig": N,
        "RuntimePolicy": N,
    },
    "AWS::Logs::LogGroup": {
        "LogGroupName": H,
        "RetentionInDays": H,
        "KmsKeyId": _KMS,
        "Tags": N,
        "LogGroupClass": N,
        "DeletionProtectionEnabled": Only(("false",), "is not offered.", neutral=True),
        "DataProtectionPolicy": Refused("would hide parts of the log; not offered."),
        "FieldIndexPolicies": N,
        "ResourcePolicyDocument": Refused("is not offered."),
    },
    "AWS::S3::Bucket": _BUCKET,
    "AWS::SNS::Subscription": _SUBSCRIPTION,
    "AWS::SNS::Topic": _TOPIC,
    "AWS::SNS::TopicPolicy": {"PolicyDocument": N, "Topics": H},
    "AWS::SQS::Queue": _QUEUE,
    "AWS::SQS::QueuePolicy": {"PolicyDocument": N, "Queues": H},
    "AWS::SageMaker::Endpoint": _ENDPOINT,
    "AWS::SageMaker::EndpointConfig": _ENDPOINT_CONFIG,
    "AWS::SageMaker::Model": _MODEL,
}

_LATER = "is not offered yet"
#: Types that templates of this kind often hold, with what to say of them.
REFUSED_TYPES: Mapping[str, str] = {
    "AWS::ApiGateway::": f"HTTP APIs: {_LATER}.",
    "AWS::ApiGatewayV2::": f"HTTP APIs: {_LATER}.",
    "AWS::CloudFormation::CustomResource": f"a custom resource {_LATER}.",
    "AWS::CloudFormation::Stack": f"a nested stack {_LATER}; put its resources here.",
    "AWS::Events::": f"EventBridge (schedules, rules) {_LATER}.",
    "AWS::Lambda::LayerVersion": f"a layer {_LATER}; put the packages into requirements.txt.",
    "AWS::Lambda::Url": f"a function URL {_LATER}.",
    "AWS::S3::BucketPolicy": f"a bucket policy {_LATER}; who may do what is said by roles.",
    "AWS::Scheduler::": f"a schedule {_LATER}.",
    "Custom::": f"a custom resource {_LATER}.",
}


def refusal_of(type_name: str) -> str | None:
    """Why a type cannot be applied, or None where it can."""
    if type_name in TABLES:
        return None
    for prefix, why in REFUSED_TYPES.items():
        if type_name.startswith(prefix):
            return f"{type_name}: {why}"
    return f"{type_name} is not offered."
