# SPDX-License-Identifier: MIT
"""test_connectors.py - what vendors answer, and what Gantry makes of it."""

import re
import time

import kit
import pytest
import rules

ALL = {"flex.yaml": rules.FLEX_ERP, "release.yaml": rules.RELEASE,
       "decommission.yaml": rules.DECOMMISSION}


@pytest.fixture
def gan(make_gateway, sim):
    sim.state(movilitas={"sscc_default": "Assigned"})
    return make_gateway(ALL)


class Flex:
    """One Flex2B delivery per call of send(): class keyed, held by default."""
    name, path, kind = "flex2b", "replicationpost", "keyed"

    @staticmethod
    def send(gan, n=1, key="a"):
        assert gan.erp_post("line", {"n": n, "key": key}).status == 202
        return f"k/{key}"


class Release:
    name, path, kind = "movilitas", "ssccs/release", "hold"

    @staticmethod
    def send(gan, n=1, key="a"):
        assert gan.erp_post("release", {"key": key, "ssccs": [rules.SSCCS[n - 1]]}).status == 202
        return f"p/{key}"


class Decommission:
    name, path, kind = "movilitas", "serials/decommission", "hold"

    @staticmethod
    def send(gan, n=1, key="a"):
        assert gan.erp_post("waste", {"key": key, "gtin": rules.GTIN,
                                      "serials": [f"S{n}"]}).status == 202
        return f"po/{key}"


OPS = [Flex, Release, Decommission]
ops = pytest.mark.parametrize("op", OPS, ids=lambda op: op.path.replace("/", "."))


def calls(sim, op):
    return sim.journal(op.name, path=op.path)


# -- refused and not processed: again, later ---------------------------------------


@ops
@pytest.mark.parametrize("status", [429, 503])
def test_busy_is_tried_again_and_retry_after_is_honoured(gan, sim, op, status):
    sim.fault(op.name, "status", status=status, retry_after="2")
    key = op.send(gan)
    row = gan.wait_key(key, "delivered", deadline=15)[0]
    first, second = calls(sim, op)
    assert (first["status"], second["status"]) == (status, 200)
    assert first["body"] == second["body"]
    assert seconds(second) - seconds(first) >= 1.9
    assert row["last"]["status"] == 200


def seconds(entry):
    h, m, s = re.search(r"T(\d\d):(\d\d):(\d\d\.\d+)Z", entry["time"]).groups()
    return int(h) * 3600 + int(m) * 60 + float(s)


@ops
def test_retry_after_as_a_date(gan, sim, op):
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3))
    sim.fault(op.name, "status", status=429, retry_after=when)
    key = op.send(gan)
    gan.wait_key(key, "delivered", deadline=15)
    first, second = calls(sim, op)
    assert 1 <= seconds(second) - seconds(first) <= 6 * kit.SLOW


@ops
def test_retry_after_holds_the_whole_connector(gan, sim, op):
    sim.fault(op.name, "status", status=429, retry_after="2")
    one = op.send(gan, 1, "a")
    gan.wait_key(one, "waiting")
    kit.wait_until(lambda: calls(sim, op), 5, "the first call")
    two = op.send(gan, 2, "b")
    gan.wait_key(two, "delivered", deadline=15)
    gan.wait_key(one, "delivered", deadline=15)
    refused, *later = calls(sim, op)
    assert all(seconds(e) - seconds(refused) >= 1.9 for e in later)


@ops
def test_connection_refused_is_tried_again(gan, sim, op):
    sim.state(**{op.name: {"down": True}})
    key = op.send(gan)
    kit.wait_until(lambda: gan.deliveries(key=key) and gan.deliveries(
        key=key)[0]["last"] and gan.deliveries(key=key)[0]["last"]["error"], 10, "an attempt")
    assert gan.deliveries(key=key)[0]["state"] in ("waiting", "sending")
    sim.state(**{op.name: {"down": False}})
    gan.wait_key(key, "delivered", deadline=15)
    assert len(calls(sim, op)) == 1


# -- nobody knows --------------------------------------------------------------------


AMBIGUOUS = [("drop-after", {}), ("drop-before", {}), ("hang-after", {}), ("garbage", {}),
             ("raw", {}), ("half", {}), ("huge", {}), ("status", {"status": 500}),
             ("status", {"status": 502, "act": True})]


@ops
@pytest.mark.parametrize("kind, more", AMBIGUOUS,
                         ids=[k + "".join(str(v) for v in m.values()) for k, m in AMBIGUOUS])
