"""An echo client on one of Python's libraries: client.py aiohttp|websockets URL.

Runs all cases of a server with Autobahn's control paths.
"""
import asyncio
import logging
import sys

logging.disable(logging.CRITICAL)
KIND, URL = sys.argv[1:]
AGENT = f"agent={KIND}"


async def play(path, run):
    """Runs `run(messages, send)` on a connection. A handshake or frame that the client refuses ends the case."""
    if KIND == "websockets":
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        try:
            async with connect(URL + path, max_size=None) as connection:
                return await run(connection, connection.send)
        except (WebSocketException, OSError, EOFError):
            return None
    import aiohttp

    async def messages(connection):
        async for message in connection:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                yield message.data

    try:
        async with aiohttp.ClientSession() as session, session.ws_connect(URL + path, max_msg_size=0, compress=15) as connection:
            send = lambda data: (connection.send_str if isinstance(data, str) else connection.send_bytes)(data)
            return await run(messages(connection), send)
    except (aiohttp.ClientError, OSError):
        return None


async def first(messages, _):
    async for message in messages:
        return message


async def echo(messages, send):
    async for message in messages:
        await send(message)


async def main():
    for case in range(1, int(await play("/getCaseCount", first)) + 1):
        await play(f"/runCase?case={case}&{AGENT}", echo)
    await play(f"/updateReports?{AGENT}", first)


asyncio.run(main())
