"""One kind of call on the trodden path (see `trodden.py`): how its request is written, and its answer read.

For operations whose parameters go into the path, headers, a form or the body as it is, and whose answers are headers
and a stream, or a form of texts. Whatever is another raises, and the call goes the long way.

Standard library only, and old Python versions too: this runs under the function's interpreter.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

BODY_LIMIT = 1024 * 1024
HEAD_LIMIT = 64 * 1024
EVENTS = (
    "provide-client-params", "before-parameter-build", "before-endpoint-resolution", "before-call", "request-created",
    "choose-signer", "before-sign", "before-send", "before-parse", "response-received", "needs-retry", "after-call",
)  # fmt: skip
#: Botocore's own hooks. What they do for a plain call is the same each time, or stands in this file.
HOOKS = {
    "botocore.client": {"ClientCreator._default_s3_presign_to_sigv2", "ClientCreator._inject_s3_input_parameters"},
    "botocore.handlers": {
        "_handle_200_error", "_handle_request_validation_mode_member", "_handle_sqs_compatible_error",
        "_set_auth_scheme_preference_signer",
        "_set_extra_headers_for_unsigned_request", "_update_status_code", "add_expect_header",
        "add_recursion_detection_header", "add_retry_headers", "customize_endpoint_resolver_builtins",
        "generate_idempotent_uuid", "handle_expires_header", "inject_api_version_header_if_needed",
        "remove_arn_from_signing_path", "remove_bucket_from_url_paths_from_model", "set_operation_specific_signer",
        "sse_md5", "validate_bucket_name",
    },
    "botocore.retries.standard": {
        "MaxAttemptsSeeder.seed_max_attempts", "RetryHandler.needs_retry", "RetryQuotaChecker.release_retry_quota",
    },
    "botocore.retryhandler": {"RetryHandler"},
    "botocore.signers": {"RequestSigner.handler"},
    "botocore.useragent": {"UserAgentString.rebuild_and_replace_user_agent_handler"},
    "botocore.utils": {
        "S3ExpressIdentityResolver.apply_signing_cache_key", "S3ExpressIdentityResolver.resolve_s3express_identity",
        "S3RegionRedirectorv2.annotate_request_context", "S3RegionRedirectorv2.redirect_from_cache",
        "S3RegionRedirectorv2.redirect_from_error",
    },
}  # fmt: skip
#: Headers that are the same for each call of a kind.
STEADY = {
    "amz-sdk-request", "authorization", "content-type", "host", "user-agent", "x-amz-checksum-mode", "x-amz-target",
    "x-amzn-query-mode",
}  # fmt: skip
TRACE, CALL_ID, LENGTH = "x-amzn-trace-id", "amz-sdk-invocation-id", "content-length"
#: Members of answers that are texts, and those that botocore's parser has to read.
SCALARS = {"boolean", "double", "float", "integer", "long", "timestamp"}
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_BUCKET = re.compile(r"[a-z0-9](?:-?[a-z0-9])+")
_TEXTS = r"((?:<[A-Za-z]+>[^<>&\r]+</[A-Za-z]+>)*)"
_FORM = re.compile(
    r"(?:<\?xml version=.1\.0.(?: encoding=.(?:utf|UTF)-8.)?\?>\n?)?<([A-Za-z]+)(?: xmlns=\"[^\"<>&]*\")?>"
    r"<([A-Za-z]+)>" + _TEXTS + r"</\2><ResponseMetadata>" + _TEXTS + r"</ResponseMetadata></\1>\n?"
)
_TEXT = re.compile(r"<([A-Za-z]+)>([^<]+)</([A-Za-z]+)>")


class Unfit(Exception):
    """Not as plain as it would have to be."""


class Path:
    """One kind of call of one client."""

    def __init__(self, client: Any, name: str, given: Mapping[str, Any], head: str, request: Any, timeout: Any) -> None:
        self._model = model = client.meta.service_model.operation_model(name)
        self.timeout = timeout
        #: What answers say of attempts: whether the first is the last one, and that none came before.
        self.attempts: dict[str, Any] = {}
        self._request = SimpleNamespace(method=request.method)
        service = model.service_model
        protocol = getattr(service, "resolved_protocol", None) or service.metadata["protocol"]
        self._is_form = protocol == "query"
        #: What a service of JSON takes and gives has all shapes: botocore's own serializer and parser know them.
        self._serializer = client._serializer if protocol == "json" else None
        self._look_at_hooks(client.meta.events, model)
        self._look_at_model(given)
        self._head = self._template(head)
        self._look_at_answers(client._endpoint._response_parser_factory.create_parser(protocol), model.output_shape)
        # A request that is prepared knew its context in the newest botocores only; what stands for its signature does.
        context = request.headers["Authorization"].context
        self._checksums = context.get("checksum", {}).get("response_algorithms")
        self._checked = sys.modules["botocore.httpchecksum"].handle_checksum_body
        self._streaming = sys.modules["botocore.response"].StreamingBody

    @property
    def holds(self) -> bool:
        """Whether the client's hooks are those that were looked at."""
        return self._emitter._lookup_cache is self._lookups  # another one after each change

    @property
    def is_quiet(self) -> bool:
        """Whether they have nothing to do after a success."""
        for quota in self._quotas:
            if quota._available_capacity != quota._max_capacity:
                return False
        return not any(self._redirected)

    def _look_at_hooks(self, events: Any, model: Any) -> None:
        service = model.service_model.service_id.hyphenize()
        self._emitter = events._emitter
        self._lookups = self._emitter._lookup_cache
        self._quotas: list[Any] = []
        self._redirected: list[Any] = []
        for event in EVENTS:
            place = service if event == "before-endpoint-resolution" else service + "." + model.name
            for hook in self._emitter._handlers.prefix_search(events._alias_event_name(event + "." + place)):
                of: Any = getattr(hook, "__self__", None)
                does: Any = getattr(hook, "__func__", hook)
                if not hasattr(does, "__qualname__"):
                    does = type(does)
                if does.__qualname__ not in HOOKS.get(does.__module__, ()):
                    raise Unfit
                if does.__qualname__ == "RetryQuotaChecker.release_retry_quota":
                    self._quotas.append(of._quota)
                if does.__qualname__ == "S3RegionRedirectorv2.redirect_from_cache":
                    self._redirected.append(of._cache)

    # The request.

    def _look_at_model(self, given: Mapping[str, Any]) -> None:
        """Where the parameters go."""
        model, shape = self._model, self._model.input_shape
        special = (
            model.idempotent_members, model.endpoint, model.has_event_stream_input, model.has_event_stream_output,
            model.http_checksum_required, model.http_checksum.get("requestAlgorithmMember"),
            getattr(model, "request_compression", None), getattr(model, "operation_context_parameters", None),
        )  # fmt: skip
        decisive = {parameter.member_name for parameter in model.context_parameters}
        if any(special) or decisive - {"Bucket", "Key"} or not _BUCKET.fullmatch(given.get("Bucket", "ok")):
            raise Unfit
        self._members: list[Any] = []
        # All of it is in the body where that is JSON.
        for name in given if self._serializer is None else ():
            member = shape.members[name]
            place = member.serialization.get("location")
            if name == shape.serialization.get("payload"):
                place = "payload" if member.type_name == "blob" else None
            elif member.type_name != "string" or member.serialization.get("jsonvalue"):
                place = None
            elif place is None and self._is_form:
                place = "form"
            if place not in ("uri", "header", "form", "payload"):
                raise Unfit
            least = max(member.metadata.get("min", 0), 0 if place == "form" else 1)
            self._members.append((name, place, member.serialization.get("name", name), least))
        self._places = {key: name for name, place, key, _ in self._members if place == "uri"}
        self._form: Any = "Action=" + model.name + "&Version=" + model.metadata.get("apiVersion", "")
        # Text, parameter, text, parameter ... text
        self._target = re.split("{(.*?)}", model.http.get("authPath", model.http["requestUri"]))

    def _look_at_answers(self, parser: Any, shape: Any) -> None:
        self._parser = parser
        self._outputs: list[Any] = []
        self.payload = None
        if self._serializer is not None:
            return
        self.payload = shape.serialization.get("payload")
        self._wrapper = shape.serialization.get("resultWrapper")
        self._texts = [(name, member.serialization.get("name", name)) for name, member in shape.members.items()]
        if self._is_form:
            if any(member.type_name != "string" for member in shape.members.values()):
                raise Unfit
        elif not self._model.has_streaming_output:
            raise Unfit
        outputs = (self._output(*member) for member in shape.members.items() if member[0] != self.payload)
        self._outputs = [output for output in outputs if output is not None]

    def _template(self, head: str) -> str:
        """The head that was sent, with holes in place of what is another each time."""
        own = {key.lower(): name for name, place, key, _ in self._members if place == "header"}
        lines = head.split("\n")
        found = [lines[0].split(" ")[0] + " %(target)s"]
        for line in lines[1:]:
            key = line.partition(":")[0]
            lower = key.lower()
            if lower in own:
                found.append(key + ":%(own." + own[lower] + ")s")
            elif lower in (TRACE, CALL_ID, LENGTH):
                found.append(key + ":%(" + lower + ")s")
            elif lower in STEADY:
                found.append(line.replace("%", "%%"))
            else:
                raise Unfit
        self._is_traced = any(line.lower().startswith(TRACE + ":") for line in lines)
        self._trace = ("", "")
        return "\n".join(found)

    def written(self, params: Mapping[str, Any], call_id: str) -> tuple[bytes, bytes]:
        """Head and body for the hatch."""
        values = {CALL_ID: call_id}
        body, form = b"", self._form
        for name, place, key, least in self._members:
            value = params[name]
            if place == "payload":
                body = value.encode() if type(value) is str else value
                if type(body) not in (bytes, bytearray) or not body:
                    raise Unfit
                continue
            if type(value) is not str or len(value) < least or (place == "header" and not _PLAIN.fullmatch(value)):
                raise Unfit
            if place == "form":
                form += "&" + key + "=" + quote_plus(value)
            elif place == "header":
                values["own." + name] = value
        if self._is_form:
            body = form.encode()
        elif self._serializer is not None:
            body = self._serializer.serialize_to_request(params, self._model)["body"]
        values[LENGTH], values["target"] = str(len(body)), self._targeted(params)
        trace = os.environ.get("_X_AMZN_TRACE_ID") if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else None
        if bool(trace) != self._is_traced:
            raise Unfit
        if trace and trace != self._trace[0]:
            self._trace = (trace, quote(trace, safe="-=;:+&[]{}\"',"))
        values[TRACE] = self._trace[1]
        head = (self._head % values).encode("latin-1")
        if len(head) > HEAD_LIMIT or len(body) > BODY_LIMIT:
            raise Unfit
        return head, bytes(body)

    def _targeted(self, params: Mapping[str, Any]) -> str:
        found = []
        for index, text in enumerate(self._target):
            if index % 2 == 0:
                found.append(text)
            elif text.endswith("+"):
                value = params[self._places[text[:-1]]]
                if value.startswith("/"):
                    raise Unfit
                found.append(quote(value, safe="/~"))
            else:
                found.append(quote(params[self._places[text]], safe="~"))
        return "".join(found)

    # The answer.

    def read(self, heard: Any, stream: Callable[[Any, Any], Any]) -> dict[str, Any]:
        """What botocore makes of a success."""
        if heard.status != 200 or type(heard.body) is not bytes:
            raise Unfit
        fields = {name.lower(): value for name, value in heard.fields.items()}
        if len(fields) != len(heard.fields) or "expires" in fields:
            raise Unfit
        if self._is_form:
            return self._read_form(heard.body.decode(), fields)
        if self._serializer is not None:
            response = {"headers": fields, "status_code": 200, "body": heard.body}
            parsed: dict[str, Any] = self._parser.parse(response, self._model.output_shape)
            parsed["ResponseMetadata"].update(self.attempts)
            return parsed
        said: dict[str, Any] = {}
        if "x-amzn-requestid" in fields:
            said["RequestId"] = fields["x-amzn-requestid"]
        elif "x-amz-request-id" in fields:
            said["RequestId"], said["HostId"] = fields["x-amz-request-id"], fields.get("x-amz-id-2", "")
        found: dict[str, Any] = {"ResponseMetadata": said}
        for name, place, key, scalar in self._outputs:
            if place == "header":
                if key in fields:
                    found[name] = scalar(fields[key]) if scalar else fields[key]
            elif place == "headers":
                found[name] = {n[len(key) :]: value for n, value in heard.fields.items() if n.lower().startswith(key)}
            else:
                found[name] = scalar(heard.status)
        found[str(self.payload)], algorithm = self._body(heard, fields, stream)
        said["HTTPStatusCode"], said["HTTPHeaders"] = heard.status, fields
        if algorithm:
            said["ChecksumAlgorithm"] = algorithm
        said.update(self.attempts)
        return found

    def _body(self, heard: Any, fields: dict[str, str], stream: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
        raw = stream(self._request, heard)
        if self._checksums:
            response: dict[str, Any] = {"headers": fields, "context": {}}
            asked = {"checksum": {"response_algorithms": self._checksums}}
            self._checked(SimpleNamespace(raw=raw), response, asked, self._model)
            if "body" in response:
                return response["body"], response["context"]["checksum"]["response_algorithm"]
        return self._streaming(raw, fields.get(LENGTH)), None

    def _read_form(self, text: str, fields: dict[str, str]) -> dict[str, Any]:
        whole = _FORM.fullmatch(text)
        if whole is None or whole.group(2) != self._wrapper:
            raise Unfit
        found: dict[str, Any] = {}
        have = _texts(whole.group(3))
        for name, key in self._texts:
            if key in have:
                found[name] = have.pop(key)
        if have:
            raise Unfit
        said = _texts(whole.group(4))
        said["HTTPStatusCode"], said["HTTPHeaders"] = 200, fields
        said.update(self.attempts)
        found["ResponseMetadata"] = said
        return found

    def _output(self, name: str, shape: Any) -> tuple[str, str, str, Any] | None:
        """Where a member stands in an answer, and how it is read where it is no text."""
        place, key = shape.serialization.get("location"), shape.serialization.get("name", name).lower()
        if place == "header" and shape.type_name == "string" and not shape.serialization.get("jsonvalue"):
            return name, place, key, None
        if place in ("header", "statusCode"):
            reads = shape.type_name in SCALARS
            return name, place, key, functools.partial(self._parser._parse_shape, shape) if reads else _refuse
        return (name, place, key, None) if place == "headers" else None


def _texts(text: str) -> dict[str, Any]:
    """Elements that hold nothing but text; each once."""
    found: dict[str, Any] = {}
    for name, value, end in _TEXT.findall(text):
        if name != end or name in found:
            raise Unfit
        found[name] = value
    return found


def _refuse(value: Any) -> Any:
    raise Unfit
