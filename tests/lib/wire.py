# SPDX-License-Identifier: MIT
"""wire.py - one HTTP request, and the signatures of a webhook."""

import base64
import hashlib
import hmac
import http.client
import json
import uuid

from place import SLOW

FORMS = ("sha1-hex", "sha1-base64", "sha1-base64hex",
         "sha256-hex", "sha256-base64", "sha256-base64hex")


class Answer:
    """An HTTP answer; body is bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def request(address, method, path, body=None, headers=(), timeout=15):
    """One request on a connection of its own; headers is a dict or a list of pairs."""
    host, port = address.rsplit(":", 1)
    conn = http.client.HTTPConnection(host, int(port), timeout=timeout * SLOW)
    try:
        conn.putrequest(method, path, skip_accept_encoding=True)
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if body is not None and not any(k.lower() == "content-length" for k, _ in pairs):
            pairs.append(("Content-Length", str(len(body))))
        for name, value in pairs:
            conn.putheader(name, value)
        conn.endheaders(body)
        got = conn.getresponse()
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    finally:
        conn.close()


def as_bytes(body):
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body).encode()


def signature(secret, body, form="sha1-hex"):
    """The signature of a webhook body, in one of FORMS."""
    algorithm, encoding = form.split("-")
    mac = hmac.new(as_bytes(secret), body, getattr(hashlib, algorithm))
    if encoding == "hex":
        return mac.hexdigest()
    raw = mac.digest() if encoding == "base64" else mac.hexdigest().encode()
    return base64.b64encode(raw).decode()


def webhook_headers(secret, topic, body, form="sha1-hex", header="x-prodsmart-hmac-sha256",
                    webhook_uuid=None, triggered_at="2026-11-21T19:02:11.123Z"):
    headers = {
        "Content-Type": "application/json",
        "x-prodsmart-topic": topic,
        "x-prodsmart-api-version": "1",
        "x-prodsmart-webhook-uuid": webhook_uuid or str(uuid.uuid4()),
        "x-prodsmart-triggered-at": triggered_at,
    }
    if secret is not None:
        headers[header] = signature(secret, body, form)
    return headers
