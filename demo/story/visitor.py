"""Visitor: a browser session and an API client with a token, by the standard library."""

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

PATIENCE = 20  # seconds
CSRF_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Page:
    """The response after any redirects."""

    status: int
    url: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


class Visitor:
    """A client of one site; keeps its cookies and, after a login, its token."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.token = ""
        cookies = HTTPCookieProcessor(CookieJar())
        self.opener: OpenerDirector = build_opener(ProxyHandler({}), cookies)

    def get(self, path: str) -> Page:
        """Open a page."""
        return self._open(Request(urljoin(self.site, path)))  # noqa: S310

    def submit(self, path: str, page: str = "", **fields: str) -> Page:
        """Submit the form on `page`, by default the page at `path`."""
        found = CSRF_FIELD.search(self.get(page or path).text)
        if not found:
            raise LookupError(f"there is no form on {page or path}")
        form = urlencode({**fields, "csrfmiddlewaretoken": found[1]}).encode()
        url = urljoin(self.site, path)
        return self._open(Request(url, form, {"Referer": url}))  # noqa: S310

    def log_in_to_api(self, name: str, password: str) -> None:
        """Get a token, with HTTP Basic."""
        basic = b64encode(f"{name}:{password}".encode()).decode()
        url = urljoin(self.site, "/api/auth/login/")
        page = self._open(Request(url, b"", {"Authorization": f"Basic {basic}"}))  # noqa: S310
        self.token = json.loads(page.content)["token"]

    def api(self, path: str, body: object = None) -> Any:
        """GET, or POST a body, with the token; raises RuntimeError for a status from 400."""
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        page = self._open(Request(urljoin(self.site, path), data, headers))  # noqa: S310
        if page.status >= 400:
            raise RuntimeError(f"{path} returned {page.status}: {page.text[:200]}")
        return json.loads(page.content)

    def pages(self, path: str) -> list[Any]:
        """All results of a list of the API."""
        results: list[Any] = []
        following: str | None = path
        while following:
            answer = self.api(following)
            results += answer["results"]
            following = answer["next"]
        return results

    def post_raw(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """Post exactly these bytes; return the status."""
        return self._open(Request(urljoin(self.site, path), body, headers)).status  # noqa: S310

    def _open(self, request: Request) -> Page:
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return Page(status=answer.status, url=answer.url, content=answer.read())
        except HTTPError as error:
            with error:
                return Page(status=error.code, url=error.url or "", content=error.read())
