"""Relay, workers and web as processes, on PostgreSQL, RabbitMQ and SMTP.

python3 bin/test tests/integration
"""
