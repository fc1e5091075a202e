"""One OpenID provider: what it says of itself, the way to its sign-in page, and what it says of a person."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from api.oidc.values import Claims
from core.errors import ProofFailed, Unavailable
from core.oidc_entries import OidcEntry, is_safe

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_KEPT = 3600.0  # seconds that metadata and keys are kept
_AGAIN = 60.0  # seconds before keys are fetched again for one that is not among them
_LEEWAY = 30
_MOST_BYTES = 1_000_000
_TIMEOUT = 10.0


class Metadata(BaseModel):
    """What of a provider's description we use (OpenID Connect Discovery 1.0, section 3)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """Keeps the description and the keys for an hour."""

    def __init__(self, entry: OidcEntry) -> None:
        """Fetch nothing yet."""
        self.entry = entry
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def metadata(self) -> Metadata:
        """Give its description. Raises Unavailable when it cannot be reached or does not describe this issuer."""
        if self._metadata is None or time.monotonic() - self._metadata[0] > _KEPT:
            found = await self._get(f"{self.entry.issuer.rstrip('/')}/.well-known/openid-configuration")
            self._metadata = (time.monotonic(), self._checked(found))
        return self._metadata[1]

    def _checked(self, found: Any) -> Metadata:
        try:
            metadata = Metadata.model_validate(found)
        except ValidationError as error:
            raise self._away("its description is incomplete") from error
        if metadata.issuer != self.entry.issuer:
            raise self._away("it describes another issuer")
        ends = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri, metadata.userinfo_endpoint)
        if not all(is_safe(address) for address in ends if address):
            raise self._away("it names an address without TLS")
        return metadata

    async def address(self, *, redirect_uri: str, state: str, nonce: str, verifier: str, fresh: bool) -> str:
        """Give the address of its sign-in page; `fresh`: the person has to sign in there anew. Raises Unavailable."""
        metadata = await self.metadata()
        anew = {"prompt": "login", "max_age": 0} if fresh else {}
        async with self._client(metadata, redirect_uri) as client:
            address, _ = client.create_authorization_url(
                metadata.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier, **anew
            )
        return str(address)

    async def claims(self, *, code: str, redirect_uri: str, verifier: str, nonce: str) -> Claims:
        """Change a code for what the provider says of the person. Raises ProofFailed, Unavailable."""
        metadata = await self.metadata()
        try:
            async with self._client(metadata, redirect_uri) as client:
                token = await client.fetch_token(
                    metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
                )
                said = await self._verified(metadata, token, nonce)
                if "email" not in said and metadata.userinfo_endpoint:
                    said = await self._with_userinfo(client, metadata.userinfo_endpoint, said)
                return _claims(self.entry.issuer, said)
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError, OverflowError) as error:
            message = "The provider's answer does not hold: try again."
            raise ProofFailed(message) from error
        except httpx2.HTTPError as error:
            raise self._away(type(error).__name__) from error

    async def _verified(self, metadata: Metadata, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Check signature and claims of the id token (OpenID Connect Core 1.0, section 3.1.3.7)."""
        text = str(token["id_token"])
        try:
            read = jwt.decode(text, await self._key_set(metadata), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            read = jwt.decode(text, await self._key_set(metadata, again=True), algorithms=list(ALGORITHMS))
        options = {
            "iss": {"essential": True, "value": self.entry.issuer},
            "aud": {"essential": True, "value": self.entry.client_id},
            "sub": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
        }
        known = {"nonce": nonce, "client_id": self.entry.client_id, "access_token": token.get("access_token")}
        CodeIDToken(read.claims, read.header, options, known).validate(leeway=_LEEWAY)
        exactly = {"iss": self.entry.issuer, "nonce": nonce}
        if any(read.claims[name] != value for name, value in exactly.items()) or not isinstance(
            read.claims["sub"], str
        ):
            message = "another issuer or nonce"  # the library also takes a list that contains them
            raise ValueError(message)
        return dict(read.claims)

    async def _with_userinfo(self, client: AsyncOAuth2Client, address: str, said: dict[str, Any]) -> dict[str, Any]:
        """Add what only the userinfo endpoint tells; it must tell it of the same subject."""
        response = await client.get(address)
        response.raise_for_status()
        more = response.json()
        if more.get("sub") != said["sub"]:
            message = "another subject"
            raise ValueError(message)
        return {**more, **said}

    async def _key_set(self, metadata: Metadata, *, again: bool = False) -> KeySet:
        age = time.monotonic() - self._keys[0] if self._keys else None
        if self._keys is None or age is None or age > (_AGAIN if again else _KEPT):
            found = KeySet.import_key_set(await self._get(metadata.jwks_uri))
            self._keys = (time.monotonic(), found)
        return self._keys[1]

    @asynccontextmanager
    async def _client(self, metadata: Metadata, redirect_uri: str) -> AsyncIterator[AsyncOAuth2Client]:
        secret = self.entry.client_secret
        async with AsyncOAuth2Client(
            self.entry.client_id,
            secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=_auth_method(metadata, has_secret=secret is not None),
            scope=" ".join(self.entry.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        ) as client:
            yield client

    async def _get(self, address: str) -> Any:
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client:
                response = await client.get(address, headers={"Accept": "application/json"})
            response.raise_for_status()
            if len(response.content) > _MOST_BYTES:
                raise self._away("its answer is too long")
            return response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._away(type(error).__name__) from error

    def _away(self, why: str) -> Unavailable:
        return Unavailable(f"The provider {self.entry.name} cannot be used just now: {why}.")


def _auth_method(metadata: Metadata, *, has_secret: bool) -> str:
    if not has_secret:
        return "none"
    basic = "client_secret_basic" in metadata.token_endpoint_auth_methods_supported
    return "client_secret_basic" if basic else "client_secret_post"


def _claims(issuer: str, said: Mapping[str, Any]) -> Claims:
    """Take over what has the right type; anything else counts as not said."""
    email, name, at = said.get("email"), said.get("name"), said.get("auth_time")
    return Claims(
        issuer=issuer,
        subject=str(said["sub"]),
        email=email.strip().lower() if isinstance(email, str) else None,
        email_verified=said.get("email_verified") is True,
        name=name if isinstance(name, str) else None,
        auth_time=datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else None,
    )
