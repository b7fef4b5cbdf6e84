"""The official Python SDK as a client that knows only the URL of an MCP server.

Speaks JSON lines with the test that runs it. It writes {"authorize": URL} when a user must log in and
reads the URL that the browser was redirected to; it writes {"tools": [...]}, {"result": ...} and
{"refreshed": ...} as it goes, and {"done": true} at the end.

usage: sdk_client.py URL TOOL ARGUMENTS_JSON [URL of a document about this client, which is its id then]
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

REDIRECT_URI = "http://localhost:3030/callback"


def say(**message):
    print(json.dumps(message), flush=True)


class Memory(TokenStorage):
    def __init__(self):
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


async def open_browser(url):
    say(authorize=url)


async def redirected():
    line = await asyncio.to_thread(sys.stdin.readline)
    query = parse_qs(urlsplit(line.strip()).query)
    first = lambda name: query.get(name, [None])[0]
    return AuthorizationCodeResult(code=first("code"), state=first("state"), iss=first("iss"))


async def main(url, tool, arguments, document=None):
    storage = Memory()
    oauth = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="Python SDK",
            redirect_uris=[REDIRECT_URI],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
        ),
        storage=storage,
        redirect_handler=open_browser,
        callback_handler=redirected,
        client_metadata_url=document,
    )
    async with httpx2.AsyncClient(auth=oauth, timeout=30) as http:
        async with streamable_http_client(url=url, http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                tools = await session.list_tools()
                say(tools=[one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in tools.tools])
                result = await session.call_tool(tool, arguments)
                say(result=result.model_dump(mode="json", by_alias=True, exclude_none=True))
                # An expired token makes the SDK refresh before the next request.
                before = storage.tokens
                oauth.context.token_expiry_time = 1.0
                await session.call_tool(tool, arguments)
                after = storage.tokens
                say(
                    refreshed=after.access_token != before.access_token,
                    rotated=after.refresh_token != before.refresh_token,
                )
    say(done=True)


asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), *sys.argv[4:]))
