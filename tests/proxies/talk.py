"""A WebSocket client and a running parlor, for scripts that test it from outside. Needs Python's
own library only.

The client is as small as RFC 6455 allows, and strict about the server: it refuses masked frames,
reserved bits and a wrong Sec-WebSocket-Accept.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """Builds the program and returns its path; PARLOR names another one."""
    if named := os.environ.get("PARLOR"):
        return named
    built = subprocess.run(
        [
            "cargo",
            "build",
            "--quiet",
            "--message-format=json-render-diagnostics",
            "--bin",
            "parlor",
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    artifacts = map(json.loads, built.stdout.splitlines())
    return next(found for artifact in artifacts if (found := artifact.get("executable")))


class Parlor:
    """A running parlor on a free port, stopped at the end of a `with`. Without `--history` it keeps
    no messages.
    """

    def __init__(self, *options):
        if not any(option.startswith(("--history", "--no-history")) for option in options):
            options = ("--no-history", *options)
        self.process = subprocess.Popen(
            [binary(), "--listen", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            text=True,
            env={"PARLOR_LOG": "warn", **os.environ},
        )
        line = self.process.stdout.readline()
        found = re.fullmatch(
            r"parlor \S+ listening on http://127\.0\.0\.1:(\d+)(, unix:.*)?\n", line
        )
        if not found:
            self.process.kill()
            raise AssertionError(f"parlor {' '.join(options)} printed {line!r}")
        self.port = int(found[1])

    def metric(self, name):
        """Returns a number of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return next(
                float(line.split()[1])
                for line in answer.read().decode().splitlines()
                if line.startswith(f"{name} ")
            )

    def stop(self):
        """Sends SIGTERM, after which parlor closes its connections."""
        self.process.send_signal(signal.SIGTERM)

    def status(self):
        """Waits for the end of the process, and returns its exit status."""
        return self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Refused(Exception):
    """The server's status was not 101."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Closed(Exception):
    """A close frame was received."""

    def __init__(self, code, reason):
        super().__init__(f"closed with {code} {reason}")
        self.code = code


class Client:
    """One WebSocket connection, which answers pings."""

    def __init__(self, port, path="/chat", host=None, tls=None, headers=(), source="127.0.0.1"):
        host = host or f"127.0.0.1:{port}"
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=10, source_address=(source, 0)
        )
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.stream, self.pings = self.socket.makefile("rb"), 0
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Connection: keep-alive, Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            *headers,
        ]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = int(self.stream.readline().split()[1])
        fields = {}
        while line := self.stream.readline().decode("latin-1").strip():
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()
        if status != 101:
            body = self.stream.read(int(fields.get("content-length", 0))).decode()
            self.socket.close()
            raise Refused(status, body)
        expected = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        assert fields["sec-websocket-accept"] == base64.b64encode(expected).decode(), fields
        assert fields.get("sec-websocket-protocol") == "chat", fields
        # As a browser, it offers compression. A parlor without the feature `deflate` does not
        # accept it.
        self.deflate = "permessage-deflate" in fields.get("sec-websocket-extensions", "")

    def frame(self, opcode, payload):
        """Sends one masked frame."""
        mask = os.urandom(4)
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack(">H", length)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + size + mask + masked)

    def line(self, text):
        """Sends one text message as it is."""
        self.frame(1, text.encode())

    def say(self, **command):
        """Sends one command."""
        self.line(json.dumps(command))

    def event(self):
        """Returns the next event. Answers pings, and raises Closed."""
        while True:
            first, second = self.stream.read(2)
            compressed = self.deflate and first & 0x40
            assert first & 0xF0 == (0xC0 if compressed else 0x80) and not second & 0x80, (
                f"a frame begins with {first:#x} {second:#x}"
            )
            length = second
            if second == 126:
                (length,) = struct.unpack(">H", self.stream.read(2))
            elif second == 127:
                (length,) = struct.unpack(">Q", self.stream.read(8))
            payload = self.stream.read(length)
            if compressed:
                payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
            match first & 0x0F:
                case 1:
                    return json.loads(payload)
                case 8:
                    self.frame(8, payload[:2])
                    raise Closed(
                        struct.unpack(">H", payload[:2])[0] if payload else None,
                        payload[2:].decode(),
                    )
                case 9:
                    self.pings += 1
                    self.frame(10, payload)
                case 10:
                    pass
                case opcode:
                    raise AssertionError(f"opcode {opcode} on /chat")

    def until(self, **wanted):
        """Returns the next event with these fields, and discards those before it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            event = self.event()
            if all(event.get(name) == value for name, value in wanted.items()):
                return event
        raise AssertionError(f"no {wanted} within 10 s")

    def closed(self):
        """Reads up to the close frame, and returns its code."""
        try:
            while True:
                self.event()
        except Closed as closed:
            self.socket.close()
            return closed.code


def blocks(name):
    """Returns the block in README.md and docs/ that is marked `<!-- tested: NAME -->`."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text() for page in pages)
    found = re.findall(rf"<!-- tested: {re.escape(name)} -->\n```\w+\n(.*?)```", text, re.S)
    assert len(found) == 1, f"{len(found)} blocks in README.md and docs/ are marked {name}"
    return found[0]
