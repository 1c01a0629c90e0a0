"""Trace: which calls a mail takes through `mail/`, and how often they change module.

    python -m tests.harness.trace            the figures of each leg
    python -m tests.harness.trace --calls    and the calls of one further mail, module by module

It records, binds and delivers mails on a SQLite database of its own, over SMTP on a socket. What a
further mail of a Batch costs is the difference between Batches of seven and of six. A change of
module is a call in another module of `mail` than the call before it.
"""

import os
import sys
import tempfile
from itertools import pairwise

from tests.harness.calls import Call

FEW, ONE_MORE = 6, 7


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="moa-trace-") as folder:
        os.environ |= {
            "DEBUG": "true",
            "MOA_VAR": folder,
            "DATABASE_URL": f"sqlite:///{folder}/moa.sqlite3",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        }
        _report(with_calls="--calls" in sys.argv)


def changes(calls: list[Call]) -> int:
    """How often a call is in another module than the call before it."""
    return sum(before[0] != after[0] for before, after in pairwise(calls))


def one_mail(calls: list[Call]) -> list[Call]:
    """The calls between the third and the fourth mail of a Batch."""
    starts = [at for at, (_, name) in enumerate(calls) if name == "SmtpConnection.deliver"]
    return calls[starts[2] : starts[3]]


def _report(*, with_calls: bool) -> None:
    import django

    django.setup()
    from tests.harness.traced_mails import Legs

    legs = Legs()
    legs.deliver_receipt(1), legs.deliver_notices(1)  # imports and caches
    print(f"{'leg':<34}{'calls':>6}{'changes of module':>20}")  # noqa: T201
    for name, calls in (("send", legs.send()), ("bind", legs.bind())):
        print(f"{name:<34}{len(calls):>6}{changes(calls):>20}")  # noqa: T201
    for name, deliver in (
        ("a further mail, stored", legs.deliver_receipt),
        ("a further mail of a broadcast", legs.deliver_notices),
    ):
        few, more = deliver(FEW), deliver(ONE_MORE)
        further = (len(more) - len(few), changes(more) - changes(few))
        print(f"{name:<34}{further[0]:>6}{further[1]:>20}")  # noqa: T201
        for module, function in one_mail(more) if with_calls else ():
            print(f"    {module:<30} {function}")  # noqa: T201


if __name__ == "__main__":
    main()
