# SPDX-License-Identifier: MIT
"""test_erp.py - an ERP that sends in bulk, waits for outcomes and asks for them by its own keys."""

import base64

import kit
import pytest
import rules

BODY = {"n": 1, "key": "a"}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def post(gan, path, body, auth, **headers):
    pairs = {"Content-Type": "application/json", "Authorization": auth,
             **{k.replace("_", "-"): v for k, v in headers.items()}}
    return gan.http("POST", path, kit.as_bytes(body), pairs)


# -- who sends ------------------------------------------------------------------


@pytest.fixture
def sap(make_gateway):
    """A gateway with a source of each way to log in, and one that changes over."""
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP}, start=False)
    gan.secret("sap-old", "old-password-0123456789")
    gan.secret("sap-new", "n\u00e9w:password-0123456789")
    gan.reconfigure(sources={
        "sap": {"kind": "http", "basic": {"user": "sap", "password": "secret:sap-old"}},
        "both": {"kind": "http", "tokens": "secret:other-token",
                 "basic": {"user": "both", "password": ["secret:sap-old", "secret:sap-new"]}}})
    gan.reconfigure(sources={"other": None})
    return gan.start()


def test_basic_opens_its_own_source(sap):
    old = basic("sap", "old-password-0123456789")
    got = post(sap, "/v1/events/sap/line", BODY, old)
    assert got.status == 202
    where = got.headers["location"]
    assert sap.http("GET", where, None, {"Authorization": old}).json()["source"] == "sap"
    assert sap.erp_get(where).status == 404
    assert post(sap, "/v1/events/erp/line", BODY, old).status == 403
    for wrong in (basic("sap", "old-password-012345678"), basic("SAP", "old-password-0123456789"),
                  basic("sap", ""), "Bearer old-password-0123456789", "Basic", "Basic !!",
                  basic("both", "old-password-0123456789") + "x",
                  "Bearer " + basic("sap", "old-password-0123456789")[6:]):
        got = post(sap, "/v1/events/sap/line", BODY, wrong)
        assert got.status == 401, wrong
        assert got.headers["www-authenticate"].startswith('Bearer realm="gantry", Basic realm='), got
        assert "Authorization" in got.json()["detail"]
    assert "old-password" not in sap.log()


def test_a_source_may_take_both_ways_and_two_passwords(sap):
    for auth in (basic("both", "old-password-0123456789"),
                 basic("both", "n\u00e9w:password-0123456789"),
                 "Bearer " + sap.SECRETS["other-token"]):
        assert post(sap, "/v1/events/both/line", BODY, auth).status == 202, auth
    # Rotation: the old one goes, at a reload.
    sap.reconfigure(sources={"both": {"basic": {"password": "secret:sap-new"}}})
    sap.ctl("reload")
    assert post(sap, "/v1/events/both/line", BODY,
                basic("both", "old-password-0123456789")).status == 401
    assert post(sap, "/v1/events/both/line", BODY,
                basic("both", "n\u00e9w:password-0123456789")).status == 202
    shown = sap.ctl("config show")["sources"]["both"]
    assert shown["basic"] == {"user": "both", "password": ["secret:sap-new"]}
