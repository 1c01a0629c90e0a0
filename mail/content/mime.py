"""MIME as the installed Django writes it: the one module that depends on Django's version.

Django 5.2 builds mails with the email package's older classes (policy `compat32`); since 6.0 it
uses `email.message.EmailMessage` with the policy `SMTP`. The two fold headers, choose transfer
encodings and end texts differently. INSTALLED writes what the SMTP backend of the installed
Django sends, octet for octet.
"""

import email.quoprimime
import re
import sys
from abc import ABC, abstractmethod
from binascii import b2a_base64
from email import message_from_bytes, policy
from email.header import Header, decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage as ModernMessage
from email.message import Message as MimeMessage
from email.utils import formataddr, parseaddr
from typing import Any

import django
from django.core.mail import EmailMessage
from django.core.mail.message import SafeMIMEText, sanitize_address
from django.utils.encoding import punycode

from mail.content.placeholders import OPEN, PLACEHOLDER

UNENCODED = ("7bit", "8bit")
SNIFFED_LINES = 10
"""From so many lines of a text the modern policy chooses between its two encodings."""


class Mime(ABC):
    """How a version of Django writes the parts of a mail. All octets have CRLF line ends."""

    longest_line: int
    """Octets a line may have in a text that is sent unencoded (7bit or 8bit)."""
    quoted_width: int
    """Characters of a line in quoted-printable (RFC 2045 §6.7 allows 76)."""
    base64_bias: int
    """How many characters an encoded word must be longer in Q than in B for B to be chosen."""
    plain_ascii: re.Pattern[str]
    """An ASCII name that needs quotes at most."""
    plain_words: re.Pattern[str]
    """A name that becomes one encoded word (RFC 2047), if that is short enough."""

    @abstractmethod
    def tree(self, email: EmailMessage) -> MimeMessage:
        """The mail as a tree of MIME parts. Raises what Django raises for a mail it cannot build."""

    @abstractmethod
    def octets(self, tree: MimeMessage) -> bytes:
        """A tree in the form in which Django's SMTP backend sends it."""

    @abstractmethod
    def encode(self, text: str) -> tuple[str, bytes]:
        """The transfer encoding Django chooses for a text in UTF-8, and the text so encoded."""

    @abstractmethod
    def bare_address(self, mailbox: str, encoding: str) -> str:
        """The address in a mailbox, the domain in ASCII. Raises ValueError if there is not one."""

    @abstractmethod
    def to(self, name: str, address: str) -> bytes:
        """The To field for one mailbox. Raises ValueError for what no header can carry."""

    @abstractmethod
    def reads_back(self, name: str, address: str) -> bool:
        """Whether a reader of the folded header finds this name and address in it."""

    @abstractmethod
    def field(self, name: str, value: str) -> bytes:
        """An unstructured field, folded. Raises ValueError for a line break in it."""

    @abstractmethod
    def unfold(self, field: bytes) -> str:
        """The value that an unstructured field was made of."""

    def longest_value(self, text: str, encoding: str) -> int:
        """How many octets a value may have so that `text` surely keeps its transfer encoding.

        Zero where that depends on the very values, as it may for a text without a constant line
        that is too long to be sent unencoded.
        """
        if encoding in UNENCODED:
            return min(self._octets_left(line) for line in text.split("\r\n") if OPEN in line)
        return self._longest_encoded(text, encoding) if self._has_long_line(text) else 0

    def quoted_line(self, line: str) -> bytes:
        """One line of a text in quoted-printable, without its line end."""
        octets = line.encode().decode("latin-1")
        return email.quoprimime.body_encode(octets, self.quoted_width, "\r\n").encode("ascii")

    def _octets_left(self, line: str) -> int:
        constant, places = PLACEHOLDER.subn("", line)
        return (self.longest_line - len(constant.encode())) // max(1, places)

    def _has_long_line(self, text: str) -> bool:
        lines = PLACEHOLDER.sub("", text).encode().splitlines()
        return any(len(line) > self.longest_line for line in lines)

    @abstractmethod
    def _longest_encoded(self, text: str, encoding: str) -> int:
        """The same as `longest_value` for a text that is encoded whatever its values are."""


