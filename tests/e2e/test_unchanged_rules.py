# SPDX-License-Identifier: MIT
"""test_unchanged_rules.py - a reload proves and compiles what has changed, and nothing else.

Counted by the product itself: the reply of the reload says how many rules were
proven before, `mapping.compiled` of status counts the programs given to workers.
"""

import re

RULE = """
rule: {name}
from: erp/{name}
to: flex2b/replicationpost
key: '"k/{name}"'
tables: {{words: lookups/words.csv}}
map: |
  {{ repLines: [ {{ apiuuid: uuid5("{name}/\\(.n)"), apiid: "PH", senderidentification: "T",
                  nodes: [ {{name: "n", value: lookup("words"; {word})}} ] }} ] }}
tests:
  - name: a line
    event: {{n: 1}}
    expect_key: {key}
"""
NAMES = ("one", "two", "three")


def text(name, word='"a"', key=None):
    return RULE.format(name=name, word=word, key=key or f"k/{name}")


def reload(gan):
    """How many rules were not run again."""
    return int(re.search(r"3 rules \((\d) unchanged\), 3 tests passed",
                         gan.ctl("reload")["text"]).group(1))


def compiled(gan, n):
    """How often the workers have compiled, once each rule has mapped an event."""
    for name in NAMES:
        assert gan.erp_post(name, {"n": n}).status == 202
    gan.drain()
    return gan.status()["mapping"]["compiled"]


def test_only_what_has_changed(make_gateway):
    gan = make_gateway({f"{name}.yaml": text(name) for name in NAMES},
                       {"words.csv": "k,v\na,A\nb,B\n"}, {"mapping": {"workers": 1}})
    assert compiled(gan, 1) == 3
    assert reload(gan) == 3
    assert compiled(gan, 2) == 3

    gan.rule("two.yaml", text("two", word='"b"'))
    assert reload(gan) == 2
    assert compiled(gan, 3) == 4

    # A rule that says the same at another place of its file is the same rule.
    gan.rule("one.yaml", "# a comment\n" + text("one"))
    assert reload(gan) == 3
    assert compiled(gan, 4) == 4

    # What a test expects is no part of the program, but of the verdict.
    gan.rule("one.yaml", text("one", key="[k/one]"))
    assert reload(gan) == 2
    assert compiled(gan, 5) == 4

    # A table is part of every rule that names it.
    gan.write("lookups/words.csv", "k,v\na,AA\nb,BB\n")
    assert reload(gan) == 0
    assert compiled(gan, 6) == 7

    # So is what the workers are told: they are new ones, and everything is proven again.
    gan.reconfigure(mapping={"numbers": "text"})
    assert reload(gan) == 0
    assert compiled(gan, 7) == 10
    gan.reconfigure(time_zone="Europe/Berlin")
    assert reload(gan) == 0
    assert reload(gan) == 3


def test_a_red_rule_is_never_taken_for_proven(make_gateway):
    gan = make_gateway({f"{name}.yaml": text(name) for name in NAMES},
                       {"words.csv": "k,v\na,A\n"})
    gan.rule("two.yaml", text("two", key="k/other"))
    for _ in range(2):
        code, out, err = gan.ctl_raw("reload")
        assert code == 1 and "the test 'a line' is red" in out + err
    gan.rule("two.yaml", text("two", word="nosuch"))
    for _ in range(2):
        code, out, err = gan.ctl_raw("reload")
        assert code == 1 and "nosuch" in out + err
    gan.rule("two.yaml", text("two"))
    # What was green beside the red ones is still known; the mended one is run.
    assert reload(gan) == 2
    # A person who asks for the tests gets them run.
    assert gan.ctl("rules test")["passed"] == 3
