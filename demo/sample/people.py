"""Fictitious people: the n-th one is always the same."""

SURNAMES = [
    "김",
    "이",
    "박",
    "최",
    "정",
    "강",
    "조",
    "윤",
    "장",
    "임",
    "한",
    "오",
    "서",
    "신",
    "권",
    "황",
    "안",
    "송",
    "전",
    "홍",
]
GIVEN_NAMES = [
    "민준",
    "서연",
    "도윤",
    "지우",
    "하준",
    "서윤",
    "시우",
    "하은",
    "주원",
    "지유",
    "지호",
    "민서",
    "예준",
    "수아",
    "건우",
    "채원",
    "현우",
    "다은",
    "우진",
    "유진",
    "선우",
    "지안",
    "연우",
    "하린",
    "준서",
    "소율",
    "은우",
    "나윤",
    "정우",
    "가온",
    "승현",
    "보라",
    "태윤",
    "슬기",
    "재원",
    "한별",
]
DOMAINS = ["naver.example", "gmail.example", "daum.example", "hanmail.example"]

REFUSED_OF_100 = {13, 63}
DEFERRED_OF_100 = {38}


def name(number: int) -> str:
    """The name of the n-th person."""
    given = GIVEN_NAMES[number // len(SURNAMES) % len(GIVEN_NAMES)]
    return SURNAMES[number % len(SURNAMES)] + given


def address(number: int) -> str:
    """The address of the n-th person, as stored; a few cause faults (`demo.catcher.faults`)."""
    local = f"reader{number}"
    if number % 100 in REFUSED_OF_100:
        local = f"bounce+550-5.1.1+{number}"
    if number % 100 in DEFERRED_OF_100:
        local = f"defer+451+1+{number}"
    return f"{local}@{DOMAINS[number % len(DOMAINS)]}"
