"""Tests Python's aiohttp against /echo, with compression and without, and against the pages."""
import asyncio
import platform
import sys

import aiohttp

ADDRESS = sys.argv[1]


async def echo(session, compress):
    async with session.ws_connect(f"ws://{ADDRESS}/echo", compress=compress, protocols=["chat"], max_msg_size=0) as socket:
        assert socket.protocol == "chat" and socket.compress == compress, (socket.protocol, socket.compress)
        for text in ["", "x", "Grüße €𝄞", "abc " * 200, "z" * 65_536, "long " * 200_000]:
            await socket.send_str(text)
            assert await socket.receive_str() == text
        payload = bytes(range(256)) * 400
        await socket.send_bytes(payload)
        assert await socket.receive_bytes() == payload
        await socket.ping(b"between")
        await socket.send_str("after the ping")
        assert await socket.receive_str() == "after the ping"
        await socket.close(code=1001, message=b"bye")
        assert socket.close_code == 1001, socket.close_code


async def main():
    async with aiohttp.ClientSession() as session:
        await echo(session, 15)
        await echo(session, 0)
        async with session.get(f"http://{ADDRESS}/") as page:
            assert page.status == 200 and "parlor" in await page.text()
            tag = page.headers["ETag"]
        async with session.get(f"http://{ADDRESS}/", headers={"If-None-Match": tag}) as page:
            assert page.status == 304
    print(f"ok      aiohttp {aiohttp.__version__}, Python {platform.python_version()}")


try:
    asyncio.run(asyncio.wait_for(main(), 30))
except BaseException as error:
    print(f"FAILED  aiohttp: {error!r}")
    raise