class LegacyMime(Mime):
    """Django 5.2: a text is 7bit or 8bit, or quoted-printable if a line passes 998 octets."""

    longest_line = 998  # RFC 5322 §2.1.1
    quoted_width = 76
    base64_bias = 1
    plain_ascii = re.compile(r"[!-~]+(?: [!-~]+)*")
    plain_words = re.compile(r"[^\W_]+(?: [^\W_]+)*")

    def tree(self, email: EmailMessage) -> MimeMessage:
        return email.message()

    def octets(self, tree: MimeMessage) -> bytes:
        return tree.as_bytes(linesep="\r\n")  # type: ignore[call-arg]

    def encode(self, text: str) -> tuple[str, bytes]:
        part = SafeMIMEText(text.replace("\r\n", "\n"), "plain", "utf-8")
        body = part.as_bytes(linesep="\r\n").partition(b"\r\n\r\n")[2]
        return str(part["Content-Transfer-Encoding"]), body

    def bare_address(self, mailbox: str, encoding: str) -> str:
        return parseaddr(sanitize_address(mailbox, encoding))[1]

    def to(self, name: str, address: str) -> bytes:
        return _folded("To", sanitize_address((name, address), "utf-8"))

    def reads_back(self, name: str, address: str) -> bool:
        return True

    def field(self, name: str, value: str) -> bytes:
        part = SafeMIMEText("", "plain", "utf-8")
        part[name] = value
        return _folded(name, part[name])

    def unfold(self, field: bytes) -> str:
        value = field.partition(b":")[2].decode("ascii").strip()
        return str(make_header(decode_header(value)))

    def _has_long_line(self, text: str) -> bool:
        lines = PLACEHOLDER.sub("", text).splitlines()  # at more separators than CR and LF
        return any(len(line.encode()) > self.longest_line for line in lines)

    def _longest_encoded(self, text: str, encoding: str) -> int:
        return sys.maxsize


class ModernMime(Mime):
    """Django 6: a text with a line above 78 octets is quoted-printable or base64."""

    longest_line = policy.SMTP.max_line_length or 78
    quoted_width = longest_line
    base64_bias = 5
    plain_ascii = re.compile(r"[a-zA-Z0-9'_,.-]+(?: [a-zA-Z0-9'_,.-]+)*")
    plain_words = re.compile(r"{0}(?: {0})*".format(r"[a-zA-Z0-9]*[^\W_a-zA-Z0-9][^\W_]*"))

    def tree(self, email: EmailMessage) -> MimeMessage:
        build: Any = email.message  # `policy` is not an argument of Django 5.2's
        tree: MimeMessage = build(policy=policy.SMTP)
        return tree

    def octets(self, tree: MimeMessage) -> bytes:
        return tree.as_bytes()

    def encode(self, text: str) -> tuple[str, bytes]:
        part = ModernMessage(policy=policy.SMTP)
        part.set_content(text, charset="utf-8")
        return str(part["Content-Transfer-Encoding"]), part.as_bytes().partition(b"\r\n\r\n")[2]

    def bare_address(self, mailbox: str, encoding: str) -> str:
        parsed = policy.SMTP.header_factory("From", mailbox)
        if parsed.defects or len(parsed.addresses) != 1:
            raise ValueError(f"Invalid address {mailbox!r}")
        (address,) = parsed.addresses
        return str(Address(username=address.username, domain=punycode(address.domain)))

    def to(self, name: str, address: str) -> bytes:
        if self.reads_back(name, address):
            return self.field("To", str(Address(name, addr_spec=address)))
        return _folded("To", formataddr((Header(name, "utf-8").encode(), address)))

    def reads_back(self, name: str, address: str) -> bool:
        """Not a long name in quotes, before Python 3.12.9 and 3.13.2.

        They drop the quotes when they fold it, so that a name with a comma in it could pose as
        another recipient (python/cpython issue 80222).
        """
        mailbox = str(Address(name, addr_spec=address))
        if not mailbox.startswith('"'):
            return True
        parsed = message_from_bytes(self.field("To", mailbox) + b"\r\n\r\n", policy=policy.SMTP)
        return [(one.display_name, one.addr_spec) for one in parsed["To"].addresses] == [
            (name, address)
        ]

    def field(self, name: str, value: str) -> bytes:
        headers = ModernMessage(policy=policy.SMTP)
        headers[name] = value
        return headers.as_bytes().rstrip(b"\r\n")

    def unfold(self, field: bytes) -> str:
        parsed = message_from_bytes(field + b"\r\n\r\n", policy=policy.SMTP)
        return str(next(iter(parsed.values())))

    def _longest_encoded(self, text: str, encoding: str) -> int:
        """The first lines decide: as quoted-printable they may not be longer than as base64.

        An octet more costs 4/3 characters in base64, and between 1 and 3 (with the soft line
        breaks they need, less than 10/3) in quoted-printable.
        """
        sniffed = "\r\n".join(text.split("\r\n")[:SNIFFED_LINES])
        constant, places = PLACEHOLDER.subn("", sniffed)
        if not places:
            return sys.maxsize
        quoted = sum(len(self.quoted_line(line)) + 1 for line in constant.split("\r\n"))
        excess = quoted - len(b2a_base64(constant.encode()))
        slack = 16 * (places + 1) + quoted // 500  # line ends, padding, soft breaks that move
        if encoding == "base64":
            return max(0, (excess - slack) * 3 // places)
        return max(0, (-excess - slack) // (2 * places))


def _folded(name: str, value: str) -> bytes:
    """A field as the older classes fold it."""
    headers = MimeMessage()
    headers[name] = value
    return headers.as_bytes().rstrip(b"\n").replace(b"\n", b"\r\n")


INSTALLED: Mime = ModernMime() if django.VERSION >= (6, 0) else LegacyMime()
