# SPDX-License-Identifier: MIT
"""The curl lines of doc/operations.md, typed in as they stand there."""

import json
import pathlib
import re
import subprocess

import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULE = rules.FLEX_ERP.replace("from: erp/line", "from: erp/order.created").replace(
    '"k/" + ($event.key | tostring)', '"order/" + $event.order').replace(
    ".n", ".order").replace(".key", ".order").replace("{n: 1, key: a}", '{order: "1"}').replace(
    "k/a", "order/1")


def samples():
    """The commands of the section, each with its continued lines."""
    text = (ROOT / "doc/operations.md").read_text()
    part = text.split("## Sending from an ERP", 1)[1].split("\n## ", 1)[0]
    code = "\n".join(line[4:] for line in part.splitlines() if line.startswith("    "))
    commands = re.findall(r"^(?:(?:curl|printf) .*?[^\\|])$(?=\n|\Z)", code, re.M | re.S)
    assert len(commands) == 5
    return commands


def run(gan, command, **variables):
    names = {"url": f"http://{gan.public}", "token": gan.SECRETS["erp-token"], **variables}
    done = subprocess.run(["bash", "-ec", command.replace("curl ", "curl -sS ")], check=True,
                          env={"PATH": "/usr/bin:/bin", **names}, capture_output=True, text=True,
                          timeout=30)
    return done.stdout


def test_the_samples_word_for_word(make_gateway):
    gan = make_gateway({"orders.yaml": RULE})
    one, wait, again, many, key = samples()
    assert "HTTP/1.1 202" in run(gan, one)
    assert "Idempotent-Replayed: true" in run(gan, one)
    event = json.loads(run(gan, wait))
    assert event["deliveries"][0]["state"] == "delivered"
    assert json.loads(run(gan, again, id=event["id"])) == event
    results = json.loads(run(gan, many))
    assert [r["status"] for r in results] == ["accepted"] * 2
    gan.wait_key("order/4714", "delivered")
    gan.wait_key("order/4711", "delivered")
    found = json.loads(run(gan, key))
    assert found["events"][0]["deliveries"][0]["response"]["CommunicationID"]
