"""Sign-in by a provider: a small one, served over HTTP, that can be told to lie in every way that matters."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
import servers
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.testclient import TestClient
from visitors import token_on

from modelworks.errors import ModelworksError
from modelworks.study import new_repository
from modelworks.website import create_app, read_settings
from modelworks.website.access.oidc import MOST_BYTES
from modelworks.website.access.people import People
from modelworks.website.access.tries import MOST_BY_PROVIDER

ADDRESS = "http://127.0.0.1:8420"
CLIENT, SECRET = "modelworks", "s3cret: with % and spaces"


@cache
def key(name: str) -> RSAKey:
    """A key of the provider; it takes a while to find one."""
    return RSAKey.generate_key(2048, {"kid": name})


@dataclass
class Provider:
    """What the provider knows, and how it lies. `claims` are put over those that are right; None leaves one out."""

    address: str = ""
    keys: list[RSAKey] = field(default_factory=lambda: [key("first")])
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    ways: list[str] = field(default_factory=lambda: ["client_secret_basic"])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def found(self, path: str, query: str, bearer: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            said = {name: f"{self.address}/{place}" for name, place in places.items()}
            if self.userinfo:
                said["userinfo_endpoint"] = f"{self.address}/userinfo"
            ways = {"token_endpoint_auth_methods_supported": self.ways}
            return {"issuer": self.address, **said, **ways, **self.metadata}
        if path == "/jwks":
            return {**KeySet(self.keys).as_dict(private=False)}
        if path == "/userinfo" and bearer == "Bearer opaque":
            return self.userinfo
        return None

    def answer(self, query: str) -> str:
        """Somebody agreed: where their browser is sent."""
        asked = dict(parse_qsl(query))
        assert asked["response_type"] == "code"
        assert {"openid", "email"} <= {*asked["scope"].split()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.address})}"

    def tokens(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """What is given for a code: once, to the client that has the secret and began it."""
        asked = self.codes.pop(form.get("code", ""), None)
        given = (form.get("client_id"), form.get("client_secret"))
        if "client_secret_basic" in self.ways:
            name, _, word = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            [(name, word)] = parse_qsl(f"{name}={word}")
            given = (name, word)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        encoded = base64.urlsafe_b64encode(challenge).decode().rstrip("=")
        if asked is None or given != (CLIENT, SECRET) or asked["code_challenge"] != encoded:
            return None
        assert (asked["code_challenge_method"], form["redirect_uri"]) == ("S256", asked["redirect_uri"])
        now = int(time.time())
        right = {
            "iss": self.address, "sub": "ada-1", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "email": "Ada@example.org", "email_verified": True,
        }  # fmt: skip
        claims = {name: value for name, value in {**right, **self.claims}.items() if value is not None}
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": self.signed(claims)}

    def signed(self, claims: dict[str, Any]) -> str:
        if self.algorithm == "none":
            parts = [json.dumps(each).encode() for each in ({"alg": "none"}, claims)]
            return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in parts) + "."
        if self.algorithm == "HS256":
            key = OctKey.import_key(SECRET)
            return jwt.encode({"alg": "HS256", "kid": "first"}, claims, key, algorithms=["HS256"])
        return jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, claims, self.keys[0])


@pytest.fixture
def provider() -> Iterator[Provider]:
    told = Provider()

    class Handler(BaseHTTPRequestHandler):
        def say(self, body: dict[str, Any] | None) -> None:
            self.send_response(400 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"error": "invalid_grant"} if body is None else body).encode())

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == "/authorize":
                self.send_response(303)
                self.send_header("Location", told.answer(place.query))
                self.end_headers()
                return
            self.say(told.found(place.path, place.query, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.say(told.tokens(form, self.headers.get("Authorization", "")))

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests say what they saw."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose website has this provider."""
    root = new_repository(tmp_path / "ours")
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        said = {"oidc_issuer": provider.address, "oidc_client_id": CLIENT, "oidc_title": "the institute"}
        file.write("\n[website]\n" + "".join(f'{name} = "{value}"\n' for name, value in said.items()))
    monkeypatch.setenv("MODELWORKS_OIDC_SECRET", SECRET)
    return root


