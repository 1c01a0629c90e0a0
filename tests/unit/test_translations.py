"""Every text for people has a Korean translation, and the compiled catalogues are current."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

from tests.unit.project import PROJECT, own_apps

SINGULAR_AT = {"_": 0, "gettext": 0, "gettext_lazy": 0, "ngettext": 0, "ngettext_lazy": 0}
WITH_CONTEXT = {"pgettext": 1, "pgettext_lazy": 1, "npgettext": 1, "npgettext_lazy": 1}
CALL = re.compile(r"""\b(?:_|n?p?gettext)\((?:[^()'"]|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")*\)""")
ENTRY = re.compile(r"^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) ", re.MULTILINE)
PLACEHOLDER = re.compile(r"%\(\w+\)|\{\w*\}|%[sd]")


def catalogues() -> dict[str, list[Path]]:
    """Each folder of translations, and those of the apps whose texts they are.

    An app with a folder of its own is translated there, all others in the project's.
    """
    found: dict[str, list[Path]] = {"locale": []}
    for app in map(Path, (app.path for app in own_apps())):
        folder = app / "locale"
        name = str(folder.relative_to(PROJECT)) if folder.is_dir() else "locale"
        found.setdefault(name, []).append(app)
    return found


CATALOGUES = catalogues()


def catalogue(locale: str) -> Path:
    return PROJECT / locale / "ko" / "LC_MESSAGES" / "django.po"


def written(locale: str) -> dict[str, str]:
    """Every msgid of a catalogue with its translation; fuzzy ones count as none."""
    found = {}
    for block in catalogue(locale).read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines or re.search(r"^#,.*fuzzy", block, re.MULTILINE):
            continue
        parts = ENTRY.split("\n".join(lines))[1:]
        entry = dict(zip(parts[::2], map(unquoted, parts[1::2]), strict=True))
        found[entry["msgid"]] = entry.get("msgstr", entry.get("msgstr[0]", ""))
    return found


def unquoted(lines: str) -> str:
    return "".join(ast.literal_eval(line) for line in lines.splitlines())


def used(apps: list[Path]) -> Iterator[tuple[str, str]]:
    """Every msgid in the code and the templates of these apps, and its file."""
    for app in apps:
        for file in sorted(app.rglob("*.py")):
            if "migrations" not in file.parts:
                for msgid in msgids(file.read_text(encoding="utf-8")):
                    yield msgid, str(file.relative_to(PROJECT))
        for file in sorted(app.rglob("templates/**/*.*")):
            for call in CALL.findall(templatize(file.read_text(encoding="utf-8"))):
                for msgid in msgids(call):
                    yield msgid, str(file.relative_to(PROJECT))


def msgids(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            at = (SINGULAR_AT | WITH_CONTEXT).get(node.func.id, -1)
            if 0 <= at < len(node.args) and isinstance(node.args[at], ast.Constant):
                yield node.args[at].value


@pytest.mark.parametrize(("locale", "apps"), CATALOGUES.items())
def test_every_text_has_a_korean_translation(locale, apps):
    translations = written(locale)

    missing = {
        f"{msgid!r} ({place})" for msgid, place in used(apps) if not translations.get(msgid)
    }

    assert not missing


@pytest.mark.parametrize(("locale", "apps"), CATALOGUES.items())
def test_nothing_is_translated_that_nobody_reads_any_more(locale, apps):
    read = {msgid for msgid, _ in used(apps)}

    assert set(written(locale)) - read == {""}


@pytest.mark.parametrize("locale", CATALOGUES)
def test_a_translation_keeps_the_placeholders(locale):
    entries = {msgid: translation for msgid, translation in written(locale).items() if msgid}

    differing = {
        msgid
        for msgid, translation in entries.items()
        if sorted(PLACEHOLDER.findall(msgid)) != sorted(PLACEHOLDER.findall(translation))
    }

    assert not differing


@pytest.mark.parametrize("locale", CATALOGUES)
def test_the_compiled_catalogue_is_the_written_one(locale):
    with catalogue(locale).with_suffix(".mo").open("rb") as compiled:
        found = gettext.GNUTranslations(compiled)

    differing = {
        msgid
        for msgid, translation in written(locale).items()
        if msgid and translation not in (found.gettext(msgid), found.ngettext(msgid, "", 2))
    }

    assert not differing
