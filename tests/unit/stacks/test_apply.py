"""Plan and apply against services that write down what they are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alight.errors import AlightError
from alight.stacks.apply import ApplyFailed, apply, plan, remove, stack_name
from alight.stacks.outputs import outputs
from alight.stacks.plan import Step
from alight.stacks.problems import TemplateRefused
from tests.unit.stacks.scene import Refusing, Scene, actions, step

TOPIC_AND_QUEUE = """\
Parameters:
  Wait: {Type: Number, Default: 30}
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: !Ref Wait}
  News:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: news
  Feed:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref News, Protocol: sqs, Endpoint: !GetAtt Jobs.Arn}
Outputs:
  TopicArn: {Value: !Ref News}
  QueueUrl: {Value: !Ref Jobs}
  Feed: {Value: !Ref Feed}
"""


async def test_everything_is_created_in_order_of_need(scene: Scene) -> None:
    applied = await scene.apply(TOPIC_AND_QUEUE)
    assert scene.services.operations() == ["CreateQueue", "CreateTopic", "Subscribe"]
    assert set(actions(applied.plan).values()) == {"create"}
    queue = step(applied.plan, "Jobs").name
    assert queue.startswith("shop-jobs-")
    assert scene.services.given("CreateQueue") == {"QueueName": queue, "Attributes": {"VisibilityTimeout": "30"}}
    topic = applied.outputs["TopicArn"]
    assert scene.services.given("Subscribe") == {
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": f"arn:aws:sqs:us-east-1:000000000000:{queue}",
        "ReturnSubscriptionArn": True,
    }
    assert applied.outputs["QueueUrl"] == f"http://127.0.0.1:4566/000000000000/{queue}"
    assert applied.outputs["Feed"] == f"{topic}:arn:aws:sqs:us-east-1:000000000000:{queue}"


async def test_a_second_apply_changes_nothing(scene: Scene) -> None:
    first = await scene.apply(TOPIC_AND_QUEUE)
    again = await scene.apply(TOPIC_AND_QUEUE)
    assert scene.services.asked == []
    assert again.plan.changes == ()
    assert again.outputs == first.outputs


async def test_a_plan_changes_nothing(scene: Scene) -> None:
    planned = await scene.plan(TOPIC_AND_QUEUE)
    assert actions(planned) == {"Jobs": "create", "News": "create", "Feed": "create"}
    assert scene.services.asked == []
    assert scene.records.list("stack:stack") == []


async def test_a_changed_property_updates_in_place_and_says_what_changed(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    applied = await scene.apply(TOPIC_AND_QUEUE, Wait="60")
    assert step(applied.plan, "Jobs").reason == "VisibilityTimeout 30 → 60"
    assert scene.services.operations() == ["SetQueueAttributes"]
    assert scene.services.given("SetQueueAttributes")["Attributes"] == {"VisibilityTimeout": "60"}


async def test_a_property_that_left_goes_back_to_its_default(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    await scene.apply(TOPIC_AND_QUEUE.replace("      DisplayName: news\n", "      SignatureVersion: 2\n"))
    changes = [
        (given["AttributeName"], given["AttributeValue"]) for given in scene.services.all_given("SetTopicAttributes")
    ]
    assert changes == [("DisplayName", ""), ("SignatureVersion", "2")]


async def test_what_left_the_template_is_deleted_dependents_first(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    applied = await scene.apply("Resources:\n  Other: {Type: AWS::SNS::Topic}\n")
    assert scene.services.operations() == ["CreateTopic", "Unsubscribe", "DeleteTopic", "DeleteQueue"]
    assert actions(applied.plan) == {"Other": "create", "Feed": "delete", "News": "delete", "Jobs": "delete"}
    assert set(await outputs(scene.records)) == set()


async def test_another_explicit_name_makes_a_new_one_then_deletes_the_old(scene: Scene) -> None:
    await scene.apply("Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {TopicName: one}}\n")
    applied = await scene.apply("Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {TopicName: two}}\n")
    assert step(applied.plan, "T").reason == "its name was one"
    assert scene.services.asked == [
        ("CreateTopic", {"Name": "two"}),
        ("DeleteTopic", {"TopicArn": "arn:aws:sns:us-east-1:000000000000:one"}),
    ]


async def test_a_failure_says_where_keeps_what_was_done_and_can_go_on(scene: Scene) -> None:
    scene.services.answers["CreateTopic"] = Refusing("no more topics")
    with pytest.raises(ApplyFailed, match=r"template.yaml:7: create of News .* failed: Refusing: no more topics"):
        await scene.apply(TOPIC_AND_QUEUE)
    [record] = scene.records.list("stack:stack")
    assert record.body["Status"] == "failed"
    del scene.services.answers["CreateTopic"]
    applied = await scene.apply(TOPIC_AND_QUEUE)
    assert step(applied.plan, "News").reason == "was begun and not finished"
    # The half-made one is swept up first; the queue is as it was.
    assert scene.services.operations() == ["DeleteTopic", "CreateTopic", "Subscribe"]
    assert scene.records.list("stack:stack")[0].body["Status"] == "complete"


async def test_an_update_that_failed_is_tried_again(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    scene.services.answers["SetQueueAttributes"] = Refusing()
    with pytest.raises(ApplyFailed):
        await scene.apply(TOPIC_AND_QUEUE, Wait="60")
    del scene.services.answers["SetQueueAttributes"]
    await scene.apply(TOPIC_AND_QUEUE, Wait="60")
    assert scene.services.operations() == ["SetQueueAttributes"]


async def test_a_deletion_that_failed_is_tried_again(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    left = "Resources:\n  Jobs: {Type: AWS::SQS::Queue}\n"
    scene.services.answers["DeleteTopic"] = Refusing()
    with pytest.raises(ApplyFailed, match="Deleting News"):
        await scene.apply(left)
    del scene.services.answers["DeleteTopic"]
    await scene.apply(left)
    assert scene.services.operations() == ["DeleteTopic"]


async def test_a_bucket_with_objects_stays_and_is_said(scene: Scene) -> None:
    await scene.apply("Resources:\n  Box: {Type: AWS::S3::Bucket}\n  T: {Type: AWS::SNS::Topic}\n")

    class BucketNotEmpty(Refusing):
        """The bucket you tried to delete is not empty"""

    scene.services.answers["DeleteBucket"] = BucketNotEmpty()
    applied = await scene.apply("Resources:\n  T: {Type: AWS::SNS::Topic}\n")
    [warning] = applied.warnings
    assert "holds objects and stays" in warning
    assert (await scene.apply("Resources:\n  T: {Type: AWS::SNS::Topic}\n")).plan.changes == ()


async def test_retained_resources_are_left_alone(scene: Scene) -> None:
    await scene.apply(
        "Resources:\n  A: {Type: AWS::SNS::Topic, DeletionPolicy: Retain}\n  B: {Type: AWS::SNS::Topic}\n"
    )
    applied = await scene.apply("Resources:\n  B: {Type: AWS::SNS::Topic}\n")
    assert actions(applied.plan) == {"B": "none", "A": "keep"}
    assert scene.services.asked == []


async def test_all_findings_come_at_once_with_their_lines_and_nothing_is_done(scene: Scene) -> None:
    text = """\