@pytest.fixture
def browser(settings: Path) -> Iterator[TestClient]:
    """A browser at the website, which has invited Ada; she has chosen no password."""
    with TestClient(create_app(read_settings(settings)), base_url=ADDRESS, follow_redirects=False) as browser:
        ada = people_of(browser).add("ada", "Ada", mail="ada@example.org")
        people_of(browser).set_role(ada.id, "ours", "viewer")
        yield browser


def people_of(browser: TestClient) -> People:
    found: People = browser.app.state.house.people  # type: ignore[attr-defined]
    return found


def agree(browser: TestClient, next: str = "/w/ours") -> str:
    """Press the button, and agree at the provider; gives the address that leads back."""
    begun = browser.get("/sign-in/oidc", params={"next": next})
    assert begun.status_code == 303, begun.text
    return str(httpx.get(begun.headers["location"]).headers["location"])


def come_back(browser: TestClient, place: str) -> Any:
    return browser.get(place, headers={"accept": "text/html"})


def is_in(browser: TestClient) -> bool:
    return browser.get("/w/ours").status_code == 200


def test_who_was_invited_comes_in_by_the_button(browser: TestClient) -> None:
    """Without a password, to the page they wanted; the trail says so."""
    text = browser.get("/sign-in", params={"next": "/w/ours/runs"}).text
    assert "Sign in by the institute" in text
    assert 'href="/sign-in/oidc?next=/w/ours/runs"' in text
    back = come_back(browser, agree(browser, "/w/ours/runs"))
    assert (back.status_code, back.headers["location"]) == (303, "/w/ours/runs")
    assert is_in(browser)
    what = [(each.person, each.what) for each in people_of(browser).trail("ours")]
    assert what == [("ada", "signed in"), ("ada", "is from now on known by")]


def test_nobody_is_sent_to_another_site(browser: TestClient) -> None:
    assert come_back(browser, agree(browser, "https://evil.example")).headers["location"] == "/"


def test_from_then_on_the_providers_own_name_counts(browser: TestClient, provider: Provider) -> None:
    """Whatever becomes of the address; and whoever gets the address later is somebody else."""
    come_back(browser, agree(browser))
    provider.claims = {"email": "lovelace@example.org", "email_verified": False}
    again = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    assert come_back(again, agree(again)).status_code == 303
    assert is_in(again)
    provider.claims = {"sub": "adam-2"}
    heir = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    refused = come_back(heir, agree(heir))
    assert (refused.status_code, "W136" in refused.text, is_in(heir)) == (401, True, False)


def test_an_admin_who_sets_the_address_anew_lets_a_new_account_in(browser: TestClient, provider: Provider) -> None:
    come_back(browser, agree(browser))
    people = people_of(browser)
    boss, ada = people.add("boss", "Boss"), people.find("ada")
    assert ada is not None
    people.set_role(boss.id, "ours", "admin")
    admin = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    admin.get(f"/enter/{people.make_link(boss.id, 'enter')}")
    form = {"mail": "ada@example.org", "form_token": token_on(admin, "/w/ours/people")}
    assert admin.post(f"/w/ours/people/{ada.id}/mail", data=form).status_code == 303
    provider.claims = {"sub": "ada-2"}
    again = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    assert come_back(again, agree(again)).status_code == 303
    assert is_in(again)


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"nonce": "of-another-sign-in"}, "W135"),
    "no nonce": ({"nonce": None}, "W135"),
    "another audience": ({"aud": "another-client"}, "W135"),
    "a client among several": ({"aud": [CLIENT, "another"], "azp": "another"}, "W135"),
    "another issuer": ({"iss": "https://evil.example"}, "W135"),
    "expired": ({"iat": 1_000_000_000, "exp": 1_000_000_300}, "W135"),
    "without an end": ({"exp": None}, "W135"),
    "of the future": ({"iat": 4_000_000_000, "exp": 4_000_000_300}, "W135"),
    "without a name": ({"sub": None}, "W135"),
    "a name that is a number": ({"sub": 7}, "W135"),
    "an address that is not verified": ({"email_verified": False}, "W136"),
    "an address of which nothing is said": ({"email_verified": None}, "W136"),
    "nearly verified": ({"email_verified": "false"}, "W136"),
    "unknown": ({"email": "eve@example.org"}, "W136"),
    "no address": ({"email": None}, "W136"),
}


