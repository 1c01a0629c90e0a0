"""Comparison: the before/after table (신구조문 대비표) of two versions of terms.

Articles (제N조) are matched first, then the changed words are marked inside the changed ones.
Pure, and bounded in time for any text, because it runs while the product is locked.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cached_property

# 제3조, 제3조의2, 제1장, 부칙 at the start of a line; not the reference 제3조에 따라.
HEADING = re.compile(
    r"^[ \t]*(제\s*\d+\s*[조장절](?:\s*의\s*\d+)?|부\s*칙)(?![가-힣])", re.MULTILINE
)
TITLE = re.compile(r"\s*[(\[【]([^)\]】\n]{1,60})[)\]】]")
PARAGRAPHS = re.compile(r"\n\s*\n")
WORD = re.compile(r"\w+|[^\w\s]")
TOKEN = re.compile(r"\w+(?:[.,]\w+)*\s*|[^\w\s]\s*|\s+")  # 9,900원 is one word

SIMILAR = 0.5  # share of common words above which two articles are one that changed
PAIRS = 40_000  # above this many possible pairs, articles are paired by their labels alone
WORK = 1_000_000  # above this many old words times new words, an article is marked as a whole


class Change(StrEnum):
    """What happened to an article; the values are the words in the table."""

    ADDED = "신설"
    REMOVED = "삭제"
    CHANGED = "변경"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A run of words that is in both versions, or in one of them."""

    text: str
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """A changed article; a side is empty if the article is only in the other version."""

    change: Change
    heading: str
    before: list[Piece]
    after: list[Piece]


@dataclass(frozen=True)
class Article:
    """One article of a version, from its heading to the next."""

    label: str
    text: str

    @cached_property
    def content(self) -> str:
        """The text without the number, so that a renumbered article is recognised."""
        return " ".join(self.text[len(self.label) :].split())

    @cached_property
    def title(self) -> str:
        found = TITLE.match(self.text, len(self.label))
        return " ".join(found[1].split()) if found else ""

    @property
    def heading(self) -> str:
        if not self.label:
            return ""
        return f"{self.label} ({self.title})" if self.title else self.label

    @cached_property
    def words(self) -> Counter[str]:
        return Counter(WORD.findall(self.content))

    @cached_property
    def size(self) -> int:
        return self.words.total()


def compare(before: str, after: str) -> list[Row]:
    """The articles that differ, in reading order; none if only white space differs."""
    return [
        row for old, new in _match(split(before), split(after)) for row in _difference(old, new)
    ]


def split(body: str) -> list[Article]:
    """The articles of a text; text before the first one is an article without a label.

    A text without articles is split into paragraphs.
    """
    body = unicodedata.normalize("NFC", body).replace("\r\n", "\n")
    starts = [found.start(1) for found in HEADING.finditer(body)]
    if not starts:
        return [Article("", text.strip()) for text in PARAGRAPHS.split(body) if text.strip()]
    preamble = [Article("", body[: starts[0]].strip())] if body[: starts[0]].strip() else []
    return preamble + [
        _article(body[start:end])
        for start, end in zip(starts, [*starts[1:], len(body)], strict=True)
    ]


def _article(text: str) -> Article:
    found = HEADING.match(text)
    written = found[1] if found else ""
    label = "".join(written.split())
    return Article(label, label + text[len(written) :].rstrip())


Pair = tuple[Article | None, Article | None]


def _match(old: list[Article], new: list[Article]) -> Iterator[Pair]:
    """Pair the articles of two versions, in order."""
    matcher = SequenceMatcher(
        None, [article.content for article in old], [article.content for article in new]
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(old[i1:i2], new[j1:j2], strict=True)
        else:
            yield from _align(old[i1:i2], new[j1:j2])


def _align(old: list[Article], new: list[Article]) -> Iterator[Pair]:
    """Pair articles, in order, so that the sum of the likeness of the pairs is greatest."""
    if len(old) * len(new) > PAIRS:
        yield from _align_labels(old, new)
        return
    best = _likeness_from(old, new)
    i = j = 0
    while i < len(old) and j < len(new):
        if best[i][j] == best[i + 1][j]:
            yield old[i], None
            i += 1
        elif best[i][j] == best[i][j + 1]:
            yield None, new[j]
            j += 1
        else:
            yield old[i], new[j]
            i, j = i + 1, j + 1
    yield from ((article, None) for article in old[i:])
    yield from ((None, article) for article in new[j:])


def _align_labels(old: list[Article], new: list[Article]) -> Iterator[Pair]:
    matcher = SequenceMatcher(None, [one.label for one in old], [one.label for one in new])
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(old[i1:i2], new[j1:j2], strict=True)
        else:
            yield from ((article, None) for article in old[i1:i2])
            yield from ((None, article) for article in new[j1:j2])


def _likeness_from(old: list[Article], new: list[Article]) -> list[list[float]]:
    """At [i][j], the greatest sum of likeness that pairs of old[i:] and new[j:] can have."""
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            alike = _likeness(old[i], new[j])
            paired = alike + best[i + 1][j + 1] if alike else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    return best


def _likeness(old: Article, new: Article) -> float:
    """How likely it is that one article became the other; 0 if they are unrelated."""
    common = 2 * (old.words & new.words).total() / (old.size + new.size or 1)
    if old.title and old.title == new.title:
        return 1 + common
    if common >= SIMILAR:
        return common
    same_place = bool(old.label) and old.label == new.label and not (old.title and new.title)
    return SIMILAR if same_place else 0.0


def _difference(old: Article | None, new: Article | None) -> Iterator[Row]:
    if old and new:
        if (old.label, old.content) != (new.label, new.content):
            before, after = mark(old.text, new.text)
            yield Row(change=Change.CHANGED, heading=new.heading, before=before, after=after)
    elif old:
        yield Row(change=Change.REMOVED, heading=old.heading, before=[_whole(old)], after=[])
    elif new:
        yield Row(change=Change.ADDED, heading=new.heading, before=[], after=[_whole(new)])


def _whole(article: Article) -> Piece:
    return Piece(text=article.text, changed=True)


def mark(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces; words that are only in one of them are marked as changed."""
    old, new = TOKEN.findall(before), TOKEN.findall(after)
    if len(old) * len(new) > WORK:
        return [Piece(text=before, changed=True)], [Piece(text=after, changed=True)]
    matcher = SequenceMatcher(
        None, [token.strip() for token in old], [token.strip() for token in new]
    )
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        _add(left, "".join(old[i1:i2]), changed=tag != "equal")
        _add(right, "".join(new[j1:j2]), changed=tag != "equal")
    return left, right


def _add(pieces: list[Piece], text: str, *, changed: bool) -> None:
    """Add a run of words; white space at its end is never marked."""
    words = text.rstrip() if changed else text
    if words:
        pieces.append(Piece(text=words, changed=changed))
    if words != text:
        pieces.append(Piece(text=text[len(words) :], changed=False))
