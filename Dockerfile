# One image for web, relay, workers and migrate; docker-compose.yml says which of them it is.
FROM python:3.12-slim AS wheels
WORKDIR /wheels
COPY requirements.txt constraints.txt ./
RUN pip wheel --no-cache-dir --wheel-dir . -r requirements.txt -c constraints.txt

FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 10001 moa
WORKDIR /srv/moa
COPY --from=wheels /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels \
        -r /wheels/requirements.txt -c /wheels/constraints.txt \
    && rm -r /wheels
COPY . .
# DEBUG stands in for the secrets that a build does not have; nothing of it stays in the image.
RUN DEBUG=true MAIL_CATCHER=false MOA_VAR=/tmp/moa python manage.py collectstatic --noinput \
    && rm -r /tmp/moa
USER moa
ENV PORT=8000
EXPOSE 8000
CMD ["gunicorn", "moa.wsgi"]
