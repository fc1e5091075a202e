// The way to the server over HTTP: tokens, and problem documents as errors.
// The access token lives in this tab (sessionStorage), the refresh token in the browser (localStorage): it is rotated
// under a lock that all tabs share, because the server ends a sign-in whose refresh token comes twice.

import { words } from "./words.js";

const API = "/api/v1", ACCESS = "assent.access", REFRESH = "assent.refresh", EARLY_MS = 30000;
const DOOR = { "X-Assent-Door": "web" };

export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail ?? words.unreachable);
    this.status = status;
    this.code = problem.code ?? `http_${status}`;
    this.more = problem;
  }
}

const locked = (work) => (navigator.locks ? navigator.locks.request("assent.tokens", work) : work());

export class Doors {
  // signedOut() is called once the server, or another tab, ended the sign-in.
  constructor(signedOut) {
    this.signedOut = signedOut;
    addEventListener("storage", (event) => event.key === REFRESH && !event.newValue && this.forget());
  }

  get isSignedIn() {
    return !!localStorage.getItem(REFRESH);
  }

  setup = () => this.plain("GET", "/setup");
  createOwner = async (body) => this.keep(await this.plain("POST", "/setup", body));
  signIn = async (body) => this.keep(await this.plain("POST", "/auth/sign-in", body));
  secondStep = async (ceremony_id, proof) => this.keep(await this.plain("POST", "/auth/second-factor", { ceremony_id, proof }));
  passkeySignIn = async (proof) => this.keep(await this.plain("POST", "/auth/passkey-sign-in", { proof }));
  providers = () => this.plain("GET", "/auth/oidc");
  beginOidc = (name, purpose) => (purpose === "sign-in" ? this.plain("POST", `/auth/oidc/${name}/begin`, { purpose }) : this.post(`/auth/oidc/${name}/begin`, { purpose }));
  oidcSignIn = async (ticket) => this.keep(await this.plain("POST", "/auth/oidc/sign-in", { ticket }));
  acceptInvitation = async (body) => this.keep(await this.plain("POST", "/invitations/accept", body));

  async signOut() {
    const refresh_token = localStorage.getItem(REFRESH);
    this.forget();
    await this.plain("POST", "/auth/sign-out", { refresh_token }).catch(() => undefined);
  }

  get = (path) => this.ask("GET", path);
  post = (path, body = {}) => this.ask("POST", path, body);
  patch = (path, body) => this.ask("PATCH", path, body);
  remove = (path) => this.ask("DELETE", path);

  // All items of a list, page by page; of very long ones the first thousand.
  async pages(path, most = 10) {
    const items = [], base = `${path}${path.includes("?") ? "&" : "?"}limit=100`;
    for (let cursor = "", page = 0; cursor !== null && page < most; page += 1) {
      const found = await this.get(`${base}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      items.push(...found.items);
      cursor = found.next ?? null;
    }
    return items;
  }

  async ask(method, path, body) {
    try {
      return await this.plain(method, path, body, await this.token());
    } catch (problem) {
      if (problem.status !== 401) throw problem;
      return this.plain(method, path, body, await this.token(true));
    }
  }

  async token(renew = false) {
    const known = JSON.parse(sessionStorage.getItem(ACCESS) ?? "null");
    if (known && !renew && known.until - EARLY_MS > Date.now()) return known.token;
    return locked(async () => {
      const refresh_token = localStorage.getItem(REFRESH);
      if (!refresh_token) return this.end();
      try {
        return this.keep(await this.plain("POST", "/auth/refresh", { refresh_token })).access_token;
      } catch (problem) {
        if (problem.status !== 401) throw problem;
        return this.end();
      }
    });
  }

  end() {
    this.forget();
    throw Object.assign(new Error("signed out"), { code: "not_signed_in", status: 0 });
  }

  keep(signed) {
    localStorage.setItem(REFRESH, signed.refresh_token);
    sessionStorage.setItem(ACCESS, JSON.stringify({ token: signed.access_token, until: Date.now() + signed.expires_in * 1000 }));
    return signed;
  }

  forget() {
    localStorage.removeItem(REFRESH);
    sessionStorage.removeItem(ACCESS);
    this.signedOut();
  }

  async plain(method, path, body, token) {
    const headers = { ...DOOR, ...(body ? { "Content-Type": "application/json" } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    let response;
    try {
      response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
    } catch {
      throw new Problem(0, { code: "unreachable" });
    }
    const answer = response.status === 204 ? null : await response.json().catch(() => null);
    if (!response.ok) throw new Problem(response.status, answer ?? { detail: `The server answered ${response.status}.` });
    return answer;
  }
}
