"""Faults of the object store, under the codes and sentences that S3 gives them."""

from __future__ import annotations

from alight.errors import Fault


class AccessControlListNotSupported(Fault):
    """The bucket does not allow ACLs"""

    status = 400


class AccessForbidden(Fault):
    """CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS \
spec."""

    status = 403


class BadDigest(Fault):
    """The Content-MD5 you specified did not match what we received."""

    status = 400


class BadRequest(Fault):
    """An error occurred when parsing the HTTP request."""

    status = 400


class BucketAlreadyExists(Fault):
    """The requested bucket name is not available. Please select a different name and try again."""

    status = 409


class BucketAlreadyOwnedByYou(Fault):
    """Your previous request to create the named bucket succeeded and you already own it."""

    status = 409


class BucketNotEmpty(Fault):
    """The bucket you tried to delete is not empty"""

    status = 409


class ConditionalRequestConflict(Fault):
    """A conflicting conditional operation is currently in progress against this resource. Please try again."""

    status = 409


class EntityTooLarge(Fault):
    """Your proposed upload exceeds the maximum allowed size"""

    status = 400


class EntityTooSmall(Fault):
    """Your proposed upload is smaller than the minimum allowed size"""

    status = 400


class IllegalLocationConstraintException(Fault):
    """The specified location constraint is incompatible with the region to which this request was sent."""

    status = 400


class IllegalVersioningConfigurationException(Fault):
    """The Versioning element must be specified"""

    status = 400


class IncompleteBody(Fault):
    """You did not provide the number of bytes specified by the Content-Length HTTP header"""

    status = 400


class IncorrectNumberOfFilesInPostRequest(Fault):
    """POST requires exactly one file upload per request."""

    status = 400


class InvalidArgument(Fault):
    """Invalid Argument"""

    status = 400


class InvalidBucketAclWithObjectOwnership(Fault):
    """Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"""

    status = 400


class InvalidBucketName(Fault):
    """The specified bucket is not valid."""

    status = 400


class InvalidDigest(Fault):
    """The Content-MD5 you specified was invalid."""

    status = 400


class InvalidPart(Fault):
    """One or more of the specified parts could not be found. The part may not have been uploaded, or the \
specified entity tag may not match the part's entity tag."""

    status = 400


class InvalidPartNumber(Fault):
    """The requested partnumber is not satisfiable"""

    status = 416


class InvalidPartOrder(Fault):
    """The list of parts was not in ascending order. Parts must be ordered by part number."""

    status = 400


class InvalidPolicyDocument(Fault):
    """The content of the form does not meet the conditions specified in the policy document."""

    status = 400


class InvalidRange(Fault):
    """The requested range is not satisfiable"""

    status = 416


class InvalidRedirectLocation(Fault):
    """The website redirect location must have a prefix of 'http://' or 'https://' or '/'."""

    status = 400


class InvalidRequest(Fault):
    """Invalid Request"""

    status = 400


class InvalidStorageClass(Fault):
    """The storage class you specified is not valid"""

    status = 400


class InvalidTag(Fault):
    """The tag provided was not a valid tag."""

    status = 400


class InvalidURI(Fault):
    """Couldn't parse the specified URI."""

    status = 400


class KeyTooLongError(Fault):
    """Your key is too long"""

    status = 400


class MalformedACLError(Fault):
    """The XML you provided was not well-formed or did not validate against our published schema"""

    status = 400


class MalformedPOSTRequest(Fault):
    """The body of your POST request is not well-formed multipart/form-data."""

    status = 400


class MalformedPolicy(Fault):
    """Policies must be valid JSON and the first byte must be '{'"""

    status = 400


class MalformedXML(Fault):
    """The XML you provided was not well-formed or did not validate against our published schema"""

    status = 400


class MaxPostPreDataLengthExceededError(Fault):
    """Your POST request fields preceding the upload file were too large."""

    status = 400


class MetadataTooLarge(Fault):
    """Your metadata headers exceed the maximum allowed metadata size"""

    status = 400


class MethodNotAllowed(Fault):
    """The specified method is not allowed against this resource."""

    status = 405


class NoSuchBucket(Fault):
    """The specified bucket does not exist"""

    status = 404


class NoSuchBucketPolicy(Fault):
    """The bucket policy does not exist"""

    status = 404


class NoSuchCORSConfiguration(Fault):
    """The CORS configuration does not exist"""

    status = 404


class NoSuchKey(Fault):
    """The specified key does not exist."""

    status = 404


class NoSuchPublicAccessBlockConfiguration(Fault):
    """The public access block configuration was not found"""

    status = 404


class NoSuchLifecycleConfiguration(Fault):
    """The lifecycle configuration does not exist"""

    status = 404


class NoSuchTagSet(Fault):
    """The TagSet does not exist"""

    status = 404


class NoSuchUpload(Fault):
    """The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
completed."""

    status = 404


class NoSuchVersion(Fault):
    """The specified version does not exist."""

    status = 404


class NoSuchWebsiteConfiguration(Fault):
    """The specified bucket does not have a website configuration"""

    status = 404


class NotFound(Fault):
    """Not Found"""

    status = 404
    code = "404"


class NotModified(Fault):
    """Not Modified"""

    status = 304
    code = "304"


class ObjectLockConfigurationNotFoundError(Fault):
    """Object Lock configuration does not exist for this bucket"""

    status = 404


class OwnershipControlsNotFoundError(Fault):
    """The bucket ownership controls were not found"""

    status = 404


class ReplicationConfigurationNotFoundError(Fault):
    """The replication configuration was not found"""

    status = 404


class PreconditionFailed(Fault):
    """At least one of the pre-conditions you specified did not hold"""

    status = 412


class TooManyBuckets(Fault):
    """You have attempted to create more buckets than allowed"""

    status = 400
