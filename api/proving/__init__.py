"""How people prove who they are: passwords, authenticator apps, passkeys."""