Resources:
  Box:
    Type: AWS::S3::Bucket
    Properties:
      ReplicationConfiguration: {Rules: []}
      Tags: []
  T:
    Type: AWS::SNS::Topic
    Properties:
      FifoTopic: true
      TopicName: x
"""
    with pytest.raises(TemplateRefused) as told:
        await scene.apply(text)
    assert [(problem.line, problem.where) for problem in told.value.problems] == [
        (5, "Resources.Box.Properties.ReplicationConfiguration"),
        (10, "Resources.T.Properties.FifoTopic"),
    ]
    assert scene.services.asked == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Resources:\n  A: {Type: AWS::EC2::Instance}", 2, "AWS::EC2::Instance is not offered"),
        (
            "Resources:\n  A: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Nobody}}",
            2,
            "no parameter or resource",
        ),
        ("Resources:\n  A: {Type: AWS::SNS::Topic, DependsOn: Nobody}", 2, "no resource Nobody"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic, Colour: red}", 2, "Colour does not belong"),
        ("Parameters: [a]\nResources:\n  A: {Type: AWS::SNS::Topic}", 1, "takes a mapping"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic, Properties: [a]}", 2, "takes a mapping"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic, Metadata: {Alight: {Publish: now}}}", 2, "staged"),
        ("Resources:\n  A: {Type: AWS::SNS::Subscription, Properties: {Protocol: sms}}", 2, "is required"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic, Condition: Nothing}", 2, "no condition"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic}\nRules: {}", 3, "section Rules"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic}\nOutputs:\n  X: {Value: !Ref B}", 4, "no parameter or resource B"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic}\nOutputs:\n  X: {}", 4, "needs a Value"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic}\nOutputs:\n  X: y", 4, "takes a mapping"),
        (
            "Resources:\n  A: {Type: AWS::SNS::Topic, DependsOn: B}\n  B: {Type: AWS::SNS::Topic, DependsOn: A}",
            2,
            "A → B → A",
        ),
    ],
)
async def test_what_is_wrong_is_found_before_anything_is_done(scene: Scene, text: str, line: int, words: str) -> None:
    with pytest.raises(TemplateRefused) as told:
        await scene.apply(text)
    [problem] = told.value.problems
    assert (problem.line, words in problem.message) == (line, True), problem


async def test_an_attribute_that_is_not_there_is_found_in_the_plan(scene: Scene) -> None:
    text = "Resources:\n  A: {Type: AWS::SNS::Topic}\n  B:\n    Type: AWS::SNS::Topic\n    Properties:\n"
    with pytest.raises(TemplateRefused, match=r"template.yaml:6: .*AWS::SNS::Topic has no attribute Colour"):
        await scene.plan(text + "      TopicName: !GetAtt A.Colour\n")


async def test_who_needs_a_refused_resource_is_not_blamed_too(scene: Scene) -> None:
    text = """\
