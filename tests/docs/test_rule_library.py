# SPDX-License-Identifier: MIT
"""test_rule_library.py - the rules that are shipped, with those that are off switched on."""

import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess

import core_yaml
import pytest
from test_config_docs import uncommented

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GANTRY_BUILD") or ROOT / "build")
RULES = sorted((ROOT / "etc/rules.d").glob("*.yaml"))
DATA = pathlib.Path(os.environ.get("GANTRY_DATA") or ROOT.parent / "shared/data")
BODIES = DATA.parent / "apis/payloads"

# File of the vendor's page -> the events that it can come as; see also test_vendor_bodies.py.
EVENTS = {
    "webhook.production-order": ["prodsmart/production-order.created",
                                 "prodsmart/production-order.updated"],
    "webhook.punch-clock": ["prodsmart/punch-clock.created"],
    "webhook.downtime": ["prodsmart/downtime.created"],
    "webhook.lot.created-updated": ["prodsmart/lot.created", "prodsmart/lot.updated"],
    "webhook.lot.deleted": ["prodsmart/lot.deleted"],
    "webhook.material-staging.created-updated": ["prodsmart/material-staging.created",
                                                 "prodsmart/material-staging.updated"],
    "webhook.material-staging.deleted": ["prodsmart/material-staging.deleted"],
    "webhook.internal-inventory-movement.created-updated": [
        "prodsmart/internal-movement.created", "prodsmart/internal-movement.updated"],
    "webhook.internal-inventory-movement.deleted": ["prodsmart/internal-movement.deleted"],
    "webhook.receiving-inventory-movement.created-updated": [
        "prodsmart/receiving-movement.created", "prodsmart/receiving-movement.updated"],
    "webhook.receiving-inventory-movement.deleted": ["prodsmart/receiving-movement.deleted"],
    "webhook.shipping-inventory-movement.created-updated": [
        "prodsmart/shipping-movement.created", "prodsmart/shipping-movement.updated"],
    "webhook.shipping-inventory-movement.deleted": ["prodsmart/shipping-movement.deleted"],
    # Deletions, as the samples of the page happen to be, but for the first three.
    "feed.production-order": ["prodsmart-feed/production-order.changed"],
    "feed.product": ["prodsmart-feed/product.changed"],
    "feed.stock": ["prodsmart-feed/stock.changed"],
    "feed.production": ["prodsmart-feed/production.deleted"],
    "feed.down-time": ["prodsmart-feed/downtime.deleted"],
    "feed.punch-clock": ["prodsmart-feed/punch-clock.deleted"],
    # Reconciliation.
    "production-orders.list.response-200": ["prodsmart/production-order.reconciled"],
    "productions.list.response-200": ["prodsmart-feed/production.reconciled"],
    "downtimes.list.response-200": ["prodsmart/downtime.reconciled"],
    "punchclocks.list.response-200": ["prodsmart/punch-clock.reconciled"],
}


def rules():
    return {path.name: core_yaml.load(path.read_text()) for path in RULES}


def listens(rule, event):
    globs = rule["from"] if isinstance(rule["from"], list) else [rule["from"]]
    return any(fnmatch.fnmatchcase(event, glob) for glob in globs)


def test_the_manual_lists_every_rule_and_whether_it_is_on():
    page = (ROOT / "doc/gantry-rules.5.scd").read_text()
    section = page.split("# THE RULES THAT ARE THERE", 1)[1].split("\n# ", 1)[0]
    told = dict(re.findall(r"\|  _(\S+\.yaml)_\n:  .*\n:  (on|off)\n", section))
    real = {p.name: "on" if core_yaml.load(p.read_text()).get("enabled", True) else "off"
            for p in RULES}
    assert told == real


@pytest.fixture
def everything(tmp_path):
    """etc/ with each example of a source and connector made real, and each rule switched on."""
    etc = tmp_path / "etc"
    shutil.copytree(ROOT / "etc", etc)
    config = etc / "gantry.yaml"
    config.write_text(uncommented(config.read_text()))
    for name in set(re.findall(r"secret:([a-z0-9-]+)", config.read_text())):
        (etc / "secrets" / name).write_text(f"a-secret-for-the-test-{name}\n")
        (etc / "secrets" / name).chmod(0o640)
    for path in (etc / "rules.d").glob("*.yaml"):
        path.write_text(re.sub(r"^enabled: false.*\n", "", path.read_text(), flags=re.M))
        assert core_yaml.load(path.read_text()).get("enabled", True)
    return config


def test_every_rule_is_green_with_the_systems_of_the_sample(everything):
    tests = sum(len(rule["tests"]) for rule in rules().values())
    done = subprocess.run([BUILD / "gantryd", "--config", everything, "--check-config"],
                          capture_output=True, text=True, timeout=60, check=False)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert f"{len(RULES)} rules, {tests} tests passed" in told
    assert "has no tests" not in told and "rules.d/" not in told, told
    done = subprocess.run([BUILD / "gantryctl", "--output", "json", "--socket", "/nowhere",
                           "rules", "test", "--config", everything],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["rules"], report["passed"]) == (True, len(RULES), tests)


def test_every_rule_shows_what_it_sends():
    """Only what `expect` lists is held against the connector."""
    for name, rule in rules().items():
        assert any(test.get("expect") for test in rule["tests"]), name


@pytest.mark.skipif(not BODIES.is_dir(), reason=f"the vendors' bodies are not in {BODIES}")
def test_every_sample_of_the_vendor_is_in_a_test_of_each_rule_that_hears_it():
    """Member by member and digit by digit: 10.0 is not 10 here."""
    files = {p.name[len("prodsmart."):-len(".json")] for p in BODIES.glob("prodsmart.*.json")
             if p.name.startswith(("prodsmart.webhook.", "prodsmart.feed."))}
    assert files - set(EVENTS) == {"webhook.headers"}

    def text(value):
        return json.dumps(value, sort_keys=True)

    heard = 0
    for file, events in EVENTS.items():
        body = json.loads((BODIES / f"prodsmart.{file}.json").read_text())
        # A feed and a list hold entities, each of which becomes an event.
        bodies = body if isinstance(body, list) and not file.startswith("webhook.") else [body]
        for name, rule in rules().items():
            tested = {text(test.get("event")) for test in rule["tests"]}
            for event in events:
                if not listens(rule, event):
                    continue
                missing = [text(b) for b in bodies if text(b) not in tested]
                assert not missing, (name, event, missing)
                heard += len(bodies)
    assert heard >= 15
