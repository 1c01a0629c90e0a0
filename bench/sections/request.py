"""request: what a receipt costs the request that records it.

The web server of production beside two others of which one app is different (`bench.web`): one
makes no mail, one sends it in the request. Relay and worker run meanwhile, on the same machine.
"""

from bench.asked import Asked
from bench.client import Client
from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_least, at_most, percentile
from bench.scene import Scene
from bench.timed import TimedSink

SMTP_SECONDS = 0.3
BLOCK = 20  # requests to one server before it is the other's turn
STAND_INS = """
    INSERT INTO mail_message (id, uuid, kind, fingerprint, lane, on_uncertain, give_up_after, mime,
           sha256, personal, message_id, message_id_domain, envelope_from, sender, subject, text,
           html, queued, sent, failed, uncertain, cancelled, folded, turning)
    SELECT 1000000000 + id, gen_random_uuid(), 'bench.stand_in', '', 'transactional', 'resend',
           '1 day', '', '', false, '', '', '', '', '', '', '', 0, 0, 0, 0, 0, 0, false
      FROM payment_payment WHERE id = ANY(%s) RETURNING id
"""

Took = dict[str, list[float]]


def run(scene: Scene, options: Options) -> list[Row]:
    count, slow = options.pick(2000, 300), options.pick(60, 12)
    with (
        TimedSink() as sink,
        TimedSink(delay=SMTP_SECONDS) as slow_sink,
        scene.moa(sink.url) as moa,
    ):
        took, statements = measure(moa, slow_sink, count=count, slow=slow)
    mail, none = took["recorded"], took["nothing"]
    synchronous = percentile(took["synchronous"], 0.5)
    return [
        _ratio("p50", 0.5, 1.5, mail, none),
        _ratio("p99", 0.99, 1.75, mail, none),
        at_most(
            *("request", "statements for the receipt"),
            *(statements["recorded"] - statements["nothing"], 5, ""),
            **statements,
        ),
        at_least(
            *("request", "synchronous at 300 ms / recorded, p50"),
            *(synchronous / percentile(mail, 0.5), 30, "x"),
            synchronous_ms=round(synchronous * 1000, 1),
            requests=slow,
        ),
    ]


def _ratio(name: str, share: float, bound: float, mail: list[float], none: list[float]) -> Row:
    with_mail, without = percentile(mail, share), percentile(none, share)
    return at_most(
        *("request", f"{name} with receipt / without", with_mail / without, bound, "x"),
        with_ms=round(with_mail * 1000, 2),
        without_ms=round(without * 1000, 2),
        requests=len(mail),
        in_blocks_of=BLOCK,
    )


def measure(
    moa: Moa, slow_server: TimedSink, *, count: int, slow: int
) -> tuple[Took, dict[str, int]]:
    """Seconds of each request by what it does about the receipt, and statements of one."""
    acts = moa.acts()
    shop = acts.ask("open_shop")
    moa.start("-c", "1")
    variants = {
        "recorded": moa.web(),
        "nothing": moa.web(**_does("nothing")),
        "synchronous": moa.web(**_does("synchronous", EMAIL_URL=slow_server.url)),
    }
    access = {"token": shop["token"], "price": shop["price"]}
    clients = {name: Client(port, **access) for name, port in variants.items()}
    took: Took = {name: [] for name in variants}
    pairs = ["recorded", "nothing"]
    for client in clients.values():  # caches, connections
        client.confirm(_payments(moa, acts, 4))
    for number in range(2 * count // BLOCK):
        name = pairs[number % 2]
        took[name] += clients[name].confirm(_payments(moa, acts, BLOCK))
    took["synchronous"] += clients["synchronous"].confirm(_payments(moa, acts, slow))
    return took, {
        name: moa.acts(**({} if name == "recorded" else _does(name))).ask(
            "statements", payment=_payments(moa, acts, 1)[0], **access
        )["count"]
        for name in pairs
    }


def _does(receipts: str, **environ: str) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": "bench.web_settings", "BENCH_RECEIPTS": receipts}
    return settings | environ


def _payments(moa: Moa, acts: Asked, count: int) -> list[int]:
    payments: list[int] = acts.ask("open_payments", count=count)["payments"]
    moa.rows(STAND_INS, payments)
    return payments
