"""The before/after table: which articles it shows, and which words it marks."""

import random
import time
import unicodedata

import pytest

from seller.comparison import Change, Piece, compare, mark, split

BEFORE = """구독 약관

제1조(목적) 이 약관은 권리와 의무를 정합니다.
제2조 (요금)
① 월 요금은 9,900원입니다.
② 제3조에 따라 환불합니다.
제3조(환불) 결제일부터 7일 이내에 환불합니다.
제4조(쿠폰) 쿠폰을 드립니다.
부칙
이 약관은 2026년 1월 1일부터 시행합니다.
"""


def marked(pieces: list[Piece]) -> str:
    return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in pieces)


def test_equal_texts_have_no_rows() -> None:
    assert compare(BEFORE, BEFORE) == []


def test_white_space_line_ends_and_unicode_forms_are_no_change() -> None:
    retyped = unicodedata.normalize("NFD", BEFORE).replace(" ", "  ").replace("\n", "\r\n")

    assert compare(BEFORE, retyped) == []


def test_only_changed_articles_are_shown_with_their_changed_words() -> None:
    [row] = compare(BEFORE, BEFORE.replace("9,900원", "12,900원"))

    assert (row.change, row.heading) == (Change.CHANGED, "제2조 (요금)")
    assert "① 월 요금은 [9,900원입니다]." in marked(row.before)
    assert "① 월 요금은 [12,900원입니다]." in marked(row.after)
    assert "② 제3조에 따라 환불합니다." in marked(row.after)


def test_a_new_article_is_labelled() -> None:
    [row] = compare(BEFORE, BEFORE.replace("부칙", "제5조(통지) 미리 알립니다.\n부칙"))

    assert (row.change, row.heading) == (Change.ADDED, "제5조 (통지)")
    assert (row.change.value, row.before) == ("신설", [])
    assert marked(row.after) == "[제5조(통지) 미리 알립니다.]"


def test_a_dropped_article_is_labelled() -> None:
    [row] = compare(BEFORE, BEFORE.replace("제4조(쿠폰) 쿠폰을 드립니다.\n", ""))

    assert (row.change.value, row.after) == ("삭제", [])
    assert marked(row.before) == "[제4조(쿠폰) 쿠폰을 드립니다.]"


def test_articles_that_moved_up_a_number_are_known_again() -> None:
    after = (
        BEFORE.replace("제4조(", "제5조(")
        .replace("제3조(", "제4조(")
        .replace("제4조(환불)", "제3조(통지) 미리 알립니다.\n제4조(환불)")
    )

    rows = compare(BEFORE, after)

    assert [(row.change.value, row.heading) for row in rows] == [
        ("신설", "제3조 (통지)"),
        ("변경", "제4조 (환불)"),
        ("변경", "제5조 (쿠폰)"),
    ]
    assert marked(rows[1].before) == "[제3조](환불) 결제일부터 7일 이내에 환불합니다."
    assert marked(rows[1].after) == "[제4조](환불) 결제일부터 7일 이내에 환불합니다."


def test_a_rewritten_article_is_known_by_its_title() -> None:
    rows = compare(
        "제1조(환불) 칠일 안에 돈을 돌려줍니다.",
        "제1조(통지) 미리 알립니다.\n제2조(환불) 고객센터에 요청하십시오.",
    )

    assert [(row.change.value, row.heading) for row in rows] == [
        ("신설", "제1조 (통지)"),
        ("변경", "제2조 (환불)"),
    ]


def test_an_article_of_other_title_and_words_is_another_article() -> None:
    rows = compare("제1조(환불) 칠일 안에 환불합니다.", "제1조(통지) 미리 편지로 알립니다.")

    assert [row.change.value for row in rows] == ["삭제", "신설"]


@pytest.mark.parametrize(
    ("body", "labels"),
    [
        ("제1조(목적) 가\n제2조 나", ["제1조", "제2조"]),
        ("제 1 조 (목적) 가\n제1조의2(정의) 나", ["제1조", "제1조의2"]),
        ("머리말\n제1장 총칙\n제1조(목적) 가", ["", "제1장", "제1조"]),
        (
            "제1조(목적)\n제3조에 따라 한다.\n부 칙 <2026. 1. 1.>\n제1조(시행일)",
            ["제1조", "부칙", "제1조"],
        ),
        ("가\n\n나\n나\n\n\n다", ["", "", ""]),
        ("  \n ", []),
    ],
)
def test_a_text_is_split_at_its_articles(body: str, labels: list[str]) -> None:
    assert [article.label for article in split(body)] == labels


def test_nothing_but_numbers_and_white_space_is_lost_in_the_pieces() -> None:
    after = BEFORE.replace("7일", "14일").replace("쿠폰을", "할인권을")

    for row in compare(BEFORE, after):
        assert "".join(piece.text for piece in row.before) in BEFORE
        assert "".join(piece.text for piece in row.after) in after


def test_a_text_without_articles_is_compared_by_paragraphs() -> None:
    [row] = compare("첫째 문단.\n\n둘째 문단이다.", "첫째 문단.\n\n둘째 문단이 아니다.")

    assert row.heading == ""
    assert marked(row.before) == "둘째 [문단이다]."
    assert marked(row.after) == "둘째 [문단이 아니다]."


def test_an_article_too_long_to_compare_is_marked_as_a_whole() -> None:
    before, after = "가 " * 2000, "나 " * 2000

    assert mark(before, after) == (
        [Piece(text=before, changed=True)],
        [Piece(text=after, changed=True)],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("article", "count"), [("제{n}조\n", 12_000), ("{word}\n\n", 30_000), ("{word} ", 40_000)]
)
def test_texts_made_to_be_slow_are_compared_in_bounded_time(article: str, count: int) -> None:
    choose = random.Random(1).choice

    def body(first: int) -> str:
        return "".join(article.format(n=n + first, word=choose("가나")) for n in range(count))

    began = time.process_time()
    compare(body(0), body(1))

    assert time.process_time() - began < 30  # without bounds, minutes
