"""The second half: a payment completes, the buyer gets a receipt; and a secret mail."""

import hashlib
import hmac
import json
import re
import time
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from demo.story.notices import Seen
from demo.story.scene import Scene, body, settle
from demo.story.visitor import Visitor

BUYER = "buyer@moa.example"
ADMIN = "admin@moa.example"
UNSURE = "drop+kept@moa.example"
LINK = re.compile(r"https?://\S+/admin/password_reset/\S+")


def pay(scene: Scene) -> Seen:
    """Open and confirm a payment over the API"""
    scene.payment = open_payment(scene, BUYER)["url"]
    return "paid", confirm(scene, scene.payment, "sandbox_story")["state"]


def receive_receipt(scene: Scene) -> Seen:
    """The receipt is in the inbox, with the amount"""
    settle(lambda: len(scene.inbox(BUYER)), 1)
    texts = [body(scene.read(mail), "plain") for mail in scene.inbox(BUYER)]
    amount = f"₩{scene.product['price']:,}"
    return [amount], [amount if amount in text else text for text in texts]


def pay_again(scene: Scene) -> Seen:
    """Confirm again: same response, no second receipt"""
    state = confirm(scene, scene.payment, "sandbox_story")["state"]
    return (
        {"state": "paid", "receipts": 1},
        {"state": state, "receipts": len(scene.inbox(BUYER))},
    )


def tell_twice(scene: Scene) -> Seen:
    """A signed webhook, delivered twice"""
    buyer = f"webhook.{BUYER}"
    opened = open_payment(scene, buyer)
    event, headers = signed_event(scene, opened)
    statuses = [
        scene.visitor.post_raw("/api/payments/webhooks/sandbox/", event, headers) for _ in range(2)
    ]
    receipts = settle(lambda: len(scene.inbox(buyer)), 1)
    state = scene.visitor.api(opened["url"])["state"]
    return (
        {"responses": [200, 200], "state": "paid", "receipts": 1},
        {"responses": statuses, "state": state, "receipts": receipts},
    )


def be_unsure(scene: Scene) -> Seen:
    """A lost reply: resent once, same Message-ID"""
    payment = open_payment(scene, UNSURE)["url"]
    confirm(scene, payment, "sandbox_unsure")
    settle(lambda: len(scene.inbox(UNSURE)), 2)
    mails = [scene.read(mail)["Message-ID"] for mail in scene.inbox(UNSURE)]
    receipt = scene.visitor.api(payment)["receipt"]["message"]
    counts = settle(lambda: scene.counts(receipt), {"sent": 1})
    return (
        {"copies": 2, "Message-IDs": 1, "sent": 1},
        {"copies": len(mails), "Message-IDs": len(set(mails)), **counts},
    )


def reset_password(scene: Scene) -> Seen:
    """send_mail(): a password reset arrives, its link works"""
    anybody = Visitor(scene.moa.site)
    anybody.submit("/admin/password_reset/", email=ADMIN)
    settle(lambda: len(scene.inbox(ADMIN)), 1)
    links = [LINK.search(body(scene.read(mail), "plain")) for mail in scene.inbox(ADMIN)]
    answers = [anybody.get(link[0]).status if link else None for link in links]
    return {"link responses": [200]}, {"link responses": answers}


def erase_secret(scene: Scene) -> Seen:
    """Its content is erased from the outbox"""

    def erased() -> dict[str, object]:
        (message,) = scene.visitor.pages("/api/messages/?kind=mail.secret")
        text = scene.visitor.api(message["url"])["text"]
        return {"erased": bool(message["erased_at"]), "text": text}

    wanted: dict[str, object] = {"erased": True, "text": None}
    return wanted, settle(erased, wanted)


def show_status(scene: Scene) -> Seen:
    """manage.py mail_status: a relay leads, nothing is lost"""
    status = scene.moa.command("mail_status")
    uncertain = sum(lane["uncertain"] for lane in status["lanes"])
    return (
        {"relay leads": True, "uncertain": 0},
        {"relay leads": status["relay_is_live"], "uncertain": uncertain},
    )


def open_payment(scene: Scene, buyer: str) -> dict[str, Any]:
    payment: dict[str, Any] = scene.visitor.api(
        "/api/payments/",
        {
            "product": scene.product["id"],
            "buyer": {"address": buyer, "name": "한구매"},
            "amount": scene.product["price"],
        },
    )
    return {**payment, "url": f"/api/payments/{payment['id']}/"}


def confirm(scene: Scene, payment: str, key: str) -> dict[str, Any]:
    told = {"payment_key": key, "amount": scene.product["price"]}
    answer: dict[str, Any] = scene.visitor.api(f"{payment}confirm/", told)
    return answer


def signed_event(scene: Scene, payment: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A webhook as a provider sends it, signed according to Standard Webhooks."""
    data = {
        "order_number": payment["order_number"],
        "payment_key": "sandbox_webhook",
        "amount": payment["amount"],
        "currency": "KRW",
        "method": "신용카드 ****-1234",
        "approved_at": datetime.now(UTC).isoformat(),
    }
    told = json.dumps({"type": "payment.paid", "data": data}).encode()
    event_id, moment = "evt_story", str(int(time.time()))
    signed = b".".join((event_id.encode(), moment.encode(), told))
    digest = hmac.new(scene.moa.webhook_secret, signed, hashlib.sha256).digest()
    return told, {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }
