// An issuer of tokens that nobody here wrote (oidc-provider), on loopback, with new keys at each start.
// node issuer.mjs FOLDER-OF-PACKAGES PORT SECONDS-THAT-TOKENS-LAST; prints a line when it listens.
import { createRequire } from 'node:module';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [packages, port, lasts] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(createRequire(packages + '/').resolve('oidc-provider')));

const key = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
};
const url = `http://127.0.0.1:${port}`;
const resource = 'urn:waymark';
const provider = new Provider(url, {
  jwks: { keys: [key()] },
  clients: [
    {
      client_id: 'waymark',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: ['http://127.0.0.1/callback'],
    },
    {
      client_id: 'robot',
      client_secret: 'planted-secret of the robot',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'openid',
        audience: 'waymark',
        accessTokenTTL: Number(lasts),
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  extraTokenClaims: (_, token) => ({ groups: [token.clientId === 'robot' ? 'robots' : 'people'] }),
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  cookies: { keys: ['a key of the cookies'] },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
