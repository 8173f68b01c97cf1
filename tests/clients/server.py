"""An echo server on one of Python's libraries: server.py aiohttp|tornado|uvicorn|websockets.

Prints its port, and ends when standard input ends. With `large` it accepts messages of 16 MiB, which Autobahn sends.
"""
import asyncio
import logging
import os
import socket
import sys
import threading

logging.disable(logging.CRITICAL)
KIND = sys.argv[1]
LIMIT = {"max_size": 17 << 20} if "large" in sys.argv else {}


def ready(listener):
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()


def listener():
    created = socket.create_server(("127.0.0.1", 0), backlog=512)
    created.setblocking(False)
    return created


async def websockets():
    from websockets.asyncio.server import serve

    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, **LIMIT) as server:
        ready(server.sockets[0])
        await asyncio.Future()


async def aiohttp():
    from aiohttp import WSMsgType, web

    async def echo(request):
        connection = web.WebSocketResponse(max_msg_size=LIMIT.get("max_size", 4 << 20))
        await connection.prepare(request)
        async for message in connection:
            if message.type == WSMsgType.TEXT:
                await connection.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await connection.send_bytes(message.data)
        return connection

    app = web.Application()
    app.add_routes([web.get("/echo", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    listening = listener()
    await web.SockSite(runner, listening).start()
    ready(listening)
    await asyncio.Future()


async def tornado():
    from tornado import httpserver, web
    from tornado.websocket import WebSocketHandler

    class Echo(WebSocketHandler):
        def on_message(self, message):
            self.write_message(message, binary=isinstance(message, bytes))

        def get_compression_options(self):
            return {}

    listening = listener()
    size = {"websocket_max_message_size": LIMIT["max_size"]} if LIMIT else {}
    httpserver.HTTPServer(web.Application([("/echo", Echo)], **size)).add_socket(listening)
    ready(listening)
    await asyncio.Future()


async def uvicorn():
    from uvicorn import Config, Server

    async def echo(scope, receive, send):
        if scope["type"] != "websocket":
            return
        while (event := await receive())["type"] != "websocket.disconnect":
            if event["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
            else:
                await send(event | {"type": "websocket.send"})

    listening = listener()
    ready(listening)
    size = {"ws_max_size": LIMIT["max_size"]} if LIMIT else {}
    await Server(Config(echo, ws="wsproto", lifespan="off", log_level="critical", **size)).serve([listening])


asyncio.run(globals()[KIND]())
