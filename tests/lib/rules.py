# SPDX-License-Identifier: MIT
"""rules.py - small rules that several tests use."""

# {n, key} -> one Flex2B line whose apiuuid is a function of n.
FLEX = """
rule: to-flex
from: prodsmart/lot.created
to: flex2b/replicationpost
key: '"k/" + ($event.key | tostring)'
map: |
  { repLines: [ { apiuuid: uuid5("test/\\(.n)"), apiid: "PH", senderidentification: "T",
                  nodes: [ {name: "n", value: (.n | tostring)},
                           {name: "key", value: (.key | tostring)} ] } ] }
tests:
  - name: a line
    event: {n: 1, key: a}
    expect_key: k/a
"""

# The same from the ERP.
FLEX_ERP = FLEX.replace("rule: to-flex", "rule: erp-to-flex").replace(
    "from: prodsmart/lot.created", "from: erp/line")

# {key, ssccs} -> release.
RELEASE = """
rule: release
from: erp/release
to: movilitas/ssccs.release
key: '"p/" + ($event.key | tostring)'
map: '{ssccs: .ssccs}'
tests:
  - name: one
    event: {key: a, ssccs: ["337370000000000003"]}
    expect: [{ssccs: ["337370000000000003"]}]
"""

# {key, gtin, serials} -> decommission.
DECOMMISSION = """
rule: decommission
from: erp/waste
to: movilitas/serials.decommission
key: '"po/" + ($event.key | tostring)'
map: |
  { product_code: .gtin, product_code_schema: "GTIN", reason: (.reason // "destroy"),
    send_to_market: false, market_id: "EU", serials: .serials }
tests:
  - name: one
    event: {key: a, gtin: "01234567891231", serials: [A]}
    expect_key: po/a
"""

GTIN = "01234567891231"
SSCCS = ["337370000000000003", "337370000000000010", "337370000000000027", "106141412345678908"]


def lines(sim, acted=None):
    """(n, key, apiuuid, status) of every Flex2B line received, in order."""
    rows = []
    for entry in sim.journal("flex2b"):
        if acted is not None and entry["acted"] != acted:
            continue
        for line in entry["json"]["repLines"]:
            value = {node["name"]: node["value"] for node in line["nodes"]}
            rows.append((int(value["n"]), value["key"], line["apiuuid"], entry["status"]))
    return rows
