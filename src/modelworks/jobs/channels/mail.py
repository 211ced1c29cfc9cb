"""A mail, by SMTP (RFC 5321) over TLS."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

from modelworks.errors import fail
from modelworks.jobs.channels import Notice, secret

PASSWORD = "MODELWORKS_SMTP_PASSWORD"
PATIENCE_SECONDS = 30.0
# Submission (RFC 6409), submission over TLS (RFC 8314), and the plain port.
PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class Mail:
    """To whom, from whom, and the server that takes it: by STARTTLS, by TLS from the first byte, or without either."""

    to: Sequence[str]
    server: str
    sender: str = ""
    port: int = 0
    tls: str = "starttls"
    user: str = ""

    def send(self, notice: Notice) -> None:
        message = self._message(notice)
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, secret(PASSWORD))
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            fail("J151", f"{self.server} does not take the mail: {_reason(error)}", hint=_hint(error))

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        # A title of a study may have a line break in it; a subject may not.
        message["Subject"] = " ".join(notice.subject.split())
        message["From"] = self.sender or f"modelworks@{socket.getfqdn()}"
        message["To"] = ", ".join(self.to)
        message["Date"] = formatdate()
        # The same each time it is tried, so that a mailbox shows it once.
        message["Message-ID"] = f"<{notice.id}@modelworks>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text + "\n")
        return message

    def _connected(self) -> smtplib.SMTP:
        port = self.port or PORTS[self.tls]
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.server, port, timeout=PATIENCE_SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(self.server, port, timeout=PATIENCE_SECONDS)
        if self.tls == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"nobody there is called {', '.join(error.recipients)}"
    return str(error) or type(error).__name__


def _hint(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"see `user` in [notify.mail], and the password in {PASSWORD} or in the file {PASSWORD}_FILE names"
    if isinstance(error, (ssl.SSLError, smtplib.SMTPNotSupportedError)):
        return (
            'see `tls` in [notify.mail] ("starttls" or "tls"), and whether its certificate is one this machine trusts'
        )
    return "see `server` and `port` in [notify.mail]"