def test_an_ambiguous_outcome_is_held(gan, sim, op, kind, more):
    sim.fault(op.name, kind, **more)
    key = op.send(gan)
    row = gan.wait_key(key, "unknown", deadline=15)[0]
    item, = gan.attention(kind="unknown")
    assert (item["id"], item["connector"]) == (row["id"], op.name)
    # The same key waits, another goes on, and nothing is sent again.
    op.send(gan, 2, "a")
    other = op.send(gan, 3, "b")
    gan.wait_key(other, "delivered")
    assert len(calls(sim, op)) == 2
    assert [d["state"] for d in sorted(gan.deliveries(key=key), key=lambda d: d["id"])] == [
        "unknown", "waiting"]


@ops
def test_resolved_as_sent(gan, sim, op):
    sim.fault(op.name, "drop-after")
    key = op.send(gan)
    row = gan.wait_key(key, "unknown")[0]
    op.send(gan, 2, "a")
    changed = gan.ctl("resolve", row["id"], "--as", "sent", "--reason", "seen at the vendor")
    assert (changed["id"], changed["state"]) == (row["id"], "delivered")
    gan.wait_key(key, "delivered", n=2)
    assert len(calls(sim, op)) == 2
    assert gan.attention() == []


@ops
def test_resolved_as_not_sent(gan, sim, op):
    sim.fault(op.name, "drop-before")
    key = op.send(gan)
    row = gan.wait_key(key, "unknown")[0]
    changed = gan.ctl("resolve", row["id"], "--as", "not-sent")
    assert changed["state"] == "waiting"
    gan.wait_key(key, "delivered")
    first, second = calls(sim, op)
    assert first["body"] == second["body"], "a resend carries the same ids"
    code, out, err = gan.ctl_raw("resolve", row["id"], "--as", "sent")
    assert code == 1 and "delivered" in out + err


def test_a_crash_while_sending_is_unknown(gan, sim):
    sim.fault("movilitas", "hang-after")
    key = Release.send(gan)
    kit.wait_until(lambda: calls(sim, Release), 10, "the request arrived")
    gan.kill()
    gan.start()
    gan.wait_key(key, "unknown")
    assert len(calls(sim, Release)) == 1


def test_resend_where_allowed_carries_the_same_ids(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP},
                       config={"connectors": {"flex2b": {"on_unknown": "resend"}}})
    for kind in ("drop-after", "garbage", "half", "huge"):
        sim.fault("flex2b", kind)
    sim.fault("flex2b", "status", status=500)
    gan.erp_post("line", {"n": 1, "key": "a"})
    gan.wait_key("k/a", "delivered", deadline=20)
    sent = rules.lines(sim)
    assert len(sent) == 6 and len({uuid for _, _, uuid, _ in sent}) == 1


def test_resend_is_refused_for_a_release(make_gateway):
    gan = make_gateway({"r.yaml": rules.RELEASE + "on_unknown: resend\n"}, start=False)
    gan.start()
    assert any("on_unknown" in i["reason"] for i in gan.attention(kind="config"))


# -- refused for good -------------------------------------------------------------------


@ops
@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
def test_other_4xx_is_dead_with_the_vendors_text(gan, sim, op, status):
    sim.fault(op.name, "status", status=status, body='{"message":"because of xyzzy"}')
    key = op.send(gan)
    row = gan.wait_key(key, "dead")[0]
    assert row["last"]["status"] == status
    item, = gan.attention(kind="dead")
    assert "xyzzy" in item["reason"]
    assert len(calls(sim, op)) == 1
    gan.ctl("retry", row["id"])
    gan.wait_key(key, "delivered")


@ops
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_never_followed(gan, sim, op, status):
    sim.fault(op.name, "redirect", status=status, location=sim.url("erp") + "/stolen")
    key = op.send(gan)
    gan.wait_key(key, "dead")
    item, = gan.attention(kind="dead")
    assert "redirect" in item["reason"]
    assert sim.journal("erp") == []


def test_flex_402_needs_a_person(gan, sim):
    sim.fault("flex2b", "status", status=402, body='{"ResponseCode":402,'
              '"ResponseMessage":"input fine but not processed"}')
    key = Flex.send(gan)
    item = kit.wait_until(gan.attention, 10, "attention")[0]
    assert "402" in item["reason"] or "not processed" in item["reason"]
    assert gan.deliveries(key=key)[0]["state"] in ("dead", "unknown")
    assert len(calls(sim, Flex)) == 1


def test_flex_499_is_our_content_type(gan, sim):
    sim.fault("flex2b", "status", status=499, body='{"ResponseCode":499,"ResponseMessage":"x"}')
    key = Flex.send(gan)
    kit.wait_until(gan.attention, 10, "attention")
    assert gan.deliveries(key=key)[0]["state"] in ("dead", "waiting")
    assert len(calls(sim, Flex)) == 1


