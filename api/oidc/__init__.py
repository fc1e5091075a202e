"""Signing in with OpenID providers: authorization code, PKCE, state and nonce bound to one browser."""
