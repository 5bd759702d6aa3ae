# SPDX-License-Identifier: MIT
"""control.py - the control socket spoken to directly, for tests that ask much (doc/architecture.md)."""

import json
import socket

from place import SLOW


class Control:
    """One connection; ask() gives the result, raw() the bytes of the whole answer."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30 * SLOW)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def raw(self, verb, **args):
        self.sock.sendall(json.dumps({"verb": verb, "args": args}).encode() + b"\n")
        return self.file.readline()

    def ask(self, verb, **args):
        answer = json.loads(self.raw(verb, **args))
        if answer["exit"] != 0:
            raise AssertionError(f"{verb} {args}: {answer}")
        return answer["result"]

    def all(self, verb, **args):
        """Every row of a listing, newest first."""
        rows = []
        while True:
            more = {"before": rows[-1]["id"]} if rows else {}
            page = self.ask(verb, limit=1000, **args, **more)
            rows += page
            if len(page) < 1000:
                return rows
