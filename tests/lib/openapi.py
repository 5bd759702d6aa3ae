# SPDX-License-Identifier: MIT
"""openapi.py - doc/openapi.yaml as something that answers can be checked against."""

import json
import os
import re

import jsonschema
import yaml
from place import TOP

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Of every answer; HTTP's own business.
USUAL = {"content-type", "content-length", "connection", "date"}


class Doc:
    def __init__(self, path=os.path.join(TOP, "doc", "openapi.yaml")):
        with open(path, encoding="utf-8") as f:
            self.tree = yaml.safe_load(f)
        self.resolver = jsonschema.RefResolver("", self.tree)

    def follow(self, node):
        while isinstance(node, dict) and set(node) == {"$ref"}:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def operations(self):
        """(METHOD, path, operation) of all."""
        for path, item in self.tree["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def operation(self, method, path):
        """The path template that fits, and the operation; HEAD is that of GET."""
        best = None
        for template, item in self.tree["paths"].items():
            pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and (best is None or "{" not in template):
                best = template
        found = self.tree["paths"].get(best, {})
        return best, found.get({"HEAD": "get"}.get(method, method.lower()))

    def transport(self):
        return set(self.tree["components"]["responses"]["Transport"]["x-statuses"])

    def validate(self, schema, value):
        jsonschema.Draft202012Validator(schema, resolver=self.resolver).validate(value)

    def check(self, method, target, answer):
        """That an answer is one which the document promises; returns the path template."""
        template, operation = self.operation(method, target.split("?")[0])
        if operation is None:
            assert answer.status in (404, 405), (method, target, answer)
            said = self.tree["components"]["responses"]["Transport"]
        elif str(answer.status) in operation["responses"]:
            said = self.follow(operation["responses"][str(answer.status)])
        else:
            assert answer.status in self.transport(), (method, target, answer)
            said = self.follow(operation["responses"]["default"])
        kind = answer.headers["content-type"]
        assert kind in said["content"], (method, target, answer, kind)
        if method != "HEAD":
            self.validate(said["content"][kind]["schema"], json.loads(answer.body))
        self.check_headers(said.get("headers", {}), answer)
        return template

    def check_headers(self, said, answer):
        said = {name.lower(): self.follow(h) for name, h in said.items()}
        for name, header in said.items():
            if name in answer.headers:
                self.validate(header["schema"], answer.headers[name])
            else:
                assert not header.get("required"), (name, answer)
        extra = set(answer.headers) - set(said) - USUAL
        if answer.status == 405:
            extra -= {"allow"}
        if answer.status in (503, 401):  # from the transport, too
            extra -= {"retry-after", "www-authenticate"}
        assert not extra, (extra, answer)
