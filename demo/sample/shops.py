"""Two fictitious shops, their products, and the changes of terms they have drafted."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Change:
    """A drafted version of the terms, not yet published."""

    body: str
    reason: str
    days: int
    """The number of days until it takes effect, well beyond the notice period."""
    is_unfavourable: bool = False


@dataclass(frozen=True, kw_only=True)
class Product:
    name: str
    description: str
    price: int
    title: str
    body: str
    change: Change


@dataclass(frozen=True, kw_only=True)
class Shop:
    name: str
    representative: str
    business_number: str
    phone: str
    email: str
    address: str
    username: str
    products: list[Product] = field(default_factory=list)


SALAD_BEFORE = """\
제1조 (목적)
이 약관은 초록한끼(이하 "회사")가 제공하는 아침 샐러드 구독 서비스의 이용 조건과 절차, 회사와 회원의 권리와 의무를 정합니다.

제2조 (구독의 성립)
구독은 회원이 이 약관에 동의하고 첫 결제를 마친 때 성립합니다.

제3조 (배송)
회사는 매주 월요일부터 금요일까지 오전 7시 이전에 상품을 배송합니다. 공휴일에는 배송하지 않습니다.

제4조 (요금과 결제)
구독 요금은 30일마다 49,000원이며, 회원이 등록한 결제 수단으로 결제합니다.

제5조 (배송의 변경과 건너뛰기)
회원은 배송 예정일 2일 전까지 배송지를 바꾸거나 그 회차를 건너뛸 수 있습니다. 건너뛰기는 한 달에 2회까지 가능합니다.

제6조 (해지와 환불)
회원은 언제든지 구독을 해지할 수 있습니다. 회사는 남은 회차의 요금을 해지일부터 7영업일 안에 환불합니다.

제7조 (품질과 교환)
상품에 하자가 있으면 회원은 받은 날부터 24시간 안에 사진과 함께 교환 또는 환불을 요청할 수 있습니다.

제8조 (분쟁의 해결)
이 약관에 관한 분쟁은 회사의 본점 소재지를 관할하는 법원에서 해결합니다.
"""

SALAD_AFTER = """\
제1조 (목적)
이 약관은 초록한끼(이하 "회사")가 제공하는 아침 샐러드 구독 서비스의 이용 조건과 절차, 회사와 회원의 권리와 의무를 정합니다.

제2조 (구독의 성립)
구독은 회원이 이 약관에 동의하고 첫 결제를 마친 때 성립합니다.

제3조 (배송)
회사는 매주 월요일부터 토요일까지 오전 6시 30분 이전에 상품을 배송합니다. 공휴일에는 배송하지 않으며, 그 회차는 다음 배송일에 더하여 배송합니다.

제4조 (요금과 결제)
구독 요금은 30일마다 49,000원이며, 회원이 등록한 결제 수단으로 결제합니다.

제5조 (배송의 변경과 건너뛰기)
회원은 배송 예정일 1일 전 오후 6시까지 배송지를 바꾸거나 그 회차를 건너뛸 수 있습니다. 건너뛰기는 한 달에 4회까지 가능합니다.

제6조 (해지와 환불)
회원은 언제든지 구독을 해지할 수 있습니다. 회사는 남은 회차의 요금을 해지일부터 3영업일 안에 환불합니다.

제7조 (품질과 교환)
상품에 하자가 있으면 회원은 받은 날부터 24시간 안에 사진과 함께 교환 또는 환불을 요청할 수 있습니다.

제8조 (포장재의 회수)
회사는 다음 배송 때 보랭 가방과 용기를 무료로 회수하여 씻은 뒤 다시 사용합니다.

제9조 (분쟁의 해결)
이 약관에 관한 분쟁은 「민사소송법」이 정한 관할 법원에서 해결합니다.
"""

COFFEE_BEFORE = """\
제1조 (서비스)
초록한끼는 회원이 고른 원두를 2주마다 볶아 보냅니다.

제2조 (배송)
원두는 볶은 다음 날 택배로 보냅니다. 배송비는 받지 않습니다.

제3조 (해지)
회원은 다음 결제일 전날까지 언제든지 해지할 수 있습니다.
"""

COFFEE_AFTER = """\
제1조 (서비스)
초록한끼는 회원이 고른 원두를 2주마다 볶아 보냅니다. 회원은 분쇄 정도를 함께 고를 수 있습니다.

제2조 (배송)
원두는 볶은 당일 택배로 보냅니다. 배송비는 받지 않습니다.

제3조 (해지)
회원은 다음 결제일 전날까지 언제든지 해지할 수 있습니다.

제4조 (원두의 교환)
회원이 원두가 입맛에 맞지 않으면 첫 회차에 한하여 다른 원두로 바꾸어 드립니다.
"""

BOOKS_BEFORE = """\
제1조 (서비스)
책다방은 매달 한 번 고른 책 두 권과 안내 글을 보냅니다.

제2조 (발송일)
꾸러미는 매달 10일에 발송합니다.

제3조 (반품)
회원은 받은 날부터 14일 안에 읽지 않은 책을 돌려보낼 수 있습니다.

제4조 (해지)
회원은 매달 말일까지 다음 달 꾸러미를 해지할 수 있습니다.
"""

BOOKS_AFTER = """\
제1조 (서비스)
책다방은 매달 한 번 고른 책 두 권과 안내 글을 보냅니다.

제2조 (발송일)
꾸러미는 매달 15일에 발송합니다.

제3조 (반품)
회원은 받은 날부터 7일 안에 읽지 않은 책을 돌려보낼 수 있습니다. 돌려보내는 배송비는 회원이 냅니다.

제4조 (해지)
회원은 매달 25일까지 다음 달 꾸러미를 해지할 수 있습니다.
"""

SHOPS = [
    Shop(
        name="초록한끼",
        representative="김초록",
        business_number="123-45-67891",
        phone="02-555-0101",
        email="help@chorok.example",
        address="서울특별시 성동구 왕십리로 10, 3층",
        username="chorok",
        products=[
            Product(
                name="아침 샐러드 구독",
                description="아침마다 문 앞에 오는 샐러드.",
                price=49_000,
                title="아침 샐러드 구독 이용약관",
                body=SALAD_BEFORE,
                change=Change(
                    body=SALAD_AFTER,
                    reason="토요일 배송을 시작하고, 건너뛰기와 환불을 회원에게 더 편하게 바꿉니다.",
                    days=30,
                ),
            ),
            Product(
                name="원두 정기배송",
                description="2주마다 갓 볶은 원두 200g.",
                price=18_000,
                title="원두 정기배송 이용약관",
                body=COFFEE_BEFORE,
                change=Change(
                    body=COFFEE_AFTER,
                    reason="분쇄 선택과 첫 회차 교환을 새로 제공합니다.",
                    days=30,
                ),
            ),
        ],
    ),
    Shop(
        name="책다방",
        representative="이서가",
        business_number="234-56-78902",
        phone="031-555-0102",
        email="hello@chaekdabang.example",
        address="경기도 파주시 회동길 20",
        username="chaekdabang",
        products=[
            Product(
                name="월간 책 꾸러미",
                description="매달 책 두 권과 안내 글.",
                price=32_000,
                title="월간 책 꾸러미 이용약관",
                body=BOOKS_BEFORE,
                change=Change(
                    body=BOOKS_AFTER,
                    reason="출판사의 반품 조건이 바뀌어 반품 기간과 배송비 부담을 조정합니다.",
                    days=60,
                    is_unfavourable=True,
                ),
            ),
        ],
    ),
]
