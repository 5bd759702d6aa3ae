# SPDX-License-Identifier: MIT
"""test_expected_bodies.py - no golden test is green for a body that its connector would refuse."""

import subprocess

import kit
import rules

# The test of each is right as far as the rule goes.
WRONG = """
rule: wrong
enabled: true
from: erp/wrong
to: movilitas/serials.decommission
map: |
  { product_code: "01234567891231", product_code_schema: "GTIN", reason: .reason,
    send_to_market: false, serials: .serials }
tests:
  - name: fine
    event: {reason: destroy, serials: [AA01]}
    expect: [{product_code: "01234567891231", product_code_schema: GTIN, reason: destroy,
              send_to_market: false, serials: [AA01]}]
  - name: burnt
    event: {reason: burn, serials: [AA01]}
    expect:
      - {product_code: "01234567891231", product_code_schema: GTIN, reason: burn,
         send_to_market: false, serials: [AA01]}
"""
LINE = WRONG[:WRONG.index("      - {product")].count("\n") + 1
TOLD = f"rules.d/20-wrong.yaml:{LINE}:"
WORDS = 'request 1: movilitas would refuse it: reason is "burn", allowed: destroy'
GTIN = 'product_code: GTIN \\"01234567891234\\" has the check digit 4, expected 1'
BAD_GTIN = rules.DECOMMISSION.replace(
    'product_code: .gtin', 'product_code: "01234567891234"').replace("expect_key: po/a", """expect: [{product_code: "01234567891234", product_code_schema: GTIN,
              reason: destroy, send_to_market: false, market_id: EU, serials: [A]}]""")


def refused(gan, *words, output="json"):
    """Every way to ask says no, in the same words."""
    conf = gan.path("gantry.yaml")
    ctl = [kit.program("gantryctl"), "--output", output, "--socket"]
    for command in ([*ctl, gan.path("control.sock"), "rules", "check"],
                    [*ctl, gan.path("control.sock"), "rules", "test"],
                    [*ctl, gan.path("none.sock"), "rules", "check", "--config", conf],
                    [*ctl, gan.path("none.sock"), "rules", "test", "--config", conf],
                    [kit.program("gantryd"), "--config", conf, "--check-config"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        told = done.stdout + done.stderr
        if "gantryctl" in command[0] and output == "json":
            told = told.replace('\\"', '"')
        assert done.returncode == (78 if "gantryd" in command[0] else 1), (command, told)
        for word in words:
            assert word in told, (command, told)


def test_a_body_that_would_be_refused_makes_its_test_red(make_gateway):
    gan = make_gateway({"10-flex.yaml": rules.FLEX})
    before = gan.status()["generation"]
    gan.rule("20-wrong.yaml", WRONG)
    refused(gan, TOLD, "burnt", WORDS)
    refused(gan, TOLD, "the test 'burnt' is red", WORDS, output="table")
    code, out, err = gan.ctl_raw("reload", output="table")
    assert code == 1 and TOLD in out + err and WORDS in out + err
    assert gan.status()["generation"] == before
    tests = gan.ctl("rules test", rc=1)["tests"]
    assert [t["test"] for t in tests if not t["ok"]] == ["burnt"]
    # One that is off need not be right about what is not there, and is about what is.
    gan.rule("20-wrong.yaml", WRONG.replace("enabled: true", "enabled: false"))
    refused(gan, TOLD, WORDS)
    for other in ("movilitas/serials.commission", "elsewhere/serials.decommission"):
        gan.rule("20-wrong.yaml", WRONG.replace("enabled: true", "enabled: false").replace(
            "movilitas/serials.decommission", other))
        assert gan.ctl("rules test")["passed"] == 3
    gan.rule("20-wrong.yaml", WRONG.replace("burn\n", "sample\n").replace(
        "reason: burn", "reason: sample"))
    gan.ctl("reload")
    assert gan.status()["generation"] > before


def test_at_start_too(make_gateway):
    gan = make_gateway({"20-wrong.yaml": WRONG}, start=False)
    gan.start(rules=False)
    item, = kit.wait_until(lambda: gan.attention(kind="config"))
    assert TOLD in item["reason"] and WORDS in item["reason"]
    waiting = gan.erp_post("wrong", {"reason": "destroy"}).json()["id"]
    assert gan.event(waiting)["state"] == "received"


def test_a_warning_is_a_warning_until_the_connector_is_strict(make_gateway):
    """The rule is proven once; what its connector says is asked at each reload."""
    warn, strict = ({"connectors": {"movilitas": {"gs1": mode}}} for mode in ("warn", "strict"))
    gan = make_gateway({"10-bad.yaml": BAD_GTIN, "20-flex.yaml": rules.FLEX}, config=warn)
    report = gan.ctl("rules check")
    assert report["ok"] and "movilitas warns: product_code: GTIN" in report["findings"]
    assert "(2 unchanged)" in gan.ctl("reload")["text"]
    gan.reconfigure(**strict)
    code, out, err = gan.ctl_raw("reload")
    assert code == 1 and GTIN in out + err
    gan.reconfigure(**warn)
    gan.ctl("reload")


def test_a_try_says_what_would_be_refused(make_gateway):
    gan = make_gateway({"10-flex.yaml": rules.FLEX, "20-waste.yaml": rules.DECOMMISSION},
                       config={"connectors": {"movilitas": {"gs1": "warn"}}})
    event = gan.write("event.json", '{"key": "a", "gtin": "01234567891234", "serials": ["A"]}')
    offline = ["--config", gan.path("gantry.yaml")]
    for more, socket in (([], None), (offline, gan.path("none.sock"))):
        ask = ("rules", "try", "decommission", "--event-file", event, *more)
        code, out, err = gan.ctl_raw(*ask, socket_path=socket)
        assert code == 0 and f'"warning":"{GTIN}"' in out.replace('": ', '":'), (out, err)
        code, out, err = gan.ctl_raw(*ask, output="table", socket_path=socket)
        assert code == 0 and "\n  warning: product_code: GTIN" in out, (out, err)
    gan.write("event.json", '{"key": "a", "gtin": "01234567891231", "serials": ["A", 1]}')
    for more, socket in (([], None), (offline, gan.path("none.sock"))):
        ask = ("rules", "try", "decommission", "--event-file", event, *more)
        code, out, err = gan.ctl_raw(*ask, output="table", socket_path=socket)
        assert code == 1 and "\n  would not be sent: serials[1] must be a text" in out, (out, err)
