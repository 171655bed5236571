// Reads the settings in the secret SECRET_ARN into the environment, where existing variables win, and starts the
// server. The Lambda runtime provides the AWS SDK.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { SecretsManagerClient, GetSecretValueCommand } = require("@aws-sdk/client-secrets-manager");

const client = new SecretsManagerClient({ maxAttempts: 2 });
const secret = await client.send(new GetSecretValueCommand({ SecretId: process.env.SECRET_ARN }));
for (const [name, value] of Object.entries(JSON.parse(secret.SecretString))) {
  process.env[name] ||= String(value);
}
await import("./server.js");
