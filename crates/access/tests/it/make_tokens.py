"""Tokens made by joserfc, which nobody here wrote: a set of keys, and tokens with whether they are to be taken.

Called with the time at which they are valid.
"""

import json
import sys

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

now = int(sys.argv[1])
names = {"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa"}
names |= {"ES256": "p256", "ES384": "p384", "Ed25519": "edwards"}
keys = {
    "rsa": RSAKey.generate_key(3072, {"kid": "rsa"}),
    "p256": ECKey.generate_key("P-256", {"kid": "p256", "use": "sig"}),
    "p384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "edwards": OKPKey.generate_key("Ed25519", {"kid": "edwards"}),
}
stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
secret = OctKey.import_key(keys["rsa"].as_dict(private=False)["n"], {"kid": "rsa"})
claims = {"iss": "https://corp", "aud": ["other", "waymark"], "sub": "ada", "iat": now, "nbf": now, "exp": now + 60}


def token(algorithm, key, **changes):
    header = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}
    changed = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(header, changed, key, algorithms=[algorithm])


tokens = [(name, token(name, keys[key]), True) for name, key in names.items()]
tokens += [
    ("a stranger's", token("RS256", stranger), False),
    ("shared secret", token("HS256", secret), False),
    ("expired", token("RS256", keys["rsa"], exp=now - 60), False),
    ("of tomorrow", token("ES256", keys["p256"], nbf=now + 86400), False),
    ("another audience", token("ES384", keys["p384"], aud="other"), False),
    ("another issuer", token("RS256", keys["rsa"], iss="https://other"), False),
    ("without end", token("RS256", keys["rsa"], exp=None), False),
]
published = KeySet(list(keys.values())).as_dict(private=False)
json.dump({"keys": published["keys"], "tokens": tokens}, sys.stdout)
