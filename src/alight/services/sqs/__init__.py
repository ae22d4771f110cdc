"""SQS: AWS's door to queues. Standard queues only; what is FIFO is refused by name."""

from __future__ import annotations

from alight.calls import Handler
from alight.clock import Clock
from alight.services.members import guarded, support
from alight.services.sqs.consuming import Consumer
from alight.services.sqs.messages import MessageOperations
from alight.services.sqs.moving import MoveOperations
from alight.services.sqs.permissions import PermissionOperations
from alight.services.sqs.queues import QueueOperations
from alight.store.database import Database
from alight.store.queues import Measure, QueueStore, unmeasured
from alight.store.records import Records

TABLE = {
    "AddPermission": support("QueueUrl Label AWSAccountIds Actions"),
    "CancelMessageMoveTask": support("TaskHandle"),
    "ChangeMessageVisibility": support("QueueUrl ReceiptHandle VisibilityTimeout"),
    "ChangeMessageVisibilityBatch": support("QueueUrl Entries"),
    "CreateQueue": support("QueueName Attributes", "tags"),
    "DeleteMessage": support("QueueUrl ReceiptHandle"),
    "DeleteMessageBatch": support("QueueUrl Entries"),
    "DeleteQueue": support("QueueUrl"),
    "GetQueueAttributes": support("QueueUrl AttributeNames"),
    "GetQueueUrl": support("QueueName", "QueueOwnerAWSAccountId"),
    "ListDeadLetterSourceQueues": support("QueueUrl NextToken MaxResults"),
    "ListMessageMoveTasks": support("SourceArn MaxResults"),
    "ListQueueTags": support("QueueUrl"),
    "ListQueues": support("QueueNamePrefix NextToken MaxResults"),
    "PurgeQueue": support("QueueUrl"),
    "ReceiveMessage": support(
        "QueueUrl AttributeNames MessageSystemAttributeNames MessageAttributeNames MaxNumberOfMessages "
        "VisibilityTimeout WaitTimeSeconds"
    ),
    "RemovePermission": support("QueueUrl Label"),
    "SendMessage": support("QueueUrl MessageBody DelaySeconds MessageAttributes"),
    "SendMessageBatch": support("QueueUrl Entries"),
    "SetQueueAttributes": support("QueueUrl Attributes"),
    "StartMessageMoveTask": support("SourceArn DestinationArn MaxNumberOfMessagesPerSecond"),
    "TagQueue": support("QueueUrl", "Tags"),
    "UntagQueue": support("QueueUrl", "TagKeys"),
}


class Sqs:
    """The service. `send` is for the house itself: other rooms' messages enter queues in their own transaction."""

    def __init__(self, database: Database, records: Records, clock: Clock, measure: Measure = unmeasured) -> None:
        store = QueueStore(database, measure)
        self._queues = QueueOperations(database, records, store, clock)
        self._permissions = PermissionOperations(self._queues)
        self._moves = MoveOperations(database, records, self._queues, store, clock)
        #: Go on with what the last run left; end it, before the database.
        self.resume, self.close = self._moves.resume, self._moves.close
        self._messages = MessageOperations(database, self._queues, store, clock)
        #: (tx, queue ARN, body, message attributes)
        self.send = self._messages.put
        #: (name, tx): the queue, or `QueueDoesNotExist`.
        self.require = self._queues.named
        #: For event source mappings.
        self.consumer = Consumer(database, self._queues, store, clock)

    def operations(self) -> dict[tuple[str, str], Handler]:
        queues, messages, moves = self._queues, self._messages, self._moves
        handlers: dict[str, Handler] = {
            "AddPermission": self._permissions.add_permission,
            "CancelMessageMoveTask": moves.cancel,
            "ChangeMessageVisibility": messages.change_message_visibility,
            "ChangeMessageVisibilityBatch": messages.change_message_visibility_batch,
            "CreateQueue": queues.create_queue,
            "DeleteMessage": messages.delete_message,
            "DeleteMessageBatch": messages.delete_message_batch,
            "DeleteQueue": queues.delete_queue,
            "GetQueueAttributes": queues.get_queue_attributes,
            "GetQueueUrl": queues.get_queue_url,
            "ListDeadLetterSourceQueues": queues.list_dead_letter_source_queues,
            "ListMessageMoveTasks": moves.list,
            "ListQueueTags": queues.list_queue_tags,
            "ListQueues": queues.list_queues,
            "PurgeQueue": queues.purge_queue,
            "ReceiveMessage": messages.receive_message,
            "RemovePermission": self._permissions.remove_permission,
            "SendMessage": messages.send_message,
            "SendMessageBatch": messages.send_message_batch,
            "SetQueueAttributes": queues.set_queue_attributes,
            "StartMessageMoveTask": moves.start,
            "TagQueue": queues.tag_queue,
            "UntagQueue": queues.untag_queue,
        }
        return guarded("sqs", TABLE, handlers)
