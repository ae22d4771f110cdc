"""Roles, users and keys with real clients on a whole Alight: who is refused, with which words, and who is let in."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from alight.credentials import SessionClaims, load, mint
from tests.loaded import Loaded
from tests.support import Instance, Start, clean_environment, invoke, start_alight, sweep

ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("identities") / "data")
    yield started
    sweep(started.process)


def trust(**principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def package() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context): return event")
    return archive.getvalue()


def refused(code: str, ask: Callable[..., Any], **given: Any) -> str:
    """The message of the refusal."""
    with pytest.raises(ClientError) as error:
        ask(**given)
    assert error.value.response["Error"]["Code"] == code, error.value
    return str(error.value.response["Error"]["Message"])


def test_roles_that_are_not_there_or_do_not_trust_the_service(instance: Instance) -> None:
    iam, functions, sagemaker = (instance.client(name) for name in ("iam", "lambda", "sagemaker"))
    sagemakers = iam.create_role(
        RoleName="models", Path="/service-role/", AssumeRolePolicyDocument=trust(Service="sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    new = {"FunctionName": "f", "Runtime": "python3.11", "Handler": "app.handler", "Code": {"ZipFile": package()}}
    invalid, sentence = (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    for role in (nobody, sagemakers, f"arn:aws:iam::{ACCOUNT}:role/models", "arn:aws:iam::123456789012:role/models"):
        assert refused(invalid, functions.create_function, **new, Role=role).startswith(sentence)
    assert "aws iam create-role --role-name nobody" in refused(invalid, functions.create_function, **new, Role=nobody)
    role = iam.create_role(RoleName="nobody", AssumeRolePolicyDocument=trust(Service="lambda.amazonaws.com"))["Role"]
    assert functions.create_function(**new, Role=role["Arn"])["Role"] == nobody
    change = functions.update_function_configuration
    assert refused(invalid, change, FunctionName="f", Role=sagemakers).startswith(sentence)
    iam.update_assume_role_policy(
        RoleName="models", PolicyDocument=trust(Service=["lambda.amazonaws.com", "sagemaker.amazonaws.com"])
    )
    assert change(FunctionName="f", Role=sagemakers)["Role"] == sagemakers
    container = {"Image": "any", "ModelDataUrl": "s3://models/m.tar.gz"}
    given: Any = {"ModelName": "m", "PrimaryContainer": container}
    said = refused("ValidationException", sagemaker.create_model, **given, ExecutionRoleArn=nobody)
    assert said.startswith(
        f"Could not assume role {nobody}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )
    said = refused("ValidationException", sagemaker.create_model, **given, ExecutionRoleArn=sagemakers)
    assert said.startswith("Could not access model data at s3://models/m.tar.gz. Please ensure that the role")


# Users, keys and sessions --------------------------------------------------------------------------------------------


def signing(instance: Instance, service: str, keys: Mapping[str, Any]) -> Any:
    """A client that signs with these keys, as CreateAccessKey and STS give them."""
    return boto3.client(  # type: ignore[call-overload, unused-ignore]
        service,
        endpoint_url=instance.url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )


def allowing(action: Any, resource: Any = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_user(instance: Instance, name: str, policy: str, **given: Any) -> dict[str, Any]:
    """A user with one inline policy; its access key."""
    iam = instance.client("iam")
    iam.create_user(UserName=name, **given)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key: dict[str, Any] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


def test_a_user_may_do_what_its_policies_allow_and_its_key_can_be_taken_back(instance: Instance) -> None:
    iam = instance.client("iam")
    mine = ["arn:aws:s3:::course-${aws:username}", "arn:aws:s3:::course-${aws:username}/*"]
    key = make_user(instance, "ann", allowing("s3:*", mine))
    s3, own = signing(instance, "s3", key), signing(instance, "iam", key)
    s3.create_bucket(Bucket="course-ann")
    s3.put_object(Bucket="course-ann", Key="k", Body=b"x")
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
    said = refused("AccessDenied", s3.create_bucket, Bucket="course-bob")
    assert said == (
        f"User: {arn} is not authorized to perform: s3:CreateBucket on resource: arn:aws:s3:::course-bob because no "
        "identity-based policy allows the s3:CreateBucket action"
    )
    said = refused("AccessDenied", own.create_access_key)
    assert f"{arn} is not authorized to perform: iam:CreateAccessKey on resource: {arn} because" in said
    who = signing(instance, "sts", key).get_caller_identity()
    assert (who["Arn"], who["UserId"][:4], who["Account"]) == (arn, "AIDA", ACCOUNT)
    # A group's policy lets her look after her own keys, and a Deny wins over it.
    iam.create_group(GroupName="students")
    iam.put_group_policy(
        GroupName="students", PolicyName="keys",
        PolicyDocument=allowing("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"),
    )  # fmt: skip
    iam.add_user_to_group(GroupName="students", UserName="ann")
    second = own.create_access_key()["AccessKey"]
    assert len(own.list_access_keys()["AccessKeyMetadata"]) == 2
    refused("AccessDenied", own.list_access_keys, UserName="bob")
    deny = json.dumps({"Statement": [{"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}]})
    iam.put_user_policy(UserName="ann", PolicyName="deny", PolicyDocument=deny)
    said = refused("AccessDenied", s3.delete_object, Bucket="course-ann", Key="k")
    assert said.endswith("with an explicit deny in an identity-based policy")
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == ("ann", "s3")
    own.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    refused("InvalidClientTokenId", signing(instance, "sts", second).get_caller_identity)
    own.delete_access_key(AccessKeyId=key["AccessKeyId"])
    refused("InvalidAccessKeyId", s3.list_buckets)
    refused("InvalidClientTokenId", own.list_access_keys)


def test_who_hands_a_role_over_needs_to_be_allowed_to(instance: Instance) -> None:
    iam = instance.client("iam")
    both = ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]
    role = iam.create_role(RoleName="handed", AssumeRolePolicyDocument=trust(Service=both))["Role"]["Arn"]
    key = make_user(instance, "bob", allowing(["lambda:*", "sagemaker:*"]))
    functions, sagemaker = signing(instance, "lambda", key), signing(instance, "sagemaker", key)
    new = {"FunctionName": "bobs", "Runtime": "python3.11", "Handler": "app.handler", "Code": {"ZipFile": package()}}
    said = refused("AccessDeniedException", functions.create_function, **new, Role=role)
    assert said == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam:PassRole on resource: {role} because "
        "no identity-based policy allows the iam:PassRole action"
    )
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    iam.put_user_policy(
        UserName="bob", PolicyName="pass", PolicyDocument=allowing("iam:PassRole", role, Condition=to_lambda)
    )
    assert functions.create_function(**new, Role=role)["Role"] == role
    # Somebody whom only the function's own policy lets in.
    cat = signing(instance, "lambda", make_user(instance, "cat", allowing("s3:*")))
    assert "lambda:InvokeFunction" in refused("AccessDeniedException", cat.invoke, FunctionName="bobs")
    functions.add_permission(
        FunctionName="bobs", StatementId="cat", Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{ACCOUNT}:user/cat",
    )  # fmt: skip
    assert invoke(cat, FunctionName="bobs", Payload=b"1")["Payload"] == b"1"
    model = {"ModelName": "bobs", "PrimaryContainer": {"Image": "any", "ModelDataUrl": "s3://models/m.tar.gz"}}
    # Without a role of its own the model would act as nobody may tell.
    assert "ExecutionRoleArn must be given" in refused("ValidationException", sagemaker.create_model, **model)
    assert "iam:PassRole" in refused(
        "AccessDeniedException", sagemaker.create_model, **model, ExecutionRoleArn=role
    )  # fmt: skip


def test_roles_are_taken_by_those_whom_they_trust(instance: Instance) -> None:
    iam, owner = instance.client("iam"), instance.client("sts")
    key = make_user(instance, "eve", allowing("s3:ListAllMyBuckets"), Path="/course/")
    eve = f"arn:aws:iam::{ACCOUNT}:user/course/eve"
    named = json.loads(trust(AWS=eve))
    named["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalId": "secret"}}
    arn = iam.create_role(RoleName="taken", AssumeRolePolicyDocument=json.dumps(named))["Role"]["Arn"]
    iam.put_role_policy(RoleName="taken", PolicyName="s3", PolicyDocument=allowing("s3:*"))
    sts, given = signing(instance, "sts", key), {"RoleArn": arn, "RoleSessionName": "me"}
    denied = f"is not authorized to perform: sts:AssumeRole on resource: {arn}"
    assert denied in refused("AccessDenied", sts.assume_role, **given)
    assert denied in refused("AccessDenied", owner.assume_role, **given)
    taken = sts.assume_role(**given, ExternalId="secret", DurationSeconds=900)["Credentials"]
    s3 = signing(instance, "s3", taken)
    s3.create_bucket(Bucket="taken")
    me = signing(instance, "sts", taken).get_caller_identity()["Arn"]
    assert me == f"arn:aws:sts::{ACCOUNT}:assumed-role/taken/me"
    narrow = sts.assume_role(**given, ExternalId="secret", Policy=allowing("s3:GetObject"))["Credentials"]
    said = refused("AccessDenied", signing(instance, "s3", narrow).list_objects_v2, Bucket="taken")
    assert said == (
        f"User: {me} is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::taken because no session "
        "policy allows the s3:ListBucket action"
    )
    # A role that trusts the account leaves it to the callers' own policies.
    iam.update_assume_role_policy(RoleName="taken", PolicyDocument=trust(AWS=ACCOUNT))
    said = refused("AccessDenied", sts.assume_role, **given)
    assert said.endswith("because no identity-based policy allows the sts:AssumeRole action")
    assert owner.assume_role(**given)["AssumedRoleUser"]["Arn"] == me
    iam.put_user_policy(UserName="eve", PolicyName="take", PolicyDocument=allowing("sts:AssumeRole", arn))
    assert sts.assume_role(**given)["AssumedRoleUser"]["Arn"] == me
    iam.update_assume_role_policy(RoleName="taken", PolicyDocument=trust(Service="lambda.amazonaws.com"))
    assert denied in refused("AccessDenied", sts.assume_role, **given)


def test_a_session_token_is_no_key_to_identities(instance: Instance) -> None:
    key = make_user(instance, "sam", allowing("*"))
    token = signing(instance, "sts", key).get_session_token(DurationSeconds=900)["Credentials"]
    assert signing(instance, "sts", token).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/sam"
    signing(instance, "s3", token).list_buckets()
    refused("InvalidClientTokenId", signing(instance, "iam", token).list_users)
    refused("AccessDenied", signing(instance, "sts", token).get_session_token)
    gone = mint(load(instance.data), SessionClaims("ASIAGONE", "taken", "me", "", 1))
    keys = {"AccessKeyId": gone.access_key_id, "SecretAccessKey": gone.secret_access_key}
    refused("ExpiredToken", signing(instance, "s3", keys | {"SessionToken": gone.session_token}).list_buckets)


def test_users_keys_and_sessions_are_there_after_a_kill(start: Start) -> None:
    first = start()
    key = make_user(first, "ann", allowing(["s3:*", "sts:*"]))
    role = {"RoleName": "r", "AssumeRolePolicyDocument": trust(AWS=ACCOUNT)}
    arn = first.client("iam").create_role(**role)["Role"]["Arn"]
    taken = signing(first, "sts", key).assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    first.kill()
    second = start()
    assert signing(second, "s3", key).list_buckets()["Buckets"] == []
    assert signing(second, "sts", taken).get_caller_identity()["Arn"].endswith("assumed-role/r/me")
    stored = (first.data / "alight.db").read_bytes() + (first.data / "alight.db-wal").read_bytes()
    assert key["AccessKeyId"].encode() in stored
    assert key["SecretAccessKey"].encode() not in stored


@pytest.mark.tool("aws")
def test_what_the_workshop_types(running: Instance, tmp_path: Path, loaded: Loaded) -> None:
    """Groups, users with a login and keys by the aws command line, as a course makes them for its students."""
    program = loaded("aws")

    def aws(*words: str) -> Any:
        environment = clean_environment(**running.variables, HOME=str(tmp_path))
        done = subprocess.run([program, *words], capture_output=True, text=True, env=environment, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    iam = running.client("iam")
    aws("iam", "create-group", "--group-name", "students")
    policy = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    iam.attach_group_policy(GroupName="students", PolicyArn=policy)
    aws("iam", "create-user", "--user-name", "bw01")
    login = ("--user-name", "bw01", "--password", "Secret-1!", "--password-reset-required")
    assert aws("iam", "create-login-profile", *login)["LoginProfile"]["PasswordResetRequired"] is True
    aws("iam", "add-user-to-group", "--user-name", "bw01", "--group-name", "students")
    key = aws("iam", "create-access-key", "--user-name", "bw01")["AccessKey"]
    assert signing(running, "sagemaker", key).list_models()["Models"] == []
    refused("DeleteConflict", iam.delete_user, UserName="bw01")
    iam.remove_user_from_group(UserName="bw01", GroupName="students")
    iam.delete_login_profile(UserName="bw01")
    iam.delete_access_key(UserName="bw01", AccessKeyId=key["AccessKeyId"])
    aws("iam", "delete-user", "--user-name", "bw01")
    assert iam.list_users()["Users"] == []


TEMPLATE = """
Resources:
  Students:
    Type: AWS::IAM::Group
    Properties:
      ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
  Student:
    Type: AWS::IAM::User
    Properties:
      UserName: stu
      Groups: [!Ref Students]
      LoginProfile: {Password: Secret-1!}
  Write:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: write
      Users: [!Ref Student]
      PolicyDocument: {Statement: {Effect: Allow, Action: "s3:CreateBucket", Resource: "*"}}
Outputs:
  Arn: {Value: !GetAtt Student.Arn}
"""


def test_users_of_a_template_are_those_of_the_calls(instance: Instance, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    applied = instance.json("apply", str(template))
    assert applied["outputs"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/stu"
    s3 = signing(instance, "s3", instance.client("iam").create_access_key(UserName="stu")["AccessKey"])
    s3.create_bucket(Bucket="stus")
    s3.list_objects_v2(Bucket="stus")
    refused("AccessDenied", s3.delete_bucket, Bucket="stus")
    assert instance.json("apply", str(template))["plan"] == []
