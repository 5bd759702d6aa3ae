# SPDX-License-Identifier: MIT
"""test_bad_peers.py - vendors that answer hugely, endlessly, half, late, wrongly, or in circles.

A scripted vendor plays Flex2B byte by byte, each event with a behaviour of its
own, all at once; the verdict is that of the design, memory is bounded, and the
other connector goes on as if nothing were.
"""

import gzip
import json
import socket
import struct
import time
import zlib

import kit
import process
import pytest
import rules
from vendor import FLEX_DONE, Vendor, ok
from witness import Witness

MIB = b"x" * (1 << 20)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def flex(code, message="no"):
    return json.dumps({"ResponseCode": code, "ResponseMessage": message}).encode()


def say(*parts):
    """A script that sends these, and hangs up."""
    def script(_, sock):
        for part in parts:
            sock.sendall(part)
    return script


def endless(start, again, pause=0.0):
    """… and goes on until the other side has had enough; at most 300 MB."""
    def script(req, sock):
        sock.sendall(start)
        for _ in range(300_000_000 // max(1, len(again))):
            sock.sendall(again)
            if req.over.wait(pause) if pause else req.over.is_set():
                return
    return script


def wait(seconds, after=b"", before=b""):
    def script(req, sock):
        sock.sendall(before)
        req.over.wait(seconds * kit.SLOW)
        sock.sendall(after)
    return script


def reset(_, sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def redirect(status, to):
    return say(ok(b"", f"Location: {to}", status=f"{status} Elsewhere"))


BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMB = BOMB.compress(bytes(100 << 20)) + BOMB.flush()
DONE = ok(FLEX_DONE)
TOO_LARGE, CUT, LATE = "larger than 1 MiB", "cut off", "no complete answer within"
NO_JSON = "HTTP 200 without a ResponseCode"

# name: (script, state, words of the reason)
BEHAVIOURS = {
    "fine": (say(DONE), "delivered", None),
    # huge and endless
    "huge": (say(ok(b'{"ResponseCode":200,"x":"' + MIB * 50 + b'"}')), "unknown", TOO_LARGE),
    "huge-said": (say(HEAD + b"Content-Length: 99999999999\r\n\r\n" + MIB), "unknown", TOO_LARGE),
    "endless-body": (endless(HEAD + b"\r\n", MIB), "unknown", TOO_LARGE),
    "endless-chunks": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
                               b"100000\r\n" + MIB + b"\r\n"), "unknown", TOO_LARGE),
    "endless-tiny-chunks": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
                                    b"1\r\n \r\n" * 10000), "unknown", TOO_LARGE),
    "endless-drip": (endless(HEAD + b"\r\n", b" ", 0.05), "unknown", LATE),
    "endless-head": (endless(HEAD, b"X-More: and more\r\n" * 1000), "unknown", "64 KiB of headers"),
    "endless-line": (endless(HEAD + b"X-Line: ", b"x" * 10000), "unknown", ""),
    "endless-status": (endless(b"HTTP/1.1 200 ", b"O" * 10000), "unknown", ""),
    "endless-100": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "unknown",
                    "64 KiB of headers"),
    "endless-trailers": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
                                 b"X-Trailer: x\r\n" * 1000), "unknown", "64 KiB of headers"),
    "endless-extension": (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;x=",
                                  b"x" * 10000), "unknown", ""),
    "many-headers": (say(HEAD + b"X-A: 1\r\n" * 4000 + b"Content-Length: %d\r\n\r\n" % len(
        FLEX_DONE) + FLEX_DONE), "delivered", None),
    "header-bomb": (say(HEAD + b"X-A: " + b"x" * 90_000 + b"\r\n\r\n"), "unknown",
                    "64 KiB of headers"),
    "some-100": (say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
                     DONE), "delivered", None),
    # compressed, though nobody asked for it
    "gzip": (say(ok(gzip.compress(FLEX_DONE), "Content-Encoding: gzip")), "unknown", NO_JSON),
    "gzip-bomb": (say(ok(BOMB, "Content-Encoding: gzip")), "unknown", NO_JSON),
    "gzip-transfer": (say(HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + BOMB), "unknown", ""),
    "unknown-encoding": (say(ok(b"\x8b\x01\x02", "Content-Encoding: br, x-none")), "unknown",
                         NO_JSON),
    # redirecting
    "to-itself": (redirect(302, "/v1/replicationpost"), "dead", "redirect"),
    "to-a-file": (redirect(301, "file:///etc/passwd"), "dead", "redirect"),
    "to-another": (redirect(307, "http://OTHER/steal"), "dead", "redirect"),
    "to-another-308": (redirect(308, "http://OTHER/steal"), "dead", "redirect"),
    "to-nowhere": (redirect(303, ""), "dead", "redirect"),
    "not-modified": (say(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "dead", ""),
    # half
    "no-answer": (say(), "unknown", "no answer"),
    "reset": (reset, "unknown", "no answer"),
    "half-status": (say(b"HTTP/1.1 20"), "unknown", ""),
    "half-head": (say(HEAD + b"Content-Le"), "unknown", CUT),
    "half-body": (say(ok(FLEX_DONE)[:-10]), "unknown", CUT),
    "half-chunk": (say(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{\"a\":"), "unknown", CUT),
    "no-last-chunk": (say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (
        len(FLEX_DONE), FLEX_DONE)), "unknown", CUT),
    # late
    "hang": (wait(20), "unknown", LATE),
    "late": (wait(20, DONE), "unknown", LATE),
    "late-body": (wait(20, FLEX_DONE, HEAD + b"Content-Length: 500\r\n\r\n"), "unknown", LATE),
    "late-but-in-time": (wait(1, DONE), "delivered", None),
    # not JSON, or not the right one
    "empty": (say(ok(b"")), "unknown", ""),
    "no-content": (say(b"HTTP/1.1 204 No Content\r\n\r\n"), "unknown", ""),
    "text": (say(ok(b"all is well", kind="text/plain")), "unknown", NO_JSON),
    "html": (say(ok(b"<html><body>200 OK</body></html>", kind="text/html")), "unknown", NO_JSON),
    "login-page": (say(ok(b"<html>sign in</html>", "Set-Cookie: a=b", kind="text/html")),
                   "unknown", NO_JSON),
    "cut-json": (say(ok(FLEX_DONE[:-1])), "unknown", NO_JSON),
    "json-and-more": (say(ok(FLEX_DONE + b"x")), "unknown", NO_JSON),
    "two-jsons": (say(ok(FLEX_DONE + FLEX_DONE)), "unknown", NO_JSON),
    "deep-json": (say(ok(b"[" * 200_000)), "unknown", NO_JSON),
    "utf-16": (say(ok(FLEX_DONE.decode().encode("utf-16"))), "unknown", NO_JSON),
    "array": (say(ok(b"[" + FLEX_DONE + b"]")), "unknown", ""),
    "null": (say(ok(b"null")), "unknown", ""),
    "other-object": (say(ok(b'{"status":"ok"}')), "unknown", ""),
    "code-as-text": (say(ok(b'{"ResponseCode":"OK","CommunicationID":"1"}')), "unknown", ""),
    "failure-in-200": (say(ok(flex(400, "that line is wrong"))), "dead", "that line is wrong"),
    "wrong-type": (say(ok(FLEX_DONE, kind="text/plain; charset=latin1")), "delivered", None),
    # no HTTP, or ambiguous
    "not-http": (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "unknown", ""),
    "http-0.9": (say(FLEX_DONE), "unknown", ""),
    "http-2": (say(b"HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}"), "unknown", ""),
    "status-0": (say(b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"), "unknown", ""),
    "status-20": (say(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"), "unknown", ""),
    "status-999": (say(b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"), "unknown", ""),
    "switching": (say(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nxx"),
                  "unknown", ""),
    "negative-length": (say(HEAD + b"Content-Length: -5\r\n\r\n" + FLEX_DONE), "unknown", ""),
    "overflow-length": (say(HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n"), "unknown", ""),
    "overflow-chunk": (say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 40 + b"\r\n"),
                       "unknown", ""),
    "bad-chunk": (say(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), "unknown", ""),
    "two-answers": (say(DONE, ok(flex(500))), "delivered", None),
    "nul-in-a-header": (say(HEAD + b"X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}"), "unknown", ""),
    # its own fault, and ours
    "error-500": (say(ok(b"oops", status="500 No")), "unknown", "500"),
    "error-500-huge": (endless(b"HTTP/1.1 500 No\r\n\r\n", MIB), "unknown", "500"),
    "error-400-html": (say(ok(b"<html>bad</html>", status="400 Bad", kind="text/html")), "dead",
                       "400"),
    "error-418": (say(ok(flex(418, "teapot"), status="418 No")), "dead", "teapot"),
}


def key_of(req):
    """Which behaviour is asked for: the rule puts it into the line."""
    line = json.loads(req.body)["repLines"][0]
    return next(n["value"] for n in line["nodes"] if n["name"] == "key")


def trouble(gan):
    """One event for each behaviour, one for the other connector beside each: the slowest of these."""
    slowest = 0.0
    for n, name in enumerate(BEHAVIOURS):
        if name != "fine":
            assert gan.erp_post("line", {"n": n, "key": name}).status == 202
        start = time.monotonic()
        gan.erp_post("waste", {"key": f"w{n}", "gtin": rules.GTIN, "serials": [f"W{n}"]})
        gan.wait_key(f"po/w{n}", "delivered", deadline=5)
        slowest = max(slowest, time.monotonic() - start)
    return slowest


def test_every_answer_has_its_verdict(make_gateway, sim):
    sim.state(movilitas={"sscc_default": "Assigned"})
    with Vendor() as vendor, Vendor() as other:
        def script(req, sock):
            play = BEHAVIOURS[key_of(req)][0]
            if key_of(req).startswith("to-another"):
                play = redirect(307, other.url + "/steal")
            play(req, sock)
        vendor.script = script
        gan = make_gateway({"flex.yaml": rules.FLEX_ERP, "dec.yaml": rules.DECOMMISSION}, config={
            "connectors": {"flex2b": {"base_url": vendor.url, "concurrency": 8}}})
        assert gan.erp_post("line", {"n": 0, "key": "fine"}).status == 202
        gan.wait_key("k/fine", "delivered")
        process.forget_peak(gan.proc.pid)
        with Witness(gan) as seen:
            slowest = trouble(gan)
        seen.check()
        wrong = []
        for name, (_, state, words) in BEHAVIOURS.items():
            row = kit.wait_until(lambda k=name: (lambda d: d if d["state"] not in (
                "waiting", "sending") else None)(gan.deliveries(key=f"k/{k}")[0]), 30, name)
            why = (row["last"] or {}).get("error") or ""
            if row["state"] != state or (words is not None and words not in why) or len(why) > 500:
                wrong.append((name, row["state"], why))
        assert not wrong, "\n".join(map(str, wrong))
        assert not vendor.wrong, vendor.wrong
        counts = {}
        for req in vendor.requests:
            counts[key_of(req)] = counts.get(key_of(req), 0) + 1
        assert counts == dict.fromkeys(BEHAVIOURS, 1), "each was asked once, none again"
        assert other.requests == [], "a redirect was followed"
        print(f"{len(BEHAVIOURS)} behaviours; slowest neighbour {slowest:.2f} s; "
              f"peak {process.mib(gan.proc.pid, 'VmHWM'):.0f} MiB")
        assert process.mib(gan.proc.pid, "VmHWM") < 128 * kit.SLOW
        items = {i["key"] for i in gan.attention()}
        assert items == {f"k/{n}" for n, b in BEHAVIOURS.items() if b[1] != "delivered"}
        assert gan.http("GET", "/readyz").status == 200
        stored = sum(len(gan.ctl_raw("show", f"k/{n}", "--bodies")[1]) for n in ("huge", "gzip-bomb"))
        assert stored < 8 << 20, "answers are kept up to a limit"
        lines = gan.log().split("\n")
        assert len(lines) < 10 * len(BEHAVIOURS)


TOKENS = {
    "huge": endless(HEAD + b"\r\n", MIB), "hang": wait(20), "reset": reset,
    "html": say(ok(b"<html>", kind="text/html")), "empty": say(ok(b"")),
    "redirect": redirect(302, "/elsewhere"),
    "line-break": say(ok(json.dumps({"ResponseCode": 200, "ExpirationMs": 30000,
                                     "AccessToken": "a\r\nX-Injected: 1"}).encode())),
    "not-ascii": say(ok('{"ResponseCode":200,"ExpirationMs":30000,"AccessToken":"abcd\u00e9"}'
                        .encode())),
    "no-token": say(ok(b'{"ResponseCode":200,"ExpirationMs":30000,"AccessToken":""}')),
    "a-number": say(ok(b'{"ResponseCode":200,"ExpirationMs":30000,"AccessToken":7}')),
    "no-life": say(ok(b'{"ResponseCode":200,"ExpirationMs":0,"AccessToken":"abcdefgh"}')),
    "odd-life": say(ok(b'{"ResponseCode":200,"ExpirationMs":1e300,"AccessToken":"abcdefgh"}')),
    "past-life": say(ok(b'{"ResponseCode":200,"ExpirationMs":-1,"AccessToken":"abcdefgh"}')),
}


@pytest.mark.parametrize("name", TOKENS)
def test_no_token_no_request(make_gateway, sim, name):
    """Whatever is given out instead of a token: nothing is sent, lost, or asked for in circles."""
    sim.state(movilitas={"sscc_default": "Assigned"})
    with Vendor() as vendor:
        asked = []

        def script(req, sock):
            if req.target == b"/v1/generatetoken":
                asked.append(req)
                TOKENS[name](req, sock)
            else:
                sock.sendall(DONE)

        vendor.tokens, vendor.script = False, script
        gan = make_gateway({"flex.yaml": rules.FLEX_ERP, "dec.yaml": rules.DECOMMISSION}, config={
            "connectors": {"flex2b": {"base_url": vendor.url, "timeout": {"total": "500ms"}}}})
        assert gan.erp_post("line", {"n": 1, "key": "a"}).status == 202

        def told():
            rows = gan.deliveries(key="k/a")
            failed = rows and rows[0]["last"] and rows[0]["last"]["error"]
            return rows if asked and (failed or gan.attention(kind="connector-paused")) else None

        row, = kit.wait_until(told, 10, "told what is wrong")
        assert row["state"] in ("waiting", "sending")
        for n in range(3):
            gan.erp_post("waste", {"key": f"w{n}", "gtin": rules.GTIN, "serials": [f"W{n}"]})
            gan.wait_key(f"po/w{n}", "delivered")
        assert len(asked) < 60
        assert all(r.target == b"/v1/generatetoken" for r in vendor.requests), "sent without a token"
        assert not any(r.header("x-injected") for r in vendor.requests)
        # Mended, it goes on, and nothing was lost.
        vendor.tokens = True
        gan.ctl("reload")
        if gan.attention(kind="connector-paused"):
            gan.ctl("resume", "flex2b")
        gan.wait_key("k/a", "delivered", deadline=15)
        sent = [r for r in vendor.requests if r.method == b"POST"]
        assert len(sent) == 1
