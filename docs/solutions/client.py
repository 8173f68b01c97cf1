import base64, hashlib, os, socket, sys

host, port, said = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
key = base64.b64encode(os.urandom(16)).decode()                                       # §4.1, 7
wire = socket.create_connection((host, port)).makefile("rwb")
wire.write(f"GET /echo HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
wire.flush()
assert b" 101 " in wire.readline(), "the server does not switch protocols"
headers = dict(line.decode().strip().split(": ", 1) for line in iter(wire.readline, b"\r\n"))
guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
assert headers["Sec-WebSocket-Accept"] == base64.b64encode(hashlib.sha1(key.encode() + guid).digest()).decode()  # §4.2.2
mask = os.urandom(4)                                                                  # §5.3
assert len(said) < 126, "longer texts take another form of the length (§5.2)"
wire.write(bytes([0x81, 0x80 | len(said)]) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(said)))
wire.flush()
first, length = wire.read(2)
assert (first, length) == (0x81, len(said)), "FIN and text, and a server does not mask (§5.1)"
print(wire.read(length).decode())