Resources:
  A: {Type: AWS::SNS::Topic, Properties: {FifoTopic: true}}
  B: {Type: AWS::SNS::Topic, Properties: {TopicName: !GetAtt A.TopicName}}
"""
    with pytest.raises(TemplateRefused) as told:
        await scene.plan(text)
    assert [problem.where for problem in told.value.problems] == ["Resources.A.Properties.FifoTopic"]


async def test_a_false_condition_leaves_resource_and_output_out(scene: Scene) -> None:
    text = """\
Parameters: {On: {Type: String, Default: "no"}}
Conditions: {IsOn: !Equals [!Ref On, "yes"]}
Resources:
  A: {Type: AWS::SNS::Topic, DependsOn: B}
  B: {Type: AWS::SNS::Topic, Condition: IsOn}
Outputs:
  B: {Condition: IsOn, Value: !Ref B}
"""
    assert actions((await scene.apply(text)).plan) == {"A": "create"}
    applied = await scene.apply(text, On="yes")
    assert actions(applied.plan) == {"B": "create", "A": "none"}
    assert "B" in applied.outputs


async def test_operations_that_are_not_there_are_told_in_the_plan(scene: Scene) -> None:
    scene.offered = {("sns", "CreateTopic"), ("sns", "DeleteTopic")}
    with pytest.raises(TemplateRefused, match="AWS::SQS::Queue is not offered yet: it needs sqs CreateQueue"):
        await scene.plan("Resources:\n  A: {Type: AWS::SNS::Topic}\n  Q: {Type: AWS::SQS::Queue}\n")


async def test_neutral_properties_stand_in_the_plan_once_each(scene: Scene) -> None:
    planned = await scene.plan("Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      Tags: []\n")
    [note] = planned.neutral
    assert str(note).endswith("template.yaml:5: Resources.A.Properties.Tags: recorded, no effect here")


async def test_steps_are_shown_before_they_are_taken(scene: Scene) -> None:
    seen: list[Step] = []
    from_here = scene.services

    def on_step(one: Step) -> None:
        assert len(from_here.asked) == len(seen)
        seen.append(one)

    path = scene.write("Resources:\n  A: {Type: AWS::SNS::Topic}\n  Q: {Type: AWS::SQS::Queue}\n")
    await apply(path, means=scene.means, on_step=on_step)
    assert [one.logical_id for one in seen] == ["A", "Q"]


async def test_removing_a_stack_deletes_everything(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    scene.services.asked.clear()
    assert await remove("shop", means=scene.means) == ()
    assert scene.services.operations() == ["Unsubscribe", "DeleteTopic", "DeleteQueue"]
    assert scene.records.list("stack:stack") == []


async def test_the_record_holds_no_surprises(scene: Scene) -> None:
    await scene.apply(TOPIC_AND_QUEUE)
    [record] = scene.records.list("stack:stack")
    assert record.name == "shop"
    assert list(record.body["Resources"]) == ["Jobs", "News", "Feed"]
    assert record.body["Resources"]["News"]["properties"] == {"DisplayName": "news"}
    assert "VisibilityTimeout" in json.dumps(record.body)


async def test_a_stack_that_follows_another_template_says_so(scene: Scene) -> None:
    await scene.apply("Resources:\n  A: {Type: AWS::SNS::Topic}\n")
    other = scene.write("Resources:\n  A: {Type: AWS::SNS::Topic}\n", "other.yaml")
    [warning] = (await plan(other, means=scene.means)).warnings
    assert "was last applied from" in warning


async def test_samconfig_gives_name_and_parameters(scene: Scene) -> None:
    (scene.folder / "samconfig.toml").write_text(
        'version = 0.1\n[default.global.parameters]\nstack_name = "fair"\n'
        '[default.deploy.parameters]\nparameter_overrides = "Wait=45 Label=\\"a b\\""\nregion = \'eu-west-1\'\n'
    )
    text = TOPIC_AND_QUEUE.replace("Parameters:", 'Parameters:\n  Label: {Type: String, Default: ""}')
    applied = await scene.apply(text.replace("DisplayName: news", "DisplayName: !Ref Label"))
    assert applied.stack == "fair"
    assert scene.services.given("CreateQueue")["Attributes"]["VisibilityTimeout"] == "45"
    assert scene.services.given("CreateTopic")["Attributes"]["DisplayName"] == "a b"
    await scene.apply(text, Wait="50")
    assert scene.services.given("SetQueueAttributes")["Attributes"] == {"VisibilityTimeout": "50"}


async def test_an_event_that_needs_what_is_not_offered_is_refused_where_it_stands(scene: Scene) -> None:
    text = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.h
      Runtime: python3.11
      Events:
        Web:
          Type: Api
          Properties: {Path: /, Method: get}
Globals: {Api: {Auth: {ApiKeyRequired: true, UsagePlan: {CreateUsagePlan: PER_API}}}}
"""
    with pytest.raises(TemplateRefused, match="there are no API keys and usage plans here") as told:
        await scene.plan(text)
    assert {problem.line for problem in told.value.problems} == {10}


