"""Somebody who makes access tokens that must not be believed, with a cryptographic library that is not ours.

usage: forge.py plant DATABASE            replaces the signing key by one that is known here, in the oldest form
       forge.py signed GOOD_TOKEN         tokens of that key, each with one thing wrong
       forge.py unsigned GOOD_TOKEN EVIL  tokens of other keys or none; EVIL is the URL of a server of the forger
Writes a JSON object, from what is wrong to the token. `control` is right.
"""

import hashlib
import hmac
import json
import sqlite3
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

OURS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EVIL = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))


def encode(data):
    return urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def decode(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def raw(key, encoding=Encoding.Raw, form=PublicFormat.Raw):
    return key.public_key().public_bytes(encoding, form)


def jwk(key):
    return {"crv": "Ed25519", "kty": "OKP", "x": encode(raw(key))}


def thumbprint(key):
    return encode(hashlib.sha256(json.dumps(jwk(key), separators=(",", ":")).encode()).digest())


def token(header, claims, sign=OURS.sign):
    head = header if isinstance(header, str) else encode(header)
    text = f"{head}.{encode(claims)}"
    return f"{text}.{encode(sign(text.encode()))}"


def hs256(secret):
    return lambda text: hmac.new(secret, text, hashlib.sha256).digest()


def plant(database):
    kid = thumbprint(OURS)
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM signing_keys")
        connection.execute(
            "INSERT INTO signing_keys (kid, algorithm, private_key, state, created_at) VALUES (?, 'EdDSA', ?, 'current', ?)",
            (kid, bytes(range(32)), int(time.time()) - 3600),
        )
    return {"kid": kid}


def without(members, name):
    return {key: value for key, value in members.items() if key != name}


def signed(header, claims):
    now, url = int(time.time()), claims["aud"]
    origin = claims["iss"]
    headers = {
        "no typ": without(header, "typ"),
        "typ of any JWT": header | {"typ": "JWT"},
        "typ of an ID token": header | {"typ": "id_token+jwt"},
        "typ of a logout token": header | {"typ": "logout+jwt"},
        "typ that begins right": header | {"typ": "at+jwt; x"},
        "crit of a known claim": header | {"crit": ["exp"]},
        "crit of b64": header | {"crit": ["b64"], "b64": True},
        "crit of nothing": header | {"crit": []},
        "alg of another family": header | {"alg": "ES256"},
        "alg none over a good signature": header | {"alg": "none"},
        "alg HS256 over a good signature": header | {"alg": "HS256"},
        "a number as kid": header | {"kid": 1},
        "kid in another case": header | {"kid": header["kid"].swapcase()},
        "kid with a path": header | {"kid": "../keys/" + header["kid"]},
        "kid with SQL": header | {"kid": "x' OR '1'='1' -- "},
        "kid with a byte of zero": header | {"kid": header["kid"] + "\0"},
        "a very long kid": header | {"kid": "k" * 20_000},
        "alg twice": encode(json.dumps(header)[:-1].encode() + b', "alg": "none"}'),
    }
    bodies = {
        "aud of another resource": claims | {"aud": url.replace("everything", "other")},
        "aud with a slash more": claims | {"aud": url + "/"},
        "aud of the origin": claims | {"aud": origin},
        "aud of the client": claims | {"aud": claims["client_id"]},
        "aud of several others": claims | {"aud": [origin, url + "x"]},
        "aud of nobody": claims | {"aud": []},
        "no aud": without(claims, "aud"),
        "iss of another": claims | {"iss": "https://issuer.example"},
        "iss with a slash more": claims | {"iss": origin + "/"},
        "iss that begins right": claims | {"iss": origin + ".evil.example"},
        "no iss": without(claims, "iss"),
        "expired": claims | {"exp": now - 3600},
        "no exp": without(claims, "exp"),
        "exp as text": claims | {"exp": str(now + 3600)},
        "begins tomorrow": claims | {"nbf": now + 86400},
    }
    forged = {"control": token(header, claims | {"jti": "another"})}
    forged |= {what: token(one, claims) for what, one in headers.items()}
    return forged | {what: token(header, one) for what, one in bodies.items()}


def unsigned(header, claims, good, url):
    head, body, signature = good.split(".")
    mallory = claims | {"email": "mallory@example.com", "sub": "mallory"}
    hmac_header = header | {"alg": "HS256"}
    secrets = {
        "raw": raw(OURS),
        "base64url": encode(raw(OURS)).encode(),
        "JWK": json.dumps(jwk(OURS), separators=(",", ":")).encode(),
        "PEM": raw(OURS, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "DER": raw(OURS, Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }
    theirs = without(header, "kid") | {"kid": thumbprint(EVIL)}
    brought = {
        "jwk": {"jwk": jwk(EVIL)},
        "jku": {"jku": f"{url}/jwks.json"},
        "x5u": {"x5u": f"{url}/certificate.pem"},
        "x5c": {"x5c": [encode(raw(EVIL, Encoding.DER, PublicFormat.SubjectPublicKeyInfo))]},
        "all of them": {"jwk": jwk(EVIL), "jku": f"{url}/jwks.json", "x5u": f"{url}/certificate.pem"},
    }
    forged = {"control": good}
    for alg in ["none", "None", "NONE", ""]:
        forged[f"alg {alg!r} without a signature"] = f"{encode(header | {'alg': alg})}.{encode(mallory)}."
    for what, secret in secrets.items():
        forged[f"HS256 with our public key as {what}"] = token(hmac_header, mallory, hs256(secret))
    forged["HS256 with an empty file as kid"] = token(hmac_header | {"kid": "../../../dev/null"}, mallory, hs256(b""))
    for what, members in brought.items():
        forged[f"brings {what}, kid of ours"] = token(header | members, mallory, EVIL.sign)
        forged[f"brings {what}, kid of its own"] = token(theirs | members, mallory, EVIL.sign)
        forged[f"brings {what}, no kid"] = token(without(header, "kid") | members, mallory, EVIL.sign)
    return forged | {
        "claims of another under our signature": f"{head}.{encode(mallory)}.{signature}",
        "no signature": f"{head}.{body}.",
        "half of the signature": f"{head}.{body}.{signature[:43]}",
        "a signature of zeros": f"{head}.{body}.{encode(bytes(64))}",
        "one part more": f"{good}.{signature}",
        "two parts": f"{head}.{body}",
        "encrypted": ".".join([encode({"alg": "dir", "enc": "A256GCM", "kid": header["kid"]}), "", "AA", "AA", "AA"]),
    }


def main(what, first, *rest):
    if what == "plant":
        return plant(first)
    header, claims = (json.loads(decode(part)) for part in first.split(".")[:2])
    return signed(header, claims) if what == "signed" else unsigned(header, claims, first, *rest)


print(json.dumps(main(*sys.argv[1:])))
