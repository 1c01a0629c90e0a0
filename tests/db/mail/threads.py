"""The same moment in several database sessions."""

import threading
from collections.abc import Callable

from django.db import connection


def in_threads(times: int, *functions: Callable[[], int]) -> list[int]:
    """Run each function so many times, all at once, and return their results in order.

    Raises what a function raised.
    """
    results: list[int] = [0] * (times * len(functions))
    errors: list[Exception] = []

    def run(place: int, function: Callable[[], int]) -> None:
        try:
            results[place] = function()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=[place, functions[place % len(functions)]])
        for place in range(len(results))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
