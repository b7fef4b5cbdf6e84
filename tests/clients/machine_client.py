"""The official Python SDK as a program that acts for itself: it has no user, and knows the URL of an MCP server.

Writes JSON lines: {"tools": [names]} and {"result": ...}.

usage: machine_client.py keys ALGORITHM FILE           writes a private key to FILE, and {"jwks": ...}
       machine_client.py secret ISSUER URL SECRET      client `by-secret`
       machine_client.py key ISSUER URL ALGORITHM FILE client `by-key-ALGORITHM`
"""

import asyncio
import json
import sys

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

KEYS = {
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
}


def say(**message):
    print(json.dumps(message), flush=True)


def keys(algorithm, file):
    generate, description = KEYS[algorithm]
    private = generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(file, "wb") as out:
        out.write(pem)
    say(jwks={"keys": [description.to_jwk(private.public_key(), as_dict=True)]})


class Nothing(TokenStorage):
    async def get_tokens(self):
        return None

    async def set_tokens(self, tokens):
        pass

    async def get_client_info(self):
        return None

    async def set_client_info(self, client_info):
        pass


def by_secret(issuer, url, secret):
    return ClientCredentialsOAuthProvider(
        server_url=url, storage=Nothing(), client_id="by-secret", client_secret=secret, issuer=issuer
    )


def by_key(issuer, url, algorithm, file):
    client_id = f"by-key-{algorithm}"
    with open(file) as pem:
        signed = SignedJWTParameters(
            issuer=client_id, subject=client_id, signing_key=pem.read(), signing_algorithm=algorithm
        )
    return PrivateKeyJWTOAuthProvider(
        server_url=url,
        storage=Nothing(),
        client_id=client_id,
        assertion_provider=signed.create_assertion_provider(),
        issuer=issuer,
    )


async def call(url, oauth):
    async with httpx2.AsyncClient(auth=oauth, timeout=30) as http:
        async with streamable_http_client(url=url, http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                tools = await session.list_tools()
                say(tools=[tool.name for tool in tools.tools])
                arguments = {"attache_intent": f"Work at night as {oauth.context.client_info.client_id}"}
                result = await session.call_tool("list_cities", arguments)
                say(result=result.model_dump(mode="json", by_alias=True, exclude_none=True))


match sys.argv[1:]:
    case ["keys", algorithm, file]:
        keys(algorithm, file)
    case ["secret", issuer, url, secret]:
        asyncio.run(call(url, by_secret(issuer, url, secret)))
    case ["key", issuer, url, algorithm, file]:
        asyncio.run(call(url, by_key(issuer, url, algorithm, file)))
