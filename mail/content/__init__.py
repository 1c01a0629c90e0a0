"""The content of mails, from Django's EmailMessage to the octets that a worker sends.

`validation` refuses what no mail can carry, `builder` turns the rest into the MIME that is stored.
`template` renders a stored broadcast for one recipient; `part`, `text`, `base64_lines` and
`headers` are its pieces. `mime` holds what differs between versions of Django, `placeholders` the
values a broadcast may use, `addresses` the one form in which an address is stored.

Nothing here reads or writes the database: it imports Django's mail classes, the email package
and its own modules, but no models and nothing else of `mail`.
"""
