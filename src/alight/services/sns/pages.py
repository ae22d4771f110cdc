"""The unsigned entrance of SNS: the links in confirmations and mails, and the signing certificate.

An ASGI app for `/_aws/sns/`. A link is only as good as its token, or the unguessable id in a subscription's ARN.
"""

from __future__ import annotations

import html
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from alight.asgi import Receive, Scope, Send
from alight.calls import ANONYMOUS, Call
from alight.errors import Fault
from alight.errors.common import AccessDenied
from alight.errors.sns import InvalidParameter
from alight.names import new_request_id
from alight.notifications.signing import Signer
from alight.services.sns.subscriptions import SubscriptionOperations

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


class SnsPages:
    """Answers GET (and HEAD of the certificate); everything else is refused."""

    def __init__(self, subscriptions: SubscriptionOperations, signer: Signer) -> None:
        self._subscriptions = subscriptions
        self._signer = signer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request_id = new_request_id()
        if scope["method"] not in ("GET", "HEAD"):
            await _reply(send, 405, "text/plain", b"Method Not Allowed\n", [(b"allow", b"GET, HEAD")])
            return
        if scope["path"].endswith(".pem"):
            await self._certificate(scope, send)
            return
        readable = b"text/html" in dict(scope["headers"]).get(b"accept", b"")
        try:
            if scope["method"] != "GET":
                raise InvalidParameter("Links are opened by GET.")
            action, arn = await self._act(scope, request_id)
        except Fault as fault:
            body = _error_page(fault) if readable else _error_xml(fault, request_id)
            await _reply(send, fault.status, "text/html" if readable else "text/xml", body)
            return
        body = _page(action, arn) if readable else _xml(action, arn, request_id)
        await _reply(send, 200, "text/html" if readable else "text/xml", body)

    async def _certificate(self, scope: Scope, send: Send) -> None:
        name = scope["path"].rpartition("/")[2]
        if name != self._signer.certificate_name:
            await _reply(send, 404, "text/plain", b"No such certificate\n")
            return
        await _reply(send, 200, "application/x-pem-file", self._signer.certificate)

    async def _act(self, scope: Scope, request_id: str) -> tuple[str, str]:
        """What the link asks for. Returns the action and the subscription's ARN."""
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        action = query.get("Action", "")
        if action == "ConfirmSubscription":
            given = {"TopicArn": query.get("TopicArn", ""), "Token": query.get("Token", "")}
            call = Call("sns", action, request_id, ANONYMOUS)
            confirmed = await self._subscriptions.confirm_subscription(call, given)
            return action, confirmed["SubscriptionArn"]
        if action == "Unsubscribe":
            arn = query.get("SubscriptionArn", "")
            await self._subscriptions.unsubscribe_by_link(arn)
            return action, arn
        raise AccessDenied("This entrance only confirms and ends subscriptions.")


async def _reply(
    send: Send, status: int, content_type: str, body: bytes, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [
        (b"content-type", f"{content_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'"),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _xml(action: str, arn: str, request_id: str) -> bytes:
    result = f"<{action}Result><SubscriptionArn>{escape(arn)}</SubscriptionArn></{action}Result>"
    inside = result if action == "ConfirmSubscription" else ""
    return (
        f'<{action}Response xmlns="{NAMESPACE}">{inside}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    ).encode()


def _error_xml(fault: Fault, request_id: str) -> bytes:
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{"Sender" if fault.by_sender else "Receiver"}</Type>'
        f"<Code>{fault.code}</Code><Message>{escape(fault.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _page(action: str, arn: str) -> bytes:
    said = "Subscription confirmed" if action == "ConfirmSubscription" else "Subscription removed"
    topic = arn.rpartition(":")[0]
    return _html(said, f"Topic: {topic}")


def _error_page(fault: Fault) -> bytes:
    return _html("This link cannot be used", fault.message)


def _html(title: str, text: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></html>\n"
    ).encode()
