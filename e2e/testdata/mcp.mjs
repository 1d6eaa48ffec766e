// An agent: it goes from the URL of an API to a token by the client SDK of the Model Context Protocol.
//
//   node mcp.mjs SDK API REDIRECT [DOCUMENT]
//
// SDK is the folder with the node_modules, DOCUMENT the URL of its metadata document; without one it registers itself. It prints the address
// to open in a browser, reads the code from standard input, and prints its tokens, and those that it got for the refresh token.
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const [sdk, api, redirect, document] = process.argv.slice(2);
const { auth } = await import(pathToFileURL(`${sdk}/node_modules/@modelcontextprotocol/sdk/dist/esm/client/auth.js`));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => console.log(JSON.stringify(what));

let information, tokens, verifier;
const agent = {
  redirectUrl: redirect,
  clientMetadataUrl: document,
  clientMetadata: {
    client_name: "Agent", redirect_uris: [redirect], application_type: "native", token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  },
  clientInformation: () => information,
  saveClientInformation: (i) => { information = i; },
  tokens: () => tokens,
  saveTokens: (t) => { tokens = t; },
  redirectToAuthorization: (url) => say({ open: url.toString() }),
  saveCodeVerifier: (v) => { verifier = v; },
  codeVerifier: () => verifier,
};

const scope = "notes:read offline_access";
if ((await auth(agent, { serverUrl: api, scope })) !== "REDIRECT") throw new Error("no redirect");
const answer = JSON.parse((await lines.next()).value);
if ((await auth(agent, { serverUrl: api, scope, authorizationCode: answer.code, iss: answer.iss })) !== "AUTHORIZED") throw new Error("no tokens");
say({ client: information.client_id, ...tokens });
if ((await auth(agent, { serverUrl: api, scope })) !== "AUTHORIZED") throw new Error("no refresh");
say({ client: information.client_id, ...tokens });
process.exit(0);
