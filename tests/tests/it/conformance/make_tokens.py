"""Tokens made by joserfc, which nobody here wrote: the keys of two issuers, tokens of each role, and hostile ones with why they are refused.

Called with the time at which they are valid.
"""

import base64
import json
import sys

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

now = int(sys.argv[1])
key = RSAKey.generate_key(2048, {"kid": "one"})
theirs = ECKey.generate_key("P-256", {"kid": "theirs"})
stranger = RSAKey.generate_key(2048, {"kid": "one"})
# What is published, taken for a secret.
secret = OctKey.import_key(key.as_dict(private=False)["n"], {"kid": "one"})
claims = {"iss": "https://corp", "aud": "waymark", "sub": "ada", "iat": now, "exp": now + 3600}


def token(signer=key, algorithm="RS256", header=None, **changes):
    head = {"alg": algorithm, "kid": signer.kid, "typ": "JWT"} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    changed = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(head, changed, signer, algorithms=[algorithm])


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


good = token()
head, body, signature = good.split(".")
hostile = {
    "bad signature": (f"{head}.{part(claims | {'sub': 'root'})}.{signature}", "signature"),
    "alg none": (f"{part({'alg': 'none', 'kid': 'one'})}.{body}.", "algorithm"),
    "HS in place of RS": (token(secret, "HS256"), "algorithm"),
    "another audience": (token(aud="billing"), "audience"),
    "another issuer": (token(iss="https://evil"), "unknown_issuer"),
    "expired": (token(exp=now - 60), "expired"),
    "of tomorrow": (token(nbf=now + 86400), "not_yet"),
    "a stranger's": (token(stranger), "signature"),
    "the key of the other issuer": (token(theirs, "ES256"), "unknown_key"),
    "no key id": (token(header={"kid": None}), "no_key_id"),
    "no end": (token(exp=None), "no_claim"),
    "17 KB": (token(pad="x" * 12300), "too_long"),
    "no token at all": ("", "malformed"),
}
roles = {role: token(groups=[role]) for role in ["viewer", "contributor", "manager", "admin"]}
roles["none"] = token(groups=["strangers"])
roles["of the other issuer"] = token(theirs, "ES256", iss="https://partner", groups=["admin"])
published = {
    "corp": KeySet([key]).as_dict(private=False),
    "partner": KeySet([theirs]).as_dict(private=False),
}
json.dump({"huge": token(pad="x" * 45000), "keys": published, "roles": roles, "hostile": hostile}, sys.stdout)
