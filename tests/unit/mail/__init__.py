"""The content of mails, SMTP, and the decisions that need no database.

python3 bin/test tests/unit/mail
"""
