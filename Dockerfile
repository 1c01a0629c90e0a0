# One image for web, relay, workers and migrate; docker-compose.yml chooses the command.
# `--target production` (the default) is without demo/; `--target staging` has it, for sample_data.
FROM python:3.12-slim AS wheels
WORKDIR /wheels
COPY requirements.txt constraints.txt ./
RUN pip wheel --no-cache-dir --wheel-dir . -r requirements.txt -c constraints.txt

FROM python:3.12-slim AS source
WORKDIR /srv/moa
COPY . .
RUN mv demo /srv/demo

FROM python:3.12-slim AS release
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 10001 moa
WORKDIR /srv/moa
COPY --from=wheels /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels \
        -r /wheels/requirements.txt -c /wheels/constraints.txt \
    && rm -r /wheels
COPY --from=source /srv/moa .
# DEBUG stands in for the secrets that a build does not have; the image keeps nothing of it.
RUN DEBUG=true MAIL_CATCHER=false MOA_VAR=/tmp/moa python manage.py collectstatic --noinput \
    && rm -r /tmp/moa
USER moa
ENV PORT=8000
EXPOSE 8000
CMD ["gunicorn", "moa.wsgi"]

FROM release AS staging
COPY --from=source /srv/demo demo

FROM release AS production
