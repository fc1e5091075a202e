// Runs a certified OpenID provider on a free port: argument 1 says which clients it knows. Any login name gets in;
// what it says of a person follows from that name.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const { clients } = JSON.parse(process.argv[2]);

const about = (sub) => ({
  sub,
  name: sub.split("@")[0],
  ...(sub.includes("@") ? { email: sub.replace("unverified-", ""), email_verified: !sub.startsWith("unverified-") } : {}),
});

const server = createServer().listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => about(sub) }),
    pkce: { required: () => true },
    cookies: { keys: ["for tests"] },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  server.on("request", provider.callback());
  console.log(`listening on ${issuer}`);
});