def test_what_is_not_right_lets_nobody_in(browser: TestClient, provider: Provider) -> None:
    """Nor is anybody made, or bound to anything: who is right comes in afterwards."""
    wrong = []
    for lie, (claims, letter) in LIES.items():
        provider.claims = claims
        refused = come_back(browser, agree(browser))
        if refused.status_code != 401 or letter not in refused.text or is_in(browser):
            wrong.append(lie)
    assert wrong == []
    assert [each.what for each in people_of(browser).trail("ours")] == []
    provider.claims = {}
    assert come_back(browser, agree(browser)).status_code == 303
    assert is_in(browser)


def test_what_the_provider_did_not_sign_is_not_believed(browser: TestClient, provider: Provider) -> None:
    """Unsigned; signed with the client's secret, which the client knows, too; under the name of a key, with another."""
    for provider.algorithm in ("none", "HS256"):
        assert "unsupported_algorithm" in come_back(browser, agree(browser)).text
    header = {"alg": "RS256", "kid": "first"}
    provider.signed = lambda claims: jwt.encode(header, claims, key("stranger"))  # type: ignore[method-assign]
    assert "bad_signature" in come_back(browser, agree(browser)).text
    assert not is_in(browser)


def test_a_new_key_is_asked_for(browser: TestClient, provider: Provider) -> None:
    come_back(browser, agree(browser))
    provider.keys = [key("second")]
    again = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    assert come_back(again, agree(again)).status_code == 303
    assert is_in(again)


def test_a_sign_in_belongs_to_the_browser_that_began_it(browser: TestClient) -> None:
    """Another browser, another state, none at all, and the same a second time."""
    place = agree(browser)
    other = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    assert "W134" in come_back(other, place).text
    agree(other)
    assert "W134" in come_back(other, place).text
    [state] = parse_qs(urlsplit(place).query)["state"]
    assert "W134" in come_back(browser, place.replace(state, "guessed")).text
    assert "W134" in come_back(browser, place).text
    assert not is_in(browser)
    assert not is_in(other)


def test_an_answer_of_another_provider_or_a_refusal_is_a_letter(browser: TestClient, provider: Provider) -> None:
    other = agree(browser).partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example"
    assert "another provider" in come_back(browser, other).text
    [state] = parse_qs(urlsplit(agree(browser)).query)["state"]
    declined = come_back(browser, f"/sign-in/oidc/back?error=access_denied&state={state}")
    assert "access_denied" in declined.text
    assert not is_in(browser)


def test_a_code_of_another_sign_in_is_of_no_use(browser: TestClient) -> None:
    """PKCE: whoever got hold of a code has not the word that goes with it."""
    other = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    [stolen] = parse_qs(urlsplit(agree(other)).query)["code"]
    mine = agree(browser)
    [code] = parse_qs(urlsplit(mine).query)["code"]
    assert "W135" in come_back(browser, mine.replace(code, stolen)).text


def test_what_only_userinfo_says_is_asked_for(browser: TestClient, provider: Provider) -> None:
    """The secret goes in the form, where the provider takes it no other way."""
    provider.ways = ["client_secret_post"]
    provider.claims = {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "somebody-else", "email": "ada@example.org", "email_verified": True}
    assert "W136" in come_back(browser, agree(browser)).text
    provider.userinfo["sub"] = "ada-1"
    assert come_back(browser, agree(browser)).status_code == 303
    assert is_in(browser)


def test_an_address_of_two_lets_neither_in(browser: TestClient) -> None:
    people_of(browser).add("ada@example.org", "Another Ada")
    assert "several people" in come_back(browser, agree(browser)).text


