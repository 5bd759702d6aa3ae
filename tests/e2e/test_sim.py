# SPDX-License-Identifier: MIT
"""test_sim.py - the simulator itself: a judge must be judged first."""

import base64
import http.client
import json
import subprocess
import time

import kit
import pytest

FLEX_TYPE = "application/json; charset=utf8"
BASE = "/v1/manufacturer/v2/api"
LINE = {"apiuuid": "87277F40-6954-42F0-B191-A4A1DE476326", "apiid": "PH",
        "senderidentification": "3PL-name", "nodes": [{"name": "pallet_#", "value": "1"}]}


def movilitas(sim, path, body, token="sim-mv-token", channel="sim-mv-channel",
              content_type="application/json", **more):
    headers = {"Content-Type": content_type, **more}
    if token:
        headers["x-access-token"] = token
    if channel:
        headers["x-channel-key"] = channel
    return kit.request(sim.address("movilitas"), "POST", path, kit.as_bytes(body), headers)


def flex_token(sim, password="sim-3pl-password", content_type=FLEX_TYPE):
    basic = base64.b64encode(f"sim-3pl:{password}".encode()).decode()
    return kit.request(sim.address("flex2b"), "GET", "/v1/generatetoken", None,
                       {"Authorization": "Basic " + basic, "Content-Type": content_type})


def flex_post(sim, body, token, content_type=FLEX_TYPE):
    headers = {"Content-Type": content_type}
    if token:
        headers["Authorization"] = token
    return kit.request(sim.address("flex2b"), "POST", "/v1/replicationpost",
                       kit.as_bytes(body), headers)


def decommission(**changes):
    body = {"product_code": "01234567891231", "product_code_schema": "GTIN", "reason": "destroy",
            "send_to_market": False, "market_id": "EU", "serials": ["A", "B"]}
    kit.merge(body, changes)
    return body


def test_movilitas_tokens(sim):
    path = BASE + "/ssccs/release"
    assert movilitas(sim, path, {}, token=None).json()["code"] == "ERR0001"
    assert movilitas(sim, path, {}, token="wrong").json()["code"] == "ERR0000"
    assert movilitas(sim, BASE + "/serials/decommission", {}, token=None).json()[
        "name"] == "NoTokenError"
    assert movilitas(sim, BASE + "/serials/decommission", {}, token="x").json()[
        "name"] == "InvalidTokenError"
    assert "Channel ID" in movilitas(sim, path, {}, channel=None).json()["message"]
    good = {"api_key": "sim-mv-key", "api_secret": "sim-mv-secret"}
    assert movilitas(sim, "/v1/api_auth", {**good, "api_secret": "x"}).status == 401
    sim.state(movilitas={"token_life_ms": 300, "ssccs": {"337370000000000003": "Assigned"}})
    token = movilitas(sim, "/v1/api_auth", good, token=None).json()["token"]
    claims = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert claims["exp"] >= claims["iat"]
    body = {"ssccs": ["337370000000000003"]}
    assert movilitas(sim, path, body, token=token).status == 200
    kit.wait_until(lambda: movilitas(sim, path, body, token=token).status == 401, 3, "expiry")


def test_movilitas_takes_a_bearer_only_where_the_page_does(sim):
    bearer = {"Authorization": "Bearer sim-mv-token"}
    sim.state(movilitas={"sscc_default": "Assigned"})
    body = {"ssccs": ["337370000000000003"]}
    assert movilitas(sim, BASE + "/ssccs/release", body, token=None, **bearer).status == 200
    assert movilitas(sim, BASE + "/ssccs/release", body, **bearer).status == 400
    assert movilitas(sim, BASE + "/serials/decommission", decommission(), token=None,
                     **bearer).status == 401


def test_decommission(sim):
    path = BASE + "/serials/decommission"
    got = movilitas(sim, path, decommission())
    assert got.status == 200
    assert [d["serial_number"] for d in got.json()["data"]] == ["B", "A"]
    again = movilitas(sim, path, decommission(serials=["B", "C"]))
    assert again.status == 400 and again.json()["success"] is False
    assert [d["serial_number"] for d in again.json()["data"]] == ["B"]
    assert movilitas(sim, path, decommission(serials=["C"])).status == 200
    sim.state(movilitas={"products": ["09506000134352"]})
    assert movilitas(sim, path, decommission(serials=["D"])).json()["name"] == "ProductError"
    assert sorted(sim.state()["movilitas"]["decommissioned"]) == [
        "01234567891231/A", "01234567891231/B", "01234567891231/C"]


