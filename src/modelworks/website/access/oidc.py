"""Sign-in by an OpenID Connect provider: where a browser is sent, and what the provider says of who comes back.

The authorization code flow of OpenID Connect Core 1.0, section 3.1, with the provider found by Discovery 1.0, with PKCE
(RFC 7636), and with the provider's name in its answer (RFC 9207) where it gives it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn
from urllib.parse import quote_plus, urlencode

import httpx

from modelworks.errors import fail
from modelworks.jobs.channels import secret
from modelworks.website._settings import Oidc

SECRET = "MODELWORKS_OIDC_SECRET"
BACK = "/sign-in/oidc/back"
SCOPE = "openid email"
PLACES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
PATIENCE_SECONDS = 10.0
# Keys, tokens and what a provider says of itself are some kilobytes.
MOST_BYTES = 10**6
# What a provider says of itself is asked for anew after so long.
REMEMBERED_SECONDS = 3600.0
# How far the provider's clock and ours may be apart.
LEEWAY_SECONDS = 60
# Signed with a key whose secret half only the provider has: neither unsigned, nor with what a client knows, too.
ALGORITHMS = [f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)]

# Strangers make us ask: where the provider hangs, they do not get all threads of the website.
_ASKING = threading.BoundedSemaphore(8)


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that a browser has begun: what it alone knows, and where it wants to go afterwards."""

    state: str
    nonce: str
    verifier: str
    next: str

    @classmethod
    def begun(cls, next: str) -> Pending:
        """A new one; each part is 256 bits of chance."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, next)

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who came, as the provider says: `issuer` and `subject` never change, `mail` is empty where it is not verified."""

    issuer: str
    subject: str
    mail: str


class Provider:
    """The provider that the settings name; `address` is that of the website.

    Raises
    ------
    ModelworksError
        W133 where it does not answer or not as one can use, W137 where the package or the client's secret is missing.
    """

    def __init__(self, said: Oidc, address: str) -> None:
        self._said = said
        self._back = address + BACK
        self._known: tuple[float, Mapping[str, Any]] | None = None
        self._keys: Any = None

    @property
    def title(self) -> str:
        """What its button says."""
        return self._said.title

    def way_in(self, pending: Pending) -> str:
        """The page of the provider to which a browser is sent."""
        _ready()
        challenge = hashlib.sha256(pending.verifier.encode("ascii")).digest()
        asked = {
            "response_type": "code", "client_id": self._said.client_id, "redirect_uri": self._back, "scope": SCOPE,
            "state": pending.state, "nonce": pending.nonce, "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"),
        }  # fmt: skip
        page = self._metadata()["authorization_endpoint"]
        return f"{page}{'&' if '?' in page else '?'}{urlencode(asked)}"

    def identity(self, pending: Pending | None, answer: Mapping[str, str]) -> Identity:
        """Who came back with this answer.

        Raises
        ------
        ModelworksError
            W134 where this browser did not begin it, W135 where the provider refuses or its token can not be
            believed.
        """
        given = answer.get("state", "").encode("utf-8")
        if pending is None or not hmac.compare_digest(given, pending.state.encode("utf-8")):
            fail("W134", "this browser did not begin this sign-in, or too long ago", hint="begin it again here")
        if answer.get("iss", self._said.issuer) != self._said.issuer:
            _refuse("another provider answered")
        if "code" not in answer:
            _refuse(f"the provider said `{answer.get('error', 'nothing')[:100]}`")
        tokens = self._tokens(answer["code"], pending)
        claims = self._claims(tokens.get("id_token"), pending)
        about = claims if "email" in claims else {**self._userinfo(tokens, claims["sub"]), **claims}
        # Without its being verified, an address is what anybody may have typed.
        mail = about.get("email") if about.get("email_verified") is True else ""
        return Identity(self._said.issuer, claims["sub"], mail if isinstance(mail, str) else "")

    def _tokens(self, code: str, pending: Pending) -> Mapping[str, Any]:
        """What the provider gives for a code."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._back,
            "code_verifier": pending.verifier,
        }  # fmt: skip
        mine = {"client_id": self._said.client_id, "client_secret": _ready()}
        ways = self._metadata().get("token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        if "client_secret_basic" in ways:
            # RFC 6749, section 2.3.1: encoded as in a form, and then once more.
            named = httpx.BasicAuth(*(quote_plus(each) for each in mine.values()))
            answer = self._asked("POST", "token_endpoint", data=form, auth=named)
        else:
            answer = self._asked("POST", "token_endpoint", data=form | mine)
        if answer.status_code in (400, 401):
            _refuse(f"the provider does not take its code: {answer.text[:200]}")
        return _object(answer)

    def _claims(self, token: object, pending: Pending) -> Mapping[str, Any]:
        """What a token says, once its signature and everything that binds it to this sign-in are checked."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        if not isinstance(token, str):
            _refuse("the provider gave no token")
        try:
            claims: dict[str, Any] = self._decoded(token).claims
            jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self._said.issuer}, sub={"essential": True},
                aud={"essential": True, "value": self._said.client_id}, exp={"essential": True},
                iat={"essential": True}, nonce={"essential": True, "value": pending.nonce},
            ).validate(claims)  # fmt: skip
        except (JoseError, ValueError) as error:
            _refuse(f"its token is not to be believed: {error}")
        if not isinstance(claims["sub"], str):
            _refuse("its token names nobody in letters")
        if claims.get("azp", self._said.client_id) != self._said.client_id:
            _refuse("its token is for another client")
        return claims

    def _decoded(self, token: str) -> Any:
        """The token, where a key of the provider signed it; its keys are asked for again, once, where none did."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                # Providers change their keys without notice.
                self._keys = None
        keys = self._read_keys()
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        self._keys = keys
        return decoded

    def _read_keys(self) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        found: Any = _object(self._asked("GET", "jwks_uri")).get("keys")
        try:
            usable = [each for each in found if each["kty"] in ("RSA", "EC") and each.get("use", "sig") == "sig"]
            return KeySet.import_key_set({"keys": usable})
        except (JoseError, AttributeError, KeyError, TypeError, ValueError) as error:
            _no_answer(f"its keys can not be read: {error}")

    def _userinfo(self, tokens: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        """What the provider tells besides its token, for some say there who somebody is and nothing else."""
        if "access_token" not in tokens or "userinfo_endpoint" not in self._metadata():
            return {}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        found = _object(self._asked("GET", "userinfo_endpoint", headers=bearer))
        # Core 1.0, section 5.3.2: what is said of somebody else is not used.
        return found if found.get("sub") == subject else {}

    def _metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself."""
        if self._known is None or self._known[0] < time.monotonic() - REMEMBERED_SECONDS:
            place = f"{self._said.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = _object(_http("GET", place))
            if found.get("issuer") != self._said.issuer:
                _no_answer(f"it calls itself `{found.get('issuer')}`, and the settings `{self._said.issuer}`")
            # Only a provider that is found without HTTPS, on this machine, is asked without it.
            safe = ("https://", "http://") if self._said.issuer.startswith("http://") else "https://"
            for each in (*PLACES, *({"userinfo_endpoint"} & {*found})):
                if not str(found.get(each, "")).startswith(safe):
                    _no_answer(f"it names no `{each}` that begins with https://")
            self._known = (time.monotonic(), found)
        return self._known[1]

    def _asked(self, method: str, name: str, **said: Any) -> httpx.Response:
        return _http(method, self._metadata()[name], **said)


