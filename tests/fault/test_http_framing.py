# SPDX-License-Identifier: MIT
"""test_http_framing.py - what can be read in two ways is refused once, closed, and not stored.

Every case carries a right signature for its body, so that only the framing can
be the reason; and every case is followed on the same connection by a whole,
right request, which must never be read.
"""

import re

import kit
import pytest
import raw
from raw import BODY, CHUNKED, head
from witness import Witness

N = len(BODY)


def lines(*more, body=BODY, **how):
    """A head with more lines, and a body."""
    return lambda gan: head(gan, *more, **how) + body


def no_length(*more, body=BODY, **how):
    return lines(*more, body=body, length=False, **how)


def chunks(body, *more):
    return no_length("Transfer-Encoding: chunked", *more, body=body)


def changed(old, new, count=1):
    """A right request with some of its bytes changed."""
    def make(gan):
        text = head(gan)
        assert old in text
        return text.replace(old, new, count) + BODY
    return make


def first_line(line):
    return lambda gan: re.sub(rb"\A[^\r]*", lambda _: line, head(gan)) + BODY


# name: (status, what is sent)
CASES = {
    # Two programs may take two lengths.
    "length and chunked": (400, lines("Transfer-Encoding: chunked", body=CHUNKED)),
    "chunked and length": (400, no_length("Transfer-Encoding: chunked", f"Content-Length: {N}",
                                          body=CHUNKED)),
    "length and identity": (400, lines("Transfer-Encoding: identity")),
    "two lengths": (400, lines("Content-Length: 11")),
    "two equal lengths": (400, lines(f"Content-Length: {N}")),
    "two lengths in two cases": (400, lines(f"CONTENT-LENGTH: {N + 1}")),
    "a list of lengths": (400, no_length(f"Content-Length: {N}, {N}")),
    "a list of two lengths": (400, no_length(f"Content-Length: {N}, 0")),
    "blank before the colon": (400, no_length(f"Content-Length : {N}")),
    "tab before the colon": (400, no_length(f"Content-Length\t: {N}")),
    "blank before the coding's colon": (400, lines("Transfer-Encoding : chunked", body=CHUNKED)),
    "negative length": (400, no_length("Content-Length: -1")),
    "signed length": (400, no_length(f"Content-Length: +{N}")),
    "hex length": (400, no_length("Content-Length: 0xa")),
    "length with a unit": (400, no_length(f"Content-Length: {N}b")),
    "length with a point": (400, no_length(f"Content-Length: {N}.0")),
    "length with a blank inside": (400, no_length("Content-Length: 1 0")),
    "empty length": (400, no_length("Content-Length:")),
    "length in quotes": (400, no_length(f'Content-Length: "{N}"')),
    "length beyond 64 bits": (413, no_length("Content-Length: 99999999999999999999999")),
    "length of 2^64 and 10": (413, no_length("Content-Length: 18446744073709551626")),
    "length beyond the limit": (413, no_length("Content-Length: 9999999999")),
    # Codings.
    "unknown coding": (501, no_length("Transfer-Encoding: gzip")),
    "identity": (501, no_length("Transfer-Encoding: identity")),
    "coding list": (501, no_length("Transfer-Encoding: gzip, chunked", body=CHUNKED)),
    "coding list behind chunked": (501, no_length("Transfer-Encoding: chunked, gzip",
                                                  body=CHUNKED)),
    "chunked twice": (501, no_length("Transfer-Encoding: chunked, chunked", body=CHUNKED)),
    "odd chunked": (501, no_length("Transfer-Encoding: xchunked", body=CHUNKED)),
    "chunked in quotes": (501, no_length('Transfer-Encoding: "chunked"', body=CHUNKED)),
    "chunked with a parameter": (501, no_length("Transfer-Encoding: chunked;q=1", body=CHUNKED)),
    "chunked with a blank behind": (501, no_length("Transfer-Encoding: chunked ", body=CHUNKED)),
    "chunked with a tab before and behind": (501, no_length("Transfer-Encoding:\tchunked\t",
                                                            body=CHUNKED)),
    "empty coding": (501, no_length("Transfer-Encoding:", body=CHUNKED)),
    "two codings": (400, no_length("Transfer-Encoding: chunked", "Transfer-Encoding: identity",
                                   body=CHUNKED)),
    "chunked in HTTP/1.0": (400, no_length("Transfer-Encoding: chunked", body=CHUNKED,
                                           version="HTTP/1.0")),
    "packed body": (415, lines("Content-Encoding: gzip")),
    "vertical tab before chunked": (400, no_length("Transfer-Encoding: \x0bchunked",
                                                   body=CHUNKED)),
    # Chunks.
    "chunk size that is no number": (400, chunks(b"zz\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "chunk size with a sign": (400, chunks(b"+a\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "chunk size with 0x": (400, chunks(b"0xa\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "chunk size with a blank before": (400, chunks(b" a\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "chunk size with a blank behind": (400, chunks(b"a \r\n" + BODY + b"\r\n0\r\n\r\n")),
    "empty chunk size": (400, chunks(b"\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "only an extension": (400, chunks(b";a=b\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "chunk size beyond 64 bits": (413, chunks(b"1000000000000000a\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "chunk longer than it says": (400, chunks(b"9\r\n" + BODY + b"\r\n0\r\n\r\n")),
    "no line end behind a chunk": (400, chunks(b"a\r\n" + BODY + b"0\r\n\r\n")),
    "trailer that is no header": (400, chunks(b"a\r\n" + BODY + b"\r\n0\r\nnonsense\r\n\r\n")),
    # Lines.
    "folded line": (400, lines("X-A: b", " c")),
    "line folded by a tab": (400, lines("X-A: b", "\tc")),
    "folded length": (400, no_length("Content-Length:", f" {N}")),
    "folded first header": (400, changed(b"\r\nHost:", b"\r\n Host:")),
    "folded last line": (400, lines("X-A: b", " ")),
    "bare LF between headers": (400, changed(b"\r\nHost", b"\nHost")),
    "bare LF in a value": (400, lines(b"X-A: b\nX-B: c")),
    "bare LF at the end": (400, changed(b"\r\n\r\n", b"\r\n\n")),
    "only bare LFs": (400, changed(b"\r\n", b"\n", -1)),
    "bare CR between headers": (400, lines(b"X-A: b\rX-B: c")),
    "CR in a name": (400, lines(b"X\rA: b")),
    "NUL in a value": (400, lines(b"X-A: b\0c")),
    "NUL in a name": (400, lines(b"X\0A: b")),
    "NUL before a smuggled header": (400, lines(b"X-A: b\0\r\nX-B: c")),
    "NUL in the target": (400, changed(b"/hooks/prodsmart", b"/hooks/prodsmart\0/x")),
    "NUL in the method": (400, first_line(b"PO\0ST /hooks/prodsmart HTTP/1.1")),
    "control character in a value": (400, lines(b"X-A: b\x01c")),
    "DEL in a value": (400, lines(b"X-A: b\x7fc")),
    "empty name": (400, lines(": x")),
    "name with a blank": (400, lines("X Y: z")),
    "name with a bracket": (400, lines("X(Y): z")),
    "name of 8-bit characters": (400, lines(b"X-\xc3\xa4: z")),
    "line without a colon": (400, lines("nonsense")),
    # Names that must be said once.
    "two hosts": (400, lines("Host: other")),
    "two equal hosts": (400, lines("Host: gantry")),
    "no host": (400, lines(host=False)),
    "empty host": (400, lines("Host:", host=False)),
    "list of hosts": (400, lines("Host: gantry, other", host=False)),
    "host with a user": (400, lines("Host: a@gantry", host=False)),
    "host with a path": (400, lines("Host: gantry/x", host=False)),
    "two signatures": (400, lines("x-prodsmart-hmac-sha256: " + "0" * 40)),
    "two topics": (400, lines("x-prodsmart-topic: lot_created")),
    "two content types": (400, lines("Content-Type: text/plain")),
    "two expectations": (400, lines("Expect: 100-continue", "Expect: 100-continue")),
    "unknown expectation": (417, lines("Expect: tea")),
    # The first line.
    "absolute form": (400, lines(path="http://gantry/hooks/prodsmart")),
    "absolute form of another host": (400, lines(path="http://other/hooks/prodsmart")),
    "authority form": (400, lines(path="gantry:80", method="CONNECT")),
    "asterisk form": (400, lines(path="*", method="OPTIONS")),
    "escaped path": (400, lines(path="/hooks/%70rodsmart")),
    "backslash in the path": (400, lines(path="/hooks\\prodsmart")),
    "fragment": (400, lines(path="/hooks/prodsmart#x")),
    "8-bit target": (400, lines(path="/hooks/prods\xe4rt")),
    "blank in the target": (400, lines(path="/hooks/prodsmart x")),
    "two blanks in the first line": (400, lines(path=" /hooks/prodsmart")),
    "blank behind the version": (400, first_line(b"POST /hooks/prodsmart HTTP/1.1 ")),
    "tab in the first line": (400, first_line(b"POST /hooks/prodsmart\tx HTTP/1.1")),
    "method that is no token": (400, lines(method="PO(ST")),
    "no version": (400, first_line(b"POST /hooks/prodsmart")),
    "version in small letters": (400, lines(version="http/1.1")),
    "version with a third number": (400, lines(version="HTTP/1.1.1")),
    "version with two digits": (400, lines(version="HTTP/1.10")),
    "version 1.2": (400, lines(version="HTTP/1.2")),
    "long target": (414, lines(path="/hooks/prodsmart?" + "x" * 4000)),
    "target of many words": (414, lines(path="/hooks/prodsmart?" + "a&" * 600)),
    "cookie of many words": (431, lines("Cookie: " + "a;" * 600)),
    "cookie with a lone quote": (431, lines('Cookie: a="')),
    "many headers": (431, lines(*[f"X-{i}: {i}" for i in range(100)])),
}


@pytest.fixture(scope="module", params=[False, True], ids=["close", "keep-alive"])
def gan(request):
    """One gateway for the many small cases: each counts what it adds."""
    made = kit.Gateway(None, config={"listen": {"public": {"keep_alive": request.param}}})
    try:
        yield made.start()
    finally:
        made.close()


def test_there_are_at_least_sixty():
    assert len(CASES) >= 60


@pytest.mark.parametrize("why", CASES)
def test_refused_once_and_closed(gan, why):
    status, make = CASES[why]
    before = raw.stored(gan)
    stream = raw.talk(gan, make(gan) + raw.whole(gan))
    assert stream is not None, "the connection stayed open"
    got = raw.answers(stream)
    assert [s for s, _, _ in got] == [status], stream[:400]
    assert got[0][1].get("connection", "").lower() == "close"
    assert raw.stored(gan) == before


@pytest.mark.parametrize("body", [
    b"a\n" + BODY + b"\r\n0\r\n\r\n", b"a\r\n" + BODY + b"\n0\r\n\r\n",
    b"a;x\n" + BODY + b"\n0\n\n", b"a\r\n" + BODY + b"\r\n0\r\nX: y\n z\r\n\r\n"],
    ids=["size", "data", "all", "trailer"])
def test_nothing_follows_chunks_with_bare_line_ends(gan, body):
    """libmicrohttpd takes a lone LF for the end of a chunk's line, and tells nobody.

    The body is what its signature says it is; what might be cut in another way
    is what follows, and nothing may.  Red when a connection is kept after chunks.
    """
    before = raw.stored(gan)
    stream = raw.talk(gan, chunks(body)(gan) + raw.whole(gan))
    assert stream is not None, "the connection stayed open"
    (status, headers, _), = raw.answers(stream)
    assert status == 200 or 400 <= status < 500
    assert headers["connection"].lower() == "close"
    assert raw.stored(gan) == before + (status == 200)


def test_all_of_them_at_once_while_a_webhook_comes(gan):
    """None of them holds up an honest sender."""
    with Witness(gan) as seen:
        for _ in range(3):
            socks = [raw.connect(gan) for _ in CASES]
            for sock, (_, make) in zip(socks, CASES.values()):
                raw.send(sock, make(gan) + raw.whole(gan))
            for sock, (status, _) in zip(socks, CASES.values()):
                with sock:
                    assert [s for s, _, _ in raw.answers(raw.read_all(sock))] == [status]
    seen.check(least=1)
