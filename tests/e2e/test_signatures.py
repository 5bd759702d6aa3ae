# SPDX-License-Identifier: MIT
"""test_signatures.py - every form of a right signature, forty wrong ones, the quarantine."""

import base64
import hashlib
import hmac

import kit
import pytest

BODY = b'{"id":111}'
SECRET = kit.Gateway.SECRETS["prodsmart-hook"]
URLSAFE = bytes.maketrans(b"+/", b"-_")


def sign(form="sha1-hex", body=BODY, secret=SECRET):
    return kit.signature(secret, body, form)


def headers(value, name="x-prodsmart-hmac-sha256", topic="lot_deleted"):
    made = kit.webhook_headers(None, topic, BODY)
    if value is not None:
        made[name] = value
    return made


def post(gan, pairs, body=BODY):
    return gan.http("POST", "/hooks/prodsmart", body, pairs)


def accepted(gan):
    return sum(gan.status()["events"].values())


def test_every_form_is_accepted(make_gateway):
    gan = make_gateway()
    sent = 0
    for form in kit.FORMS:
        value, algorithm = sign(form), form.split("-")[0]
        variants = [value, f'"{value}"', f" {value} ", f"{algorithm}={value}",
                    f'"{algorithm}={value}"']
        if form.endswith("hex") and not form.endswith("base64hex"):
            variants.append(value.upper())
        else:
            variants += [value.rstrip("="), value.encode().translate(URLSAFE).decode()]
        if algorithm == "sha1":
            variants.append("sha1hash=" + value)
        for text in variants:
            for name in ("x-prodsmart-hmac-sha256", "x-prodsmart-hmac-sha1"):
                got = post(gan, headers(text, name))
                assert got.status == 200, (form, name, text, got)
                sent += 1
    assert accepted(gan) == sent


def test_both_headers_must_be_right(make_gateway):
    gan = make_gateway()
    two = headers(sign("sha256-hex"))
    two["x-prodsmart-hmac-sha1"] = sign("sha1-hex")
    assert post(gan, two).status == 200
    two["x-prodsmart-hmac-sha1"] = sign("sha1-hex", b"other")
    assert post(gan, two).status == 401
    assert accepted(gan) == 1


def forgeries():
    """(why, headers, body): forty that must be refused, each near a right one."""
    right = {form: sign(form) for form in kit.FORMS}
    mac1 = hmac.new(SECRET.encode(), BODY, hashlib.sha1).digest()
    mac256 = hmac.new(SECRET.encode(), BODY, hashlib.sha256).digest()
    b64 = lambda raw: base64.b64encode(raw).decode()  # noqa: E731

    def flip(text):
        return ("0" if text[0] != "0" else "1") + text[1:]

    values = [("none", None), ("empty", ""), ("quotes only", '""'), ("blank", "   "),
              ("all zero sha1", "0" * 40), ("all zero sha256", "0" * 64),
              ("zero bytes in base64", b64(bytes(20))), ("prefix only", "sha1="),
              ("unknown prefix", "md5=" + right["sha1-hex"]),
              ("two values", right["sha1-hex"] + "," + right["sha1-hex"]),
              ("right one and more", right["sha1-hex"] + "00"),
              ("first half", right["sha1-hex"][:20]),
              ("one digit short", right["sha1-hex"][:-1]),
              ("one byte short", right["sha1-hex"][:-2]),
              ("one digit more", right["sha256-hex"] + "0"),
              ("sha256 cut to 40", right["sha256-hex"][:40]),
              ("no hex digit", "g" + right["sha1-hex"][1:]),
              ("inner blank", right["sha1-hex"][:20] + " " + right["sha1-hex"][20:]),
              ("unbalanced quote", right["sha1-hex"][:-1] + '"'),
              ("sha1 cut in base64", b64(mac1[:19])), ("sha1 and a byte", b64(mac1 + b"\0")),
              ("sha256 cut in base64", b64(mac256[:31])), ("md5", hmac.new(
                  SECRET.encode(), BODY, hashlib.md5).hexdigest()),
              ("sha512", hmac.new(SECRET.encode(), BODY, hashlib.sha512).hexdigest()),
              ("sha1 without key", hashlib.sha1(BODY).hexdigest()),
              ("sha256 without key", hashlib.sha256(BODY).hexdigest()),
              ("key before body", hashlib.sha256(SECRET.encode() + BODY).hexdigest()),
              ("empty key", sign(secret=b"")), ("key with newline", sign(secret=SECRET + "\n")),
              ("another key", sign(secret="another-secret-0123456789")),
              ("key in capitals", sign(secret=SECRET.upper())),
              ("of the body with a blank", sign(body=b'{"id": 111}')),
              ("of an empty body", sign(body=b"")),
              ("the secret itself", SECRET)]
    made = [(why, headers(value), BODY) for why, value in values]
    made += [(f"{form} with a changed digit", headers(flip(right[form])), BODY)
             for form in ("sha1-hex", "sha256-hex", "sha1-base64", "sha256-base64")]
    made.append(("another body", headers(right["sha1-hex"]), b'{"id":112}'))
    made.append(("a longer body", headers(right["sha1-hex"]), BODY + b"\n"))
    return made


