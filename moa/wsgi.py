"""The WSGI entry point: `gunicorn moa.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moa.settings")

application = get_wsgi_application()
