# SPDX-License-Identifier: MIT
"""test_rule_library.py - the rules that are shipped, with those that are off switched on."""

import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "etc/rules.d").glob("*.yaml"))


def test_the_manual_lists_every_rule_and_whether_it_is_on():
    page = (ROOT / "doc/gantry-rules.5.scd").read_text()
    section = page.split("# THE RULES THAT ARE THERE", 1)[1].split("\n# ", 1)[0]
    told = dict(re.findall(r"\|  _(\S+\.yaml)_\n:  .*\n:  (on|off)\n", section))
    real = {p.name: "on" if yaml.safe_load(p.read_text()).get("enabled", True) else "off"
            for p in RULES}
    assert told == real