def test_forty_forgeries_are_refused(make_gateway):
    gan = make_gateway()
    cases = forgeries()
    assert len(cases) >= 40
    wrong = []
    for why, pairs, body in cases:
        got = post(gan, pairs, body)
        if got.status != 401:
            wrong.append((why, got))
    assert wrong == []
    assert accepted(gan) == 0
    # Best effort: a flood of them must cost nothing, so not all are kept.
    kit.wait_until(lambda: 5 <= gan.status()["quarantined"] <= len(cases), 5, "some are kept")
    assert SECRET not in gan.log()


def test_a_pinned_form_takes_no_other(make_gateway):
    gan = make_gateway(config={"sources": {"prodsmart": {"signature": {
        "header": "x-plant-signature", "algorithm": "sha256", "encoding": "base64"}}}})
    assert post(gan, headers(sign("sha256-base64"), "x-plant-signature")).status == 200
    assert post(gan, headers(sign("sha256-hex"), "x-plant-signature")).status == 401
    assert post(gan, headers(sign("sha1-base64"), "x-plant-signature")).status == 401
    assert post(gan, headers(sign("sha256-base64"))).status == 401


def test_two_secrets_rotate(make_gateway):
    gan = make_gateway(start=False)
    gan.secret("new-hook", "the-new-hook-secret-0123456789")
    gan.reconfigure(sources={"prodsmart": {
        "secret": ["secret:prodsmart-hook", "secret:new-hook"]}})
    gan.start()
    new = sign(secret="the-new-hook-secret-0123456789")
    assert post(gan, headers(sign())).status == 200
    assert post(gan, headers(new)).status == 200
    gan.reconfigure(sources={"prodsmart": {"secret": ["secret:new-hook"]}})
    gan.ctl("reload")
    assert post(gan, headers(sign())).status == 401
    assert post(gan, headers(new)).status == 200


def test_quarantine_is_accepted_once_the_secret_is_right(make_gateway):
    gan = make_gateway()
    right = "what-the-vendor-really-uses-0123456789"
    for n in range(3):
        assert gan.send_webhook("lot_deleted", {"id": n}, secret=right).status == 401
    held = gan.ctl("quarantine list")
    assert len(held) == 3 and accepted(gan) == 0
    # Still wrong: nothing is let in.
    code, out, err = gan.ctl_raw("quarantine", "accept", held[0]["id"])
    assert code == 1 and accepted(gan) == 0, out + err
    gan.secret("prodsmart-hook", right)
    gan.ctl("reload")
    gan.ctl("quarantine accept", held[0]["id"])
    assert len(gan.ctl("quarantine list")) == 2
    kit.wait_until(lambda: accepted(gan) == 1, 5, "the accepted one is an event")
    event, = gan.ctl("events list")
    assert (event["source"], event["topic"]) == ("prodsmart", "lot.deleted")


def test_an_empty_secret_is_no_secret(make_gateway):
    gan = make_gateway(start=False)
    gan.secret("prodsmart-hook", "")
    with pytest.raises((RuntimeError, AssertionError)):
        gan.start(deadline=5)
    assert "prodsmart-hook" in gan.log()
