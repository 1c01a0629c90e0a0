"""`python -m bench.answering MODULE`: set up Django, import a module, carry out its ORDERS."""

import sys
from importlib import import_module

import django

from bench.asked import answer

if __name__ == "__main__":
    django.setup()
    answer(import_module(sys.argv[1]).ORDERS)
