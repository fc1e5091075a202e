// Passkeys between the server's JSON and the browser: bytes travel as base64url.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

// A numeric address has no domain, which passkeys are bound to.
export const canUsePasskeys = () => !!window.PublicKeyCredential && !/^[\d.]+$|^\[/.test(location.hostname);

export async function createPasskey(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: named(options.excludeCredentials) };
  const made = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = made.response;
  return answer(made, { clientDataJSON, attestationObject }, { transports: made.response.getTransports?.() ?? [] });
}

export async function usePasskey(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials) };
  const used = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = used.response;
  return answer(used, { clientDataJSON, authenticatorData, signature, ...(userHandle ? { userHandle } : {}) });
}

function answer(credential, buffers, more = {}) {
  const response = Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [name, text(buffer)]));
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: { ...response, ...more } };
}