@pytest.mark.parametrize(("folder", "name"), [("birds", "birds"), ("My app_2", "my-app-2"), ("7up", "app-7up")])
def test_a_stack_is_called_as_its_folder(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "template.yaml").write_text("")
    assert stack_name(tmp_path / folder) == name


def test_no_template_no_name(tmp_path: Path) -> None:
    with pytest.raises(AlightError, match="No template"):
        stack_name(tmp_path)


async def test_a_change_that_came_half_way_is_undone_from_both_ends(scene: Scene) -> None:
    """The tags were put, the rules of origin were not: going back takes the tags off again."""
    template = "Resources:\n  Box: {Type: AWS::S3::Bucket, Properties: {BucketName: box, %s}}\n"
    before = template % "WebsiteConfiguration: {IndexDocument: i}"
    tags, rules = "Tags: [{Key: a, Value: b}]", "CorsConfiguration: {CorsRules: []}"
    await scene.apply(before)
    scene.services.answers["PutBucketCors"] = Refusing()
    with pytest.raises(ApplyFailed):
        await scene.apply(template % f"WebsiteConfiguration: {{IndexDocument: i}}, {tags}, {rules}")
    assert "PutBucketTagging" in scene.services.operations()
    await scene.apply(before)
    assert scene.services.operations() == ["DeleteBucketTagging", "DeleteBucketCors"]
    await scene.apply(before)
    assert scene.services.operations() == []


async def test_a_file_does_not_take_over_a_stack_of_cloudformation(scene: Scene) -> None:
    await scene.records.save("stack:stack", "shop", {"Id": "arn:aws:cloudformation:us-east-1:1:stack/shop/1"})
    with pytest.raises(AlightError, match="CloudFormation's own"):
        await scene.apply(TOPIC_AND_QUEUE)