@pytest.mark.parametrize("change", [
    {"product_code": "123"}, {"product_code": None}, {"product_code_schema": "SGTIN"},
    {"reason": "theft"}, {"send_to_market": "false"}, {"market_id": 7}, {"serials": []},
    {"serials": "A"}, {"serials": ["A", "A"]}, {"serials": [1]}, {"color": "red"}])
def test_decommission_refuses(sim, change):
    got = movilitas(sim, BASE + "/serials/decommission", decommission(**change))
    assert (got.status, got.json()["name"]) == (400, "ValidationError")
    assert sim.count()["movilitas"]["acted"] == 0


def test_release(sim):
    path, body = BASE + "/ssccs/release", {"ssccs": ["337370000000000003", "337370000000000010"]}
    got = movilitas(sim, path, body)
    assert got.status == 400 and got.json()["data"][0]["status"] == "Unknown"
    sim.state(movilitas={"ssccs": {"337370000000000003": "Assigned",
                                   "337370000000000010": "Available"}})
    got = movilitas(sim, path, body)
    assert got.status == 400
    assert [(d["sscc"], d["status"]) for d in got.json()["data"]] == [
        ("337370000000000010", "Available")]
    assert sim.state()["movilitas"]["ssccs"]["337370000000000003"] == "Assigned"
    sim.state(movilitas={"ssccs": {"337370000000000010": "Assigned"}})
    assert movilitas(sim, path, body).json() == {"success": True, "message": "SSCCs released"}
    assert movilitas(sim, path, body, content_type="text/plain").status == 400
    assert movilitas(sim, path, "{").status == 400


def test_flex_tokens(sim):
    assert flex_token(sim, content_type="application/json; charset=utf-8").status == 499
    assert flex_token(sim, password="x").status == 401
    sim.state(flex2b={"token_life_ms": 300})
    got = flex_token(sim).json()
    assert got["ResponseCode"] == 200 and got["ExpirationMs"] == 300
    token, body = got["AccessToken"], {"repLines": [LINE]}
    assert flex_post(sim, body, None).status == 401
    assert flex_post(sim, body, token).status == 401  # raw, where Bearer is wanted
    assert flex_post(sim, body, "Bearer x").status == 403
    assert flex_post(sim, body, "Bearer " + token, "application/json").status == 499
    assert flex_post(sim, body, "Bearer " + token).status == 200
    kit.wait_until(lambda: flex_post(sim, body, "Bearer " + token).status == 403, 3, "expiry")
    sim.state(flex2b={"token_header": "raw", "token_life_ms": 30000})
    token = flex_token(sim).json()["AccessToken"]
    assert flex_post(sim, body, token).status == 200
    assert flex_post(sim, body, "Bearer " + token).status == 403


@pytest.mark.parametrize("body", [
    "", "[]", "{}", '{"repLines":[]}', '{"repLines":[1]}',
    json.dumps({"repLines": [{**LINE, "apiid": "XX"}]}),
    json.dumps({"repLines": [{**LINE, "apiuuid": "1"}]}),
    json.dumps({"repLines": [{**LINE, "senderidentification": ""}]}),
    json.dumps({"repLines": [{**LINE, "nodes": [{"name": "n", "value": 1}]}]}),
    json.dumps({"repLines": [LINE]}).replace('"3PL-name"', "\u201c3PL-name\u201d"),
    json.dumps({"repLines": [LINE]}).replace(" ", "\u00a0")])
def test_flex_refuses(sim, body):
    token = "Bearer " + flex_token(sim).json()["AccessToken"]
    assert flex_post(sim, body, token).status == 400
    assert sim.count()["flex2b"]["acted"] == 0


def test_flex_notices_a_repeat(sim):
    token = "Bearer " + flex_token(sim).json()["AccessToken"]
    first, second = (flex_post(sim, {"repLines": [LINE]}, token).json() for _ in range(2))
    assert first["CommunicationID"] != second["CommunicationID"]
    assert [e["repeats"] for e in sim.journal("flex2b")] == [0, 1]


