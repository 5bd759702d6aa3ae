# SPDX-License-Identifier: MIT
"""core_yaml.py - YAML as Gantry reads it: the core schema of 1.2, where `no` is a text."""

import re

import yaml


class Core(yaml.SafeLoader):
    """PyYAML knows the schema of 1.1 only."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
                  r"|\.(nan|NaN|NAN)", "-+0123456789."),
        ("merge", r"<<", "<")):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), first)


def load(text):
    return yaml.load(text, Loader=Core)  # a SafeLoader
