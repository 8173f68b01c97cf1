"""An echo server on Python's websockets. Prints its port; ends with standard input."""
import asyncio
import logging
import sys

from websockets.asyncio.server import serve

logging.disable(logging.CRITICAL)


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main():
    async with serve(echo, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