def erp(sim, body=b"{}", timeout=2):
    return kit.request(sim.address("erp"), "POST", "/orders", body,
                       {"Content-Type": "application/json"}, timeout)


def test_faults(sim):
    sim.fault("erp", "status", status=429, retry_after="3")
    got = erp(sim)
    assert (got.status, got.headers["retry-after"]) == (429, "3")
    for kind, acts in (("drop-before", False), ("drop-after", True), ("raw", True)):
        sim.fault("erp", kind)
        with pytest.raises((OSError, http.client.HTTPException)):
            erp(sim)
        assert sim.journal("erp")[-1]["acted"] is acts
        assert sim.journal("erp")[-1]["fault"] == kind
    sim.fault("erp", "half")
    with pytest.raises(http.client.IncompleteRead):
        erp(sim)
    sim.fault("erp", "garbage")
    assert b"It works" in erp(sim).body
    sim.fault("erp", "huge", size=3000000)
    assert len(erp(sim).body) == 3000008
    sim.fault("erp", "redirect", location="http://127.0.0.1:1/x")
    assert erp(sim).headers["location"] == "http://127.0.0.1:1/x"
    sim.fault("erp", "late", ms=200)
    start = time.monotonic()
    assert erp(sim).status == 200 and time.monotonic() - start >= 0.2
    sim.fault("erp", "hang", ms=300)
    with pytest.raises((OSError, http.client.HTTPException)):
        erp(sim)
    assert erp(sim).status == 200


def test_faults_are_aimed(sim):
    fault = sim.fault("erp", "status", match="X7", times=2)
    assert erp(sim, b'{"a":"X6"}').status == 200
    assert erp(sim, b'{"a":"X7"}').status == 500
    assert sim.hits(fault) == 1
    sim.clear(fault)
    assert erp(sim, b'{"a":"X7"}').status == 200
    sim.fault("flex2b", "status", token=True, status=503)
    assert flex_token(sim).status == 503
    assert flex_token(sim).status == 200


def test_random_faults_repeat_with_their_seed(sim):
    runs = []
    for _ in range(2):
        sim.reset()
        sim.fault("erp", "status", probability=0.3, seed=7)
        runs.append([erp(sim).status for _ in range(50)])
    assert runs[0] == runs[1]
    assert 5 < runs[0].count(500) < 25


def test_a_port_can_go_down(sim):
    assert erp(sim).status == 200
    sim.state(erp={"down": True})
    with pytest.raises(ConnectionRefusedError):
        erp(sim)
    sim.state(erp={"down": False})
    assert erp(sim).status == 200


def test_journal_hides_credentials(sim):
    flex_token(sim)
    movilitas(sim, "/v1/api_auth", {"api_key": "sim-mv-key", "api_secret": "sim-mv-secret"})
    movilitas(sim, BASE + "/ssccs/release", {"ssccs": ["337370000000000003"]})
    text = json.dumps(sim.ask("GET", "/journal"))
    for secret in ("sim-mv-token", "sim-mv-channel", "sim-mv-secret", "c2ltLTNwbDpz"):
        assert secret not in text
    assert "sha256:" in text


