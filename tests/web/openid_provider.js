// A real OpenID provider (oidc-provider) for the tests: node openid_provider.js PORT FILE BACK (the redirect address). Whoever comes is signed in at once as
// what FILE (JSON) says: `account` (claims), `acr`, and what to alter: `token` (claims of the ID token, signed anew), `forge`
// (signed by a key that is not published), `info` (of the user info). /moved answers with a redirect.

import { readFileSync } from "node:fs";
import { exportJWK, generateKeyPair, importJWK, SignJWT } from "jose";
import Provider from "oidc-provider";

const [port, file, back] = process.argv.slice(2);
const said = () => JSON.parse(readFileSync(file, "utf-8"));
const makeKey = async () => {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: "one", alg: "RS256", use: "sig" };
};
const [key, forged] = [await makeKey(), await makeKey()];
const scopes = "openid profile email nhsperson nationalrbacaccess associatedorgs selectedrole".split(" ");

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "capture",
      client_secret: "a secret of the tests",
      redirect_uris: [back],
    },
  ],
  acrValues: ["AAL1", "AAL2_OR_AAL3_ANY", "AAL3"],
  scopes,
  claims: {
    openid: ["sub"],
    profile: ["name"],
    email: ["email", "email_verified"],
    nationalrbacaccess: ["nhsid_nrbac_roles"],
    selectedrole: ["selected_roleid"],
  },
  cookies: { keys: ["tests"] },
  jwks: { keys: [key] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ ...said().account, sub }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope(scopes.join(" "));
    grant.addOIDCClaims(["acr"]);
    await grant.save();
    return grant;
  },
});

provider.use(async (ctx, next) => {
  const { account, acr, token, forge, info } = said();
  if (ctx.path.startsWith("/interaction/")) {
    const result = { login: { accountId: account.sub, acr, remember: false } };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
    return;
  }
  if (ctx.path === "/moved") {
    ctx.redirect("/");
    return;
  }
  await next();
  if (ctx.path === "/token" && ctx.body?.id_token && (token || forge)) {
    const claims = JSON.parse(Buffer.from(ctx.body.id_token.split(".")[1], "base64url").toString());
    const signing = await importJWK(forge ? forged : key, "RS256");
    ctx.body.id_token = await new SignJWT({ ...claims, ...token })
      .setProtectedHeader({ alg: "RS256", kid: "one" })
      .sign(signing);
  }
  if (ctx.path === "/me" && info) ctx.body = { ...ctx.body, ...info };
});

provider.listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));
