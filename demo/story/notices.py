"""The first half of the story: terms change, subscribers are notified, failures resent."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from demo.sample import people, shops
from demo.story.scene import INBOX, Scene, body, settle, when_still
from seller.calendar import today

Seen = tuple[object, object]
"""What a step expected, and what it saw."""

Step = Callable[[Scene], Seen]

UNTIL_RETRIED = 150  # seconds; the first retry is after a minute
CHANGED, MARKED = "【6시 30분】", ">6시 30분</ins>"


def log_in(scene: Scene) -> Seen:
    """Log in to the admin, and to the API"""
    page = scene.visitor.submit(
        "/admin/login/?next=/admin/",
        username="admin",
        password="admin-moa",  # noqa: S106
    )
    scene.visitor.log_in_to_api("admin", "admin-moa")
    return "at /admin/", page.url.replace(scene.moa.site, "at ")


def publish(scene: Scene) -> Seen:
    """Publish the draft in the admin"""
    wanted = shops.SHOPS[0].products[0].name
    products = scene.visitor.pages("/api/products/")
    scene.product = next(product for product in products if product["name"] == wanted)
    versions = scene.visitor.pages(f"/api/products/{scene.product['id']}/terms/")
    draft = next(terms for terms in versions if terms["state"] == "draft")
    scene.visitor.submit(f"/admin/seller/terms/{draft['id']}/publish/")
    terms = scene.visitor.api(f"/api/terms/{draft['id']}/")
    scene.notice = terms["message"]
    return "published", terms["state"]


def tell(scene: Scene) -> Seen:
    """Every subscriber is notified; the API shows it"""
    sent = scene.subscribers - scene.refused - scene.deferred
    wanted = dict_of(sent=sent, failed=scene.refused, queued=scene.deferred)
    return wanted, settle(lambda: scene.counts(scene.notice), wanted, seconds=120)


def arrive_once(scene: Scene) -> Seen:
    """In the inbox: each address once"""
    told = scene.subscribers - scene.refused - scene.deferred
    return once(told), said(scene.copies(scene.notice))


def read_notice(scene: Scene) -> Seen:
    """One mail: name, day, before and after"""
    number = scene.subscribers - 1
    mail = scene.read(scene.inbox(people.address(number))[0])
    text, html = body(mail, "plain"), body(mail, "html")
    parts = {
        "name": people.name(number) in text and people.name(number) in html,
        "day": f"{today() + timedelta(days=30):%Y}" in str(mail["Subject"]),
        "change": CHANGED in text and MARKED in html,
    }
    return dict.fromkeys(parts, True), parts


def show_refused(scene: Scene) -> Seen:
    """Refused mails: failed, with the server's reply"""
    failed = scene.visitor.pages(f"{scene.notice}deliveries/?state=failed&page_size=500")
    replies = Counter(f"{row['code']} {row['enhanced']}" for row in failed)
    return {"550 5.1.1": scene.refused}, dict(replies)


def resend(scene: Scene) -> Seen:
    """Faults off, manage.py resend_failed_mails"""
    scene.visitor.submit(f"{INBOX}rules/", page=INBOX, followed="off")
    message = scene.notice.rstrip("/").rpartition("/")[2]
    answer = scene.moa.command("resend_failed_mails", f"--message={message}")
    return scene.refused, answer["count"]


def deliver_all(scene: Scene) -> Seen:
    """Resent and retried: everybody has it"""
    wanted = {"sent": scene.subscribers}
    return wanted, settle(lambda: scene.counts(scene.notice), wanted, seconds=UNTIL_RETRIED)


def all_arrived_once(scene: Scene) -> Seen:
    """In the inbox: each address once, still"""
    return once(scene.subscribers), said(scene.copies(scene.notice))


def pause(scene: Scene) -> Seen:
    """Publish the next version over the API, pause"""
    terms = scene.visitor.api(
        f"/api/products/{scene.product['id']}/terms/",
        {
            "title": shops.SHOPS[0].products[0].title,
            "body": shops.SHOPS[0].products[0].body,
            "reason": "앞선 변경을 되돌립니다.",
            "effective_on": f"{today() + timedelta(days=60)}",
        },
    )
    published = scene.visitor.api(f"/api/terms/{terms['id']}/publish/", {})
    scene.second_notice = published["message"]
    settle(lambda: bool(scene.copies(scene.second_notice)), True)
    scene.visitor.api(f"{scene.second_notice}pause/", {})
    left = when_still(lambda: scene.copies(scene.second_notice)[1])
    return "some have it, not all", some(left, scene.subscribers)


def resume(scene: Scene) -> Seen:
    """Resume: everybody has it, once"""
    scene.visitor.api(f"{scene.second_notice}resume/", {})
    everybody = scene.visitor.api(scene.second_notice)["recipients"]
    wanted = {"sent": everybody}
    settle(lambda: scene.counts(scene.second_notice), wanted, seconds=120)
    return once(everybody), said(scene.copies(scene.second_notice))


def once(count: int) -> str:
    return f"{count:,} addresses, 1 time each"


def said(copies: Counter[int]) -> str:
    """How many addresses got it how many times."""
    return "; ".join(
        f"{count:,} addresses, {times} time{'s' * (times > 1)} each"
        for times, count in sorted(copies.items())
    )


def dict_of(**counts: int) -> dict[str, int]:
    return {state: count for state, count in counts.items() if count}


def some(count: int, everybody: int) -> str:
    return "some have it, not all" if 0 < count < everybody else f"{count} of {everybody} have it"
