"""Configuration of `gunicorn moa.wsgi`. WEB_CONCURRENCY sets the processes, PORT the port."""

threads = 4  # a request waits for the database, never for a broker or an SMTP server
graceful_timeout = 8  # seconds; SIGTERM ends every process of Moa within ten
control_socket_disable = True
