"""Authlib as a confidential client, and as the resource server that verifies what the client got (RFC 9068).

Speaks JSON lines as sdk_client.py does.

usage: authlib_client.py URL TOOL ARGUMENTS_JSON
"""

import asyncio
import json
import os
import re
import sys

import httpx2
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
from joserfc import jwt
from joserfc.jwk import KeySet
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

REDIRECT_URI = "http://127.0.0.1:3035/callback"

# Everything here is on loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"


def say(**message):
    print(json.dumps(message), flush=True)


def read(url):
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    return answer.json()


def verified(token, server, resource):
    """The claims of an access token, with the keys that the metadata names."""
    keys = KeySet.import_key_set(read(server["jwks_uri"]))
    decoded = jwt.decode(token, keys, algorithms=["EdDSA", "Ed25519", "ES256"])
    required = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]
    options = {name: {"essential": True} for name in required}
    options |= {"iss": {"essential": True, "value": server["issuer"]}, "aud": {"essential": True, "value": resource}}
    claims = JWTAccessTokenClaims(decoded.claims, decoded.header, options=options)
    claims.validate(leeway=0)
    return claims


async def use(url, token, tool, arguments):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with streamable_http_client(url=url, http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                tools = await session.list_tools()
                result = await session.call_tool(tool, arguments)
    plain = lambda model: model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [plain(one) for one in tools.tools], plain(result)


def main(url, tool, arguments):
    challenge = requests.post(url, timeout=30).headers["www-authenticate"]
    resource = read(re.search('resource_metadata="([^"]+)"', challenge)[1])
    issuer = resource["authorization_servers"][0]
    server = AuthorizationServerMetadata(read(get_well_known_url(issuer, external=True)))
    server.validate()

    registration = {"client_name": "Authlib", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "client_secret_post"}
    answer = requests.post(server["registration_endpoint"], json=registration, timeout=30)
    assert answer.status_code == 201, answer.text
    client = answer.json()
    session = OAuth2Session(
        client["client_id"],
        client["client_secret"],
        token_endpoint_auth_method=client["token_endpoint_auth_method"],
        redirect_uri=REDIRECT_URI,
        scope=resource["scopes_supported"],
        code_challenge_method="S256",
    )
    verifier = generate_token(48)
    to, state = session.create_authorization_url(
        server["authorization_endpoint"], code_verifier=verifier, resource=resource["resource"]
    )
    say(authorize=to)
    back = sys.stdin.readline().strip()
    endpoint = server["token_endpoint"]
    before = session.fetch_token(
        endpoint, authorization_response=back, state=state, code_verifier=verifier, resource=resource["resource"]
    )
    claims = verified(before["access_token"], server, resource["resource"])
    assert claims["client_id"] == client["client_id"], claims

    tools, result = asyncio.run(use(url, before["access_token"], tool, arguments))
    say(tools=tools)
    say(result=result)

    after = session.refresh_token(endpoint, refresh_token=before["refresh_token"])
    asyncio.run(use(url, after["access_token"], tool, arguments))
    say(
        refreshed=after["access_token"] != before["access_token"],
        rotated=after["refresh_token"] != before["refresh_token"],
    )
    revoked = session.revoke_token(server["revocation_endpoint"], token=after["refresh_token"])
    assert revoked.status_code == 200, revoked.text
    say(done=True)


main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
