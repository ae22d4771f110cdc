"""SNS: AWS's door to topics. One method per operation; what they mean is in the notifications room."""

from __future__ import annotations

from alight.calls import Handler
from alight.notifications.signing import Signer
from alight.notifications.subscriptions import Subscriptions
from alight.notifications.topics import Topics
from alight.services.members import guarded, support
from alight.services.sns.pages import SnsPages
from alight.services.sns.permissions import PermissionOperations
from alight.services.sns.publish import PublishOperations
from alight.services.sns.rules import CheckUrl
from alight.services.sns.sms import SmsOperations
from alight.services.sns.subscriptions import SubscriptionOperations
from alight.services.sns.topics import TopicOperations
from alight.store.database import Database
from alight.store.records import Records

TABLE = {
    "AddPermission": support("TopicArn Label AWSAccountId ActionName"),
    "CheckIfPhoneNumberIsOptedOut": support("phoneNumber"),
    "ConfirmSubscription": support("TopicArn Token AuthenticateOnUnsubscribe"),
    "CreateTopic": support("Name Attributes", "Tags"),
    "DeleteTopic": support("TopicArn"),
    "GetSMSAttributes": support("attributes"),
    "GetSubscriptionAttributes": support("SubscriptionArn"),
    "GetTopicAttributes": support("TopicArn"),
    "ListPhoneNumbersOptedOut": support("nextToken"),
    "ListSubscriptions": support("NextToken"),
    "ListSubscriptionsByTopic": support("TopicArn NextToken"),
    "ListTagsForResource": support("ResourceArn"),
    "ListTopics": support("NextToken"),
    "OptInPhoneNumber": support("phoneNumber"),
    "Publish": support("TopicArn TargetArn PhoneNumber Message Subject MessageStructure MessageAttributes"),
    "PublishBatch": support("TopicArn PublishBatchRequestEntries"),
    "RemovePermission": support("TopicArn Label"),
    "SetSMSAttributes": support("", "attributes"),
    "SetSubscriptionAttributes": support("SubscriptionArn AttributeName AttributeValue"),
    "SetTopicAttributes": support("TopicArn AttributeName AttributeValue"),
    "Subscribe": support("TopicArn Protocol Endpoint Attributes ReturnSubscriptionArn"),
    "TagResource": support("ResourceArn", "Tags"),
    "Unsubscribe": support("SubscriptionArn"),
    "UntagResource": support("ResourceArn", "TagKeys"),
}


class Sns:
    """The service: its operations and its pages. `check_url` refuses webhooks that could never be reached."""

    def __init__(
        self,
        database: Database,
        records: Records,
        topics: Topics,
        subscriptions: Subscriptions,
        *,
        signer: Signer,
        check_url: CheckUrl,
    ) -> None:
        self._topics = TopicOperations(database, records, subscriptions)
        self._subscriptions = SubscriptionOperations(self._topics, subscriptions, check_url)
        self._permissions = PermissionOperations(database, records, self._topics)
        self._publish = PublishOperations(database, self._topics, topics)
        self._sms = SmsOperations(records)
        #: The ASGI app for `/_aws/sns/`.
        self.pages = SnsPages(self._subscriptions, signer)

    def operations(self) -> dict[tuple[str, str], Handler]:
        topics, subscriptions = self._topics, self._subscriptions
        handlers: dict[str, Handler] = {
            "AddPermission": self._permissions.add_permission,
            "CheckIfPhoneNumberIsOptedOut": self._sms.check_if_phone_number_is_opted_out,
            "ConfirmSubscription": subscriptions.confirm_subscription,
            "CreateTopic": topics.create_topic,
            "DeleteTopic": topics.delete_topic,
            "GetSMSAttributes": self._sms.get_sms_attributes,
            "GetSubscriptionAttributes": subscriptions.get_subscription_attributes,
            "GetTopicAttributes": topics.get_topic_attributes,
            "ListPhoneNumbersOptedOut": self._sms.list_phone_numbers_opted_out,
            "ListSubscriptions": subscriptions.list_subscriptions,
            "ListSubscriptionsByTopic": subscriptions.list_subscriptions_by_topic,
            "ListTagsForResource": topics.list_tags_for_resource,
            "ListTopics": topics.list_topics,
            "OptInPhoneNumber": self._sms.opt_in_phone_number,
            "Publish": self._publish.publish,
            "PublishBatch": self._publish.publish_batch,
            "RemovePermission": self._permissions.remove_permission,
            "SetSMSAttributes": self._sms.set_sms_attributes,
            "SetSubscriptionAttributes": subscriptions.set_subscription_attributes,
            "SetTopicAttributes": topics.set_topic_attributes,
            "Subscribe": subscriptions.subscribe,
            "TagResource": topics.tag_resource,
            "Unsubscribe": subscriptions.unsubscribe,
            "UntagResource": topics.untag_resource,
        }
        return guarded("sns", TABLE, handlers)
