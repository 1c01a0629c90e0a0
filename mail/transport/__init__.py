"""How mail leaves: SMTP spoken by phases, or any Django backend.

The transport of a lane is the server or backend that its mail leaves through; the row `Transport`
says whether it may send now. What a worker's slot keeps open to it is a `Connection`. This
package imports `mail.models` and nothing else of mail; it reads and writes no row.
"""

from mail.transport.connections import Connections

__all__ = ["Connections"]
