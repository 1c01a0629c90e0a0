"""request: what a receipt costs the request that records it.

The production web server compared with two others that differ in one app (`bench.web`): one
creates no mail, one sends it in the request. Relay and worker run on the same machine meanwhile.
"""

from dataclasses import dataclass, field

from bench.asked import Asked
from bench.client import Client
from bench.measure import cpu
from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_least, at_most, percentile
from bench.scene import Scene
from tests.harness.smtp_process import SmtpProcess

SMTP_SECONDS = 0.3
BLOCK = 20  # requests to one server before it is the other's turn
WARM = {"recorded": 20, "nothing": 20, "synchronous": 4}  # requests that are not counted
STAND_INS = """
    INSERT INTO mail_message (id, uuid, kind, fingerprint, lane, on_uncertain, give_up_after, mime,
           sha256, personal, message_id, message_id_domain, envelope_from, sender, subject, text,
           html, queued, sent, failed, uncertain, cancelled, folded, turning)
    SELECT 1000000000 + id, gen_random_uuid(), 'bench.stand_in', '', 'transactional', 'resend',
           '1 day', '', '', false, '', '', '', '', '', '', '', 0, 0, 0, 0, 0, 0, false
      FROM payment_payment WHERE id = ANY(%s) RETURNING id
"""

PAIR = ("recorded", "nothing")


@dataclass
class Seen:
    """Of each server: the seconds of its requests, its CPU seconds, the statements of one."""

    took: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)

    def ratio(self, name: str, share: float, bound: float) -> Row:
        """A percentile with a receipt over that without."""
        with_mail, without = (percentile(self.took[server], share) for server in PAIR)
        return at_most(
            *("request", f"{name} with receipt / without", with_mail / without, bound, "x"),
            with_ms=round(with_mail * 1000, 2),
            without_ms=round(without * 1000, 2),
            requests=len(self.took["recorded"]),
            in_blocks_of=BLOCK,
            web_cpu_ratio=round(self.cpu["recorded"] / self.cpu["nothing"], 3),
        )


def run(scene: Scene, options: Options) -> list[Row]:
    count, slow = options.pick(2000, 100), options.pick(60, 5)
    with (
        SmtpProcess() as sink,
        SmtpProcess(pace=SMTP_SECONDS) as slow_sink,
        scene.moa(sink.url) as moa,
    ):
        seen = measure(moa, sink, slow_sink, count=count, slow=slow)
    extra = seen.statements["recorded"] - seen.statements["nothing"]
    synchronous, recorded = (
        percentile(seen.took[name], 0.5) for name in ("synchronous", "recorded")
    )
    ratio = synchronous / recorded
    return [
        seen.ratio("p50", 0.5, 1.5),
        seen.ratio("p99", 0.99, 1.75),
        at_most("request", "statements for the receipt", extra, 5, "", **seen.statements),
        at_least(
            "request",
            "synchronous at 300 ms / recorded, p50",
            ratio,
            30,
            "x",
            synchronous_ms=round(synchronous * 1000, 1),
            requests=slow,
        ),
    ]


def measure(moa: Moa, sink: SmtpProcess, slow_sink: SmtpProcess, *, count: int, slow: int) -> Seen:
    """Confirm payments at three servers, two of which take turns."""
    acts, seen = moa.acts(), Seen()
    shop = acts.ask("open_shop")
    access = {"token": shop["token"], "price": shop["price"]}
    moa.start("-c", "1")
    clients = {"recorded": Client(moa.web(), **access)}
    roots = {"recorded": moa.named["web"]}
    for name, given in (("nothing", {}), ("synchronous", {"EMAIL_URL": slow_sink.url})):
        clients[name] = Client(moa.web(**_does(name, **given)), **access)
        roots[name] = moa.named["web"]
    for name, client in clients.items():  # caches, connections
        client.confirm(_payments(moa, acts, WARM[name]))
    before = cpu(roots)
    seen.took = {name: [] for name in clients}
    for number in range(2 * count // BLOCK):
        name = PAIR[number % 2]
        seen.took[name] += clients[name].confirm(_payments(moa, acts, BLOCK))
    seen.cpu = {name: seconds - before[name] for name, seconds in cpu(roots).items()}
    seen.took["synchronous"] = clients["synchronous"].confirm(_payments(moa, acts, slow))
    _check(sink, count + WARM["recorded"])
    _check(slow_sink, slow + WARM["synchronous"])
    for name in PAIR:
        program = moa.acts(**({} if name == "recorded" else _does(name)))
        (payment,) = _payments(moa, acts, 1)
        seen.statements[name] = program.ask("statements", payment=payment, **access)["count"]
    return seen


def _check(sink: SmtpProcess, count: int) -> None:
    """Check that all receipts have left, and no others. Raises NotReady, AssertionError."""
    sink.wait_for(count)
    assert sink.count == count, (sink.count, count)  # noqa: S101


def _does(receipts: str, **environ: str) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": "bench.web_settings", "BENCH_RECEIPTS": receipts}
    return settings | environ


def _payments(moa: Moa, acts: Asked, count: int) -> list[int]:
    payments: list[int] = acts.ask("open_payments", count=count)["payments"]
    moa.rows(STAND_INS, payments)
    return payments
