"""Tests Python's websockets against /echo and /chat, with compression and without."""
import asyncio
import json
import platform
import sys

import websockets
from websockets.asyncio.client import connect

ADDRESS = sys.argv[1]


async def echo(compression):
    async with connect(f"ws://{ADDRESS}/echo", compression=compression, subprotocols=["chat"], max_size=None) as socket:
        assert socket.subprotocol == "chat"
        assert bool(socket.protocol.extensions) == (compression is not None), socket.protocol.extensions
        for message in ["", "x", "Grüße €𝄞", "abc " * 200, "z" * 65_536, "long " * 200_000, b"", bytes(range(256)) * 400]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "", "three ", "pieces"])
        assert await socket.recv() == "in three pieces"
        await asyncio.wait_for(await socket.ping(b"between"), 5)
        await socket.close(3000, "bye")
    assert socket.close_code == 3000, socket.close_code


async def until(socket, kind):
    while True:
        event = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if event["type"] == kind:
            return event


async def chat():
    async with connect(f"ws://{ADDRESS}/chat") as ada, connect(f"ws://{ADDRESS}/chat", compression=None) as bob:
        await ada.send("/nick PyAda")
        await bob.send('{"type":"hello","name":"PyBob"}')
        await until(ada, "welcome")
        await until(bob, "welcome")
        text = "private, and compressed for one of two. " * 30
        await ada.send(json.dumps({"type": "direct", "to": "PyBob", "text": text, "id": 1}))
        assert (await until(bob, "direct"))["text"] == text
        assert (await until(ada, "direct"))["text"] == text
        await asyncio.sleep(1.5)  # the server sends pings in this time
        await bob.send("/quit")
        await bob.wait_closed()
        assert bob.close_code == 1000, bob.close_code


async def main():
    await echo("deflate")
    await echo(None)
    await chat()
    print(f"ok      websockets {websockets.__version__}, Python {platform.python_version()}")


try:
    asyncio.run(asyncio.wait_for(main(), 30))
except BaseException as error:
    print(f"FAILED  websockets: {error!r}")
    raise