def test_send_signs_every_form(sim, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("igw-test-secret\n")
    body = tmp_path / "body"
    body.write_text('{"id":111}')
    known = {"sha1-hex": "9fa4246350412dda705c24cb38078a82756177f0",
             "sha1-base64": "n6QkY1BBLdpwXCTLOAeKgnVhd/A=",
             "sha256-base64": "6p2qVmVbXCmhc4ShvULFy9z/rJmJ2SeIe9OH86v/fDY="}
    for form in kit.FORMS:
        done = subprocess.run(
            [kit.program("gantry-sim"), "send", "--url", sim.url("erp") + "/x", "--secret-file",
             secret, "--topic", "lot_deleted", "--form", form, "--body", body, "--prefix",
             "--quotes"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("HTTP/1.1 200")
        sent = sim.journal("erp")[-1]["headers"]["x-prodsmart-hmac-sha256"]
        value = kit.signature("igw-test-secret", b'{"id":111}', form)
        assert sent == f'"{form.split("-")[0]}={value}"'
        assert value == known.get(form, value)


def test_send_many(sim, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")
    done = subprocess.run(
        [kit.program("gantry-sim"), "send", "--url", sim.url("erp") + "/x", "--secret-file",
         secret, "--topic", "t", "--count", "500", "--connections", "8"],
        input='{"n":@N@}', capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["ok"] == 500
    assert {e["json"]["n"] for e in sim.journal("erp")} == set(range(1, 501))
    assert len({e["headers"]["x-prodsmart-webhook-uuid"] for e in sim.journal("erp")}) == 500
    sim.state(erp={"down": True})
    done = subprocess.run(
        [kit.program("gantry-sim"), "send", "--url", sim.url("erp") + "/x", "--secret-file",
         secret, "--topic", "t"], input="{}", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "no answer\n")


# -- the ERP ---------------------------------------------------------------------------------


def form(sim, text, user=None, kind="application/x-www-form-urlencoded"):
    headers = {"Content-Type": kind}
    if user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    return kit.request(sim.address("erp"), "POST", "/oauth/token", text.encode(), headers)


def test_erp_tokens_are_strict(sim):
    sim.state(erp={"auth": "oauth2", "scope": "a b", "client_id": "c d"})
    good, grant = "c%20d:sim-erp-client-secret", "grant_type=client_credentials&scope=a+b"
    for text, user, status, error in [
            (grant, None, 401, "invalid_client"), (grant, "c d:wrong", 401, "invalid_client"),
            (grant, "c d:sim-erp-client-secret", 401, "invalid_client"),
            (grant + "&client_id=c+d&client_secret=wrong", None, 401, "invalid_client"),
            ("scope=a+b", good, 400, "invalid_request"), ("", good, 400, "invalid_request"),
            (grant + "&" + grant, good, 400, "invalid_request"),
            ("grant_type=password&scope=a+b", good, 400, "unsupported_grant_type"),
            ("grant_type=client_credentials", good, 400, "invalid_scope")]:
        got = form(sim, text, user)
        assert (got.status, got.json()["error"]) == (status, error), (text, user)
    assert form(sim, grant, good, "application/json").status == 400
    for got in (form(sim, grant, good),
                form(sim, grant + "&client_id=c+d&client_secret=sim-erp-client-secret")):
        answer = got.json()
        assert (got.status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 3600)
        assert erp_call(sim, {"Authorization": f"Bearer {answer['access_token']}"}).status == 200
    sim.state(erp={"forget_tokens": True})
    assert erp_call(sim, {"Authorization": f"Bearer {answer['access_token']}"}).status == 401
    sim.state(erp={"token_life_ms": 0, "expires_in": "text"})
    answer = form(sim, grant, good).json()
    assert answer["expires_in"] == "0"
    assert erp_call(sim, {"Authorization": f"Bearer {answer['access_token']}"}).status == 401
    assert all(row["body"] is None for row in sim.tokens("erp")), "a journal tells no secret"


def erp_call(sim, headers=None, body=b"{}", kind="application/json", method="POST"):
    return kit.request(sim.address("erp"), method, "/orders/7", body,
                       {"Content-Type": kind, **(headers or {})})


def test_erp_callers_and_canned_answers(sim):
    basic = {"Authorization": "Basic " + base64.b64encode(b"sim-erp:sim-erp-password").decode()}
    assert erp_call(sim, basic).status == 401, "credentials that nobody asked for"
    sim.state(erp={"auth": "basic"})
    assert (erp_call(sim).status, erp_call(sim, basic).status) == (401, 200)
    sim.state(erp={"auth": "bearer"})
    assert erp_call(sim, {"Authorization": "Bearer sim-erp-token"}).status == 200
    assert erp_call(sim, {"Authorization": "Bearer sim-erp-toke"}).status == 401
    sim.state(erp={"auth": "none"})
    assert (erp_call(sim, body=b"{").status, erp_call(sim, kind="text/plain").status,
            erp_call(sim, method="GET").status) == (400, 415, 400)
    sim.state(erp={"answers": [
        {"method": "DELETE", "path": "/orders", "status": 204},
        {"path": "/orders/7", "status": 409, "body": {"code": 1}, "times": 1}]})
    assert erp_call(sim, method="DELETE", body=None).status == 204
    assert (erp_call(sim).status, erp_call(sim).status) == (409, 200)
    with pytest.raises(ValueError, match="needs a"):
        sim.state(erp={"answers": [{"status": 200}]})