@pytest.mark.parametrize("code", [400, 402, 404, 500])
def test_flex_a_200_whose_body_says_failure(gan, sim, code):
    sim.fault("flex2b", "status", status=200,
              body=f'{{"ResponseCode":{code},"ResponseMessage":"no"}}')
    key = Flex.send(gan)
    kit.wait_until(lambda: gan.attention(), 10, "attention")
    assert gan.deliveries(key=key)[0]["state"] in ("dead", "unknown")
    assert len(calls(sim, Flex)) == 1


def test_movilitas_success_false_is_dead(gan, sim):
    sim.fault("movilitas", "status", status=200, body='{"success":false,"message":"no way"}')
    key = Release.send(gan)
    gan.wait_key(key, "dead")
    assert "no way" in gan.attention()[0]["reason"]


# -- tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_flex_a_refused_token_is_renewed_once(gan, sim, status):
    sim.fault("flex2b", "status", status=status, body=f'{{"ResponseCode":{status},'
              '"ResponseMessage":"token"}')
    key = Flex.send(gan)
    row = gan.wait_key(key, "delivered")[0]
    assert [c["status"] for c in calls(sim, Flex)] == [status, 200]
    assert len(sim.tokens("flex2b")) == 2
    assert row["attempts"] == 1, "uncounted"


def test_flex_fetches_one_token_for_a_burst(gan, sim):
    for n in range(20):
        Flex.send(gan, n, f"b{n}")
    gan.drain()
    assert len(rules.lines(sim, acted=True)) == 20
    assert len(sim.tokens("flex2b")) == 1
    assert {c["status"] for c in calls(sim, Flex)} == {200}


def test_flex_never_starts_with_an_old_token(gan, sim):
    sim.state(flex2b={"token_life_ms": 400})
    for n in range(4):
        Flex.send(gan, n, "a")
        gan.wait_key("k/a", "delivered", n=n + 1)
        wait = time.monotonic() + 0.35
        kit.wait_until(lambda: time.monotonic() > wait, 2)
    assert {c["status"] for c in calls(sim, Flex)} == {200}
    assert len(sim.tokens("flex2b")) >= 3


def test_flex_raw_token(make_gateway, sim):
    sim.state(flex2b={"token_header": "raw"})
    gan = make_gateway(ALL, config={"connectors": {"flex2b": {"token_header": "raw"}}})
    gan.wait_key(Flex.send(gan), "delivered")


@ops
def test_wrong_credentials_pause_the_connector(gan, sim, op):
    if op.name == "flex2b":
        sim.state(flex2b={"password": "changed"})
    else:
        sim.state(movilitas={"static_token": "changed"})
    key = op.send(gan)
    item = kit.wait_until(lambda: gan.attention(kind="connector-paused"), 10, "paused")[0]
    assert item["connector"] == op.name
    row = gan.deliveries(key=key)[0]
    assert (row["state"], row["attempts"]) == ("waiting", 0)
    asked = len(sim.journal(op.name, tokens=True))
    assert asked <= 4
    # The other connector does not care.
    other = Release if op is Flex else Flex
    gan.wait_key(other.send(gan, 2, "z"), "delivered")
    assert len(sim.journal(op.name, tokens=True)) == asked, "no hammering"
    if op.name == "flex2b":
        gan.secret("f2b-pass", "changed")
    else:
        gan.secret("mv-token", "changed")
    gan.ctl("reload")
    gan.wait_key(key, "delivered")
    assert gan.attention() == []


def test_movilitas_dynamic_token(make_gateway, sim):
    sim.state(movilitas={"sscc_default": "Assigned"})
    gan = make_gateway(ALL, config={"connectors": {"movilitas": {
        "token": None, "api_key": "secret:mv-key", "api_secret": "secret:mv-secret"}}})
    for n in (1, 2):
        gan.wait_key(Release.send(gan, n, f"d{n}"), "delivered")
    assert len(sim.tokens("movilitas")) == 1
    sim.state(movilitas={"forget_tokens": True})
    gan.wait_key(Release.send(gan, 3, "d3"), "delivered")
    assert [c["status"] for c in calls(sim, Release)] == [200, 200, 401, 200]
    assert len(sim.tokens("movilitas")) == 2


def test_movilitas_headers(gan, sim):
    gan.wait_key(Release.send(gan), "delivered")
    call, = calls(sim, Release)
    assert call["headers"]["x-access-token"].startswith("sha256:")
    assert "authorization" not in call["headers"]
    assert call["headers"]["content-type"] == "application/json"
    assert "expect" not in call["headers"]