def test_who_fails_too_often_waits(browser: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another site could make a browser send is not counted."""
    monkeypatch.setitem(MOST_BY_PROVIDER, "provider", 2)
    provider.claims = {"email": "eve@example.org"}
    for _ in range(3):
        assert "W134" in come_back(browser, "/sign-in/oidc/back?code=x&state=y").text
    for _ in range(2):
        assert "W136" in come_back(browser, agree(browser)).text
    provider.claims = {}
    assert come_back(browser, agree(browser)).status_code == 429


def test_a_provider_that_is_away_or_calls_itself_otherwise_is_a_letter(browser: TestClient, provider: Provider) -> None:
    provider.metadata = {"issuer": "https://evil.example"}
    refused = browser.get("/sign-in/oidc", headers={"accept": "text/html"})
    assert (refused.status_code, "W133" in refused.text) == (503, True)
    provider.metadata = {"more": "a" * MOST_BYTES}
    assert "answers with more than" in browser.get("/sign-in/oidc", headers={"accept": "text/html"}).text
    provider.metadata = {"authorization_endpoint": "javascript:alert(1)"}
    assert browser.get("/sign-in/oidc").status_code == 503
    provider.metadata = {"token_endpoint": "http://127.0.0.1:9/token"}
    assert come_back(browser, agree(browser)).status_code == 503


def test_a_provider_that_hangs_does_not_take_all_threads(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits behind those who wait for it already."""
    busy = threading.BoundedSemaphore(1)
    monkeypatch.setattr("modelworks.website.access.oidc._ASKING", busy)
    with busy:
        refused = browser.get("/sign-in/oidc", headers={"accept": "text/html"})
    assert (refused.status_code, "too many wait" in refused.text) == (503, True)
    assert browser.get("/sign-in/oidc").status_code == 303


@pytest.mark.parametrize("missing", ["package", "secret"])
def test_what_this_machine_lacks_is_a_letter(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Passwords go on to work, so the site starts without it."""
    if missing == "package":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    else:
        monkeypatch.delenv("MODELWORKS_OIDC_SECRET")
    refused = browser.get("/sign-in/oidc", headers={"accept": "text/html"})
    assert (refused.status_code, "W137" in refused.text) == (503, True)


def test_the_secret_may_be_in_a_file(browser: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MODELWORKS_OIDC_SECRET")
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    monkeypatch.setenv("MODELWORKS_OIDC_SECRET_FILE", str(tmp_path / "secret"))
    assert come_back(browser, agree(browser)).status_code == 303


@pytest.mark.parametrize(
    "said",
    [
        'oidc_issuer = "https://login.example.org"',
        'oidc_client_id = "modelworks"',
        'oidc_issuer = "http://login.example.org"\noidc_client_id = "modelworks"',
        'oidc_issuer = "login.example.org"\noidc_client_id = "modelworks"',
    ],
)
def test_half_a_provider_is_a_letter_at_the_start(tmp_path: Path, said: str) -> None:
    root = new_repository(tmp_path / "ours")
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[website]\n{said}\n")
    with pytest.raises(ModelworksError) as raised:
        read_settings(root)
    assert [*raised.value.codes] == ["W127"]


def test_without_a_provider_there_is_no_button(tmp_path: Path) -> None:
    app = create_app(read_settings(new_repository(tmp_path / "ours")))
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as browser:
        assert "/sign-in/oidc" not in browser.get("/sign-in").text
        for place in ("/sign-in/oidc", "/sign-in/oidc/back?code=x&state=y"):
            assert browser.get(place).headers["location"] == "/sign-in"


def test_a_website_of_before_goes_on_with_its_people(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'people.sqlite'}"
    People(url, session_days=2).close()
    with servers.changing(url) as connection:
        connection.exec_driver_sql("DROP TABLE modelworks_identities")
        connection.exec_driver_sql("UPDATE modelworks_website SET value = '2' WHERE name = 'edition'")
    people = People(url, session_days=2)
    with people.look() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM modelworks_identities").scalar() == 0
    people.close()
