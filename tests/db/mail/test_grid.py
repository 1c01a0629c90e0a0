"""The SMTP grid: each command, whatever the server does there, has the outcome of the table.

I5: before the end of data a failure is certain, after it only a reply decides. I11: a bad mail
fails alone; trouble with the server holds the transport and spends no attempts.
"""

import pytest

from chaos.cells import ANSWER_CELLS, CELLS, Cell, in_the_end
from chaos.shop.cell import try_cell
from tests.unit.mail.mails import NOTICE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db")]
ALL = [*CELLS, *ANSWER_CELLS]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_i5_i11_whatever_a_server_does_stops_what_it_is_about(cell: Cell):
    first, last = try_cell(cell, NOTICE)

    assert first == cell.first
    assert last == in_the_end(cell.first)


@pytest.mark.parametrize("cell", ANSWER_CELLS, ids=lambda cell: cell.name)
def test_i5_i11_an_answer_with_a_meaning_of_its_own_stops_what_it_is_about(cell: Cell):
    first, last = try_cell(cell, NOTICE)

    assert first == cell.first
    assert last == in_the_end(cell.first)


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_i5_i11_the_same_without_pipelining(cell: Cell):
    first, last = try_cell(cell, NOTICE, pipelining=False)

    assert first == cell.first
    assert last == in_the_end(cell.first)
