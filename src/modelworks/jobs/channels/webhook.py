"""A POST of JSON to an address, signed, so that who gets it knows whom it is from."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from modelworks.errors import fail
from modelworks.jobs.channels import Notice, secret

URL, SECRET = "MODELWORKS_WEBHOOK_URL", "MODELWORKS_WEBHOOK_SECRET"
SIGNATURE, DELIVERY = "X-Modelworks-Signature-256", "X-Modelworks-Delivery"
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address; left empty, it is in the environment, as an address may be a secret itself."""

    url: str = ""

    def send(self, notice: Notice) -> None:
        import httpx

        url = self.url or secret(URL)
        if not url:
            fail("J152", "nobody says where the webhook is", hint=f"write `url` into [notify.webhook], or set {URL}")
        # Only this of the address is told: what follows is often all that one needs to write there.
        host = urlsplit(url).hostname
        body = json.dumps(notice.as_dict(), ensure_ascii=False).encode("utf-8")
        headers = {"Content-Type": "application/json", DELIVERY: notice.id, **signature(body)}
        try:
            # What it answers beside a status is not read: it may have no end.
            with httpx.stream("POST", url, content=body, headers=headers, timeout=PATIENCE_SECONDS) as answer:
                pass
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail("J152", f"the webhook at {host} does not answer: {error}", hint="see the address, and the network")
        if not answer.is_success:
            hint = f"see what is expected there; the signature is by {SECRET}"
            fail("J152", f"the webhook at {host} answers {answer.status_code} {answer.reason_phrase}", hint=hint)


def signature(body: bytes) -> dict[str, str]:
    """The header with the HMAC-SHA256 (RFC 2104) of a body; nothing where there is no secret."""
    key = secret(SECRET)
    return {SIGNATURE: f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"} if key else {}
