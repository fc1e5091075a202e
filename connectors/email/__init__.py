"""Messages by mail, handed to an SMTP server."""
