"""The commands: `relay`, `mail_status`, `resend_failed_mails`."""
