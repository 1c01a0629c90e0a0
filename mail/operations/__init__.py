"""What a person does with mails and sees of them, shared by the admin, API and commands.

`actions` changes Messages, Deliveries and Transports and logs who did it; `resend_filter` says
which Deliveries to send again; `status`, `progress` and `preview` show; `access` says what a user
may see. Imports the outbox, content, ledger and models, and neither worker nor relay.
"""
