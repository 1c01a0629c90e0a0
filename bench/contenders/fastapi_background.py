"""FastAPI BackgroundTasks: after its response, a request's mails leave from the web process.

Two uvicorn processes; each gets one request for half of the recipients.
"""

import os
import urllib.request
from itertools import islice

from fastapi import BackgroundTasks, FastAPI

from bench.contenders import notice
from bench.contenders.fastapi_mails import MAILS, message
from bench.contenders.notice import Recipient

web = FastAPI()


@web.post("/announcements")
async def announce(first: int, count: int, background: BackgroundTasks) -> dict[str, int]:
    for recipient in islice(notice.recipients(first + count), first, None):
        background.add_task(tell, recipient)
    return {"accepted": count}


async def tell(recipient: Recipient) -> None:
    await MAILS.send_message(message(recipient))


def send(count: int) -> None:
    ports = os.environ["PORTS"].split()
    share = count // len(ports)
    for number, port in enumerate(ports):
        size = share if number else count - share * (len(ports) - 1)
        first = count - size if number else 0
        url = f"http://127.0.0.1:{port}/announcements?first={first}&count={size}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST")).read()


ORDERS = notice.orders(send)
