"""The S3 door: all operations on buckets and objects, in one table.

Each noun has its own file and gives its handlers; `tables.TABLE` says which members each operation takes.
"""

from __future__ import annotations

from alight.calls import Handler
from alight.clock import Clock
from alight.services.members import guarded
from alight.services.s3.absent import Absent
from alight.services.s3.acl import Acls
from alight.services.s3.buckets import Buckets
from alight.services.s3.copying import Copying
from alight.services.s3.cors import Cors
from alight.services.s3.deletes import Deletes
from alight.services.s3.encryption import Encryption
from alight.services.s3.expiring import Expiring
from alight.services.s3.ground import Emit, Ground
from alight.services.s3.lifecycle import Lifecycle
from alight.services.s3.listing import Listing
from alight.services.s3.multipart import Multipart
from alight.services.s3.notifications import Notifications
from alight.services.s3.object_tags import ObjectTags
from alight.services.s3.objects import Objects
from alight.services.s3.policies import Policies
from alight.services.s3.tables import TABLE
from alight.services.s3.uploads import UploadListing
from alight.services.s3.validation import TargetCheck
from alight.services.s3.versioning import Versioning
from alight.services.s3.websites import Websites
from alight.store.database import Database
from alight.store.objects import ObjectStore

_NOUNS = (
    Buckets,
    Policies,
    Cors,
    Websites,
    Notifications,
    Objects,
    ObjectTags,
    Acls,
    Deletes,
    Copying,
    Listing,
    Multipart,
    UploadListing,
    Versioning,
    Lifecycle,
    Encryption,
    Absent,
)


class S3:
    """The service over a database and an object store of the same data folder.

    `emit(tx, target_arn, payload, rule)` is called inside the write job that changes an object, once for each
    notification rule that wants the event. `target_exists(arn, bucket)` says why a bucket cannot notify an ARN ("The
    destination queue does not exist"), or None where it can.
    """

    def __init__(
        self, database: Database, objects: ObjectStore, *, clock: Clock, emit: Emit, target_exists: TargetCheck
    ) -> None:
        self._ground = Ground(database, objects, clock, emit, target_exists)
        #: One pass of all buckets' lifecycle rules.
        self.expire = Expiring(self._ground).run

    def operations(self) -> dict[tuple[str, str], Handler]:
        handlers: dict[str, Handler] = {}
        for noun in _NOUNS:
            handlers |= noun(self._ground).handlers()
        # The model has no operation for forms: they take what a PutObject takes.
        posting = {"PostObject": handlers.pop("PostObject")}
        return guarded("s3", TABLE, handlers) | guarded("s3", {"PostObject": TABLE["PutObject"]}, posting)
