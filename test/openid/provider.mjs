// An OpenID Connect provider on loopback, with accounts and one client that the
// test gives as JSON in its only argument. It says its URL in a line, and ends
// with its standard input.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const { accounts, client, idToken } = JSON.parse(process.argv[2]);

const configuration = {
  clients: [{
    client_id: client.id,
    client_secret: client.secret,
    redirect_uris: [client.redirect],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: !idToken, // else the ID token says who it is, as many providers do
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  async findAccount(_, id) {
    const known = accounts[id] ?? {};
    return { accountId: id, claims: async () => ({ sub: id, ...known }) };
  },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration).callback());
  console.log(issuer);
});
process.stdin.resume().on('end', () => process.exit(0));