def _ready() -> str:
    """The client's secret; W137 without it, or without what checks signatures."""
    if importlib.util.find_spec("joserfc") is None:
        fail("W137", "the package `joserfc` is not installed", hint="pip install 'modelworks[sso]'")
    found = secret(SECRET)
    if not found:
        hint = f"start the website with it in {SECRET}, or the name of a file with it in {SECRET}_FILE"
        fail("W137", "the website was not told the client's secret", hint=hint)
    return found


def _http(method: str, place: str, **said: Any) -> httpx.Response:
    if not _ASKING.acquire(blocking=False):
        _no_answer("too many wait for it")
    try:
        with httpx.stream(method, place, timeout=PATIENCE_SECONDS, **said) as answer:
            return _read(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _no_answer(f"{place}: {error or type(error).__name__}")
    finally:
        _ASKING.release()


def _read(answer: httpx.Response) -> httpx.Response:
    """The same with what it says, of which there is an end."""
    found = b""
    for piece in answer.iter_bytes():
        found += piece
        if len(found) > MOST_BYTES:
            _no_answer(f"{answer.url} answers with more than {MOST_BYTES:,} bytes")
    return httpx.Response(answer.status_code, content=found, request=answer.request)


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    """The JSON of an answer."""
    if answer.status_code != 200:
        _no_answer(f"{answer.url} answered with {answer.status_code}")
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _no_answer(f"{answer.url} answered with no object of JSON")
    return found


def _no_answer(reason: str) -> NoReturn:
    hint = "try again in a moment; whoever runs this site sees whether `oidc_issuer` is right and can be reached"
    fail("W133", f"the provider of sign-ins can not be used: {reason}", hint=hint)


def _refuse(reason: str) -> NoReturn:
    fail("W135", f"the sign-in did not succeed: {reason}", hint="begin it again, or ask whoever runs this site")