def test_a_missing_channel_key_is_a_configuration_error(gan, sim):
    sim.state(movilitas={"channel_key": "changed"})
    key = Release.send(gan)
    item = kit.wait_until(lambda: gan.attention(), 10, "attention")[0]
    assert "hannel" in item["reason"]
    assert gan.deliveries(key=key)[0]["state"] in ("waiting", "dead")


# -- already done, partly done, checked before ------------------------------------------------


def test_release_all_available_on_a_resend_is_done(gan, sim):
    sim.fault("movilitas", "drop-after")
    key = Release.send(gan)
    row = gan.wait_key(key, "unknown")[0]
    gan.ctl("resolve", row["id"], "--as", "not-sent")
    done = gan.wait_key(key, "delivered")[0]
    assert [c["status"] for c in calls(sim, Release)] == [0, 400]
    assert done["attempts"] == 2


def test_release_not_assigned_on_the_first_try_is_dead(gan, sim):
    sim.state(movilitas={"ssccs": {rules.SSCCS[0]: "Available"}})
    gan.wait_key(Release.send(gan), "dead")
    assert "Available" in gan.attention()[0]["reason"] or "Assigned" in gan.attention()[0]["reason"]


def test_a_partial_answer_needs_a_person(gan, sim):
    sim.fault("movilitas", "status", status=200, act=True, body='{"success":true,"message":"ok",'
              '"data":[{"serial_number":"S9","status":"Decommissioned"}]}')
    key = Decommission.send(gan)
    gan.wait_key(key, "unknown")
    assert "S1" in gan.attention()[0]["reason"]


def test_answers_in_another_order_are_matched(gan, sim):
    gan.erp_post("waste", {"key": "m", "gtin": rules.GTIN, "serials": ["A", "B", "C"]})
    gan.wait_key("po/m", "delivered")


@pytest.mark.parametrize("body", [
    {"gtin": "01234567891234", "serials": ["A"]}, {"gtin": "123", "serials": ["A"]},
    {"gtin": rules.GTIN, "serials": ["A B"]}, {"gtin": rules.GTIN, "serials": ["x" * 21]},
    {"gtin": rules.GTIN, "serials": ["A", "A"]}, {"gtin": rules.GTIN, "serials": []}])
def test_gs1_is_checked_before_sending(gan, sim, body):
    gan.erp_post("waste", {"key": "g", **body})
    gan.wait_key("po/g", "dead")
    assert sim.journal("movilitas") == []
    if body["gtin"] == "01234567891234":
        assert "1" in gan.attention()[0]["reason"], "names the right check digit"


def test_gs1_can_be_a_warning(make_gateway, sim):
    gan = make_gateway(ALL, config={"connectors": {"movilitas": {"gs1": "warn"}}})
    gan.erp_post("waste", {"key": "g", "gtin": "01234567891234", "serials": ["A"]})
    gan.wait_key("po/g", "delivered")


# -- breaker, attempts, secrets ------------------------------------------------------------------


def test_the_breaker_opens_and_one_probe_closes_it(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP}, config={
        "deliver": {"breaker": {"failures": 3, "open": "1s"},
                    "retry": {"first": "10ms", "max": "20ms"}},
        "connectors": {"flex2b": {"on_unknown": "resend"}}})
    fault = sim.fault("flex2b", "status", status=500, times=-1)
    for n in range(8):
        gan.erp_post("line", {"n": n, "key": n})
    opened = kit.wait_until(lambda: [c for c in gan.status()["connectors"]
                                     if c["name"] == "flex2b" and c["breaker_open"]],
                            10, "the breaker is open")
    assert opened
    asked = len(calls(sim, Flex))
    assert asked <= 3 + 4, "failures plus what was in flight"
    sim.clear(fault)
    gan.drain()
    assert sorted(n for n, _, _, _ in rules.lines(sim, acted=True)) == list(range(8))


def test_every_attempt_is_kept_without_secrets(gan, sim):
    sim.fault("flex2b", "status", status=429, retry_after="1")
    gan.wait_key(Flex.send(gan), "delivered", deadline=15)
    story = gan.ctl_raw("show", "k/a", "--bodies")[1]
    assert "429" in story and "CommunicationID" in story
    gan.wait_key(Release.send(gan), "delivered")
    story += gan.ctl_raw("show", "p/a", "--bodies")[1] + gan.log()
    gan.stop()
    with open(gan.path("data/gantry.db"), "rb") as f:
        story += f.read().decode("latin-1")
    for name, value in gan.SECRETS.items():
        if name not in ("mv-key", "f2b-user"):
            assert value not in story, name
