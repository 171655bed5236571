import "server-only";

/** Settings are read at run time, not at build time, so that one build serves every stage. */
function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** Removes trailing slashes, because a token's issuer is compared character by character. */
function address(name: string): string {
  const value = required(name);
  if (!URL.canParse(value)) throw new Error(`${name} is not an address: ${value}`);
  return value.replace(/\/+$/, "");
}

/** The first choice is the default. */
function oneOf<Choice extends string>(name: string, choices: readonly [Choice, ...Choice[]]) {
  const value = process.env[name] || choices[0];
  const choice = choices.find((each) => each === value);
  if (!choice) throw new Error(`${name} is none of ${choices.join(", ")}`);
  return choice;
}

/** Whose accounts people may sign in with, if the operator has registered Parley there. */
const SOCIAL_PROVIDERS = { github: "GitHub", google: "Google" } as const;

type SocialProviderId = keyof typeof SOCIAL_PROVIDERS;

function socialProvider(id: SocialProviderId) {
  const prefix = id.toUpperCase();
  const clientId = process.env[`${prefix}_CLIENT_ID`];
  if (!clientId) return [];
  const clientSecret = required(`${prefix}_CLIENT_SECRET`);
  return [{ id, name: SOCIAL_PROVIDERS[id], clientId, clientSecret }];
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

export const config = {
  /** Public address of this front end, and the issuer of its tokens. */
  get authUrl() {
    return address("BETTER_AUTH_URL");
  },
  get authSecret() {
    return required("BETTER_AUTH_SECRET");
  },
  get authDatabaseUrl() {
    const value = required("AUTH_DATABASE_URL");
    if (!URL.canParse(value)) throw new Error("AUTH_DATABASE_URL is not a postgresql:// address");
    return value;
  },
  /** `http`: through Neon's serverless driver. The API reads the same two settings. */
  get databaseTransport() {
    const transport = oneOf("DATABASE_TRANSPORT", ["auto", "http", "tcp"]);
    if (transport !== "auto") return transport;
    const { hostname } = new URL(this.authDatabaseUrl);
    return hostname.endsWith(".neon.tech") ? "http" : "tcp";
  },
  /** Where Neon is reached, if the database's host does not tell. */
  get databaseHttpUrl() {
    if (!process.env.DATABASE_HTTP_URL) return undefined;
    const url = new URL(address("DATABASE_HTTP_URL"));
    if (url.protocol !== "https:" && !LOOPBACK.includes(url.hostname)) {
      throw new Error("DATABASE_HTTP_URL must begin with https://");
    }
    return url;
  },
  get jwtAudience() {
    return process.env.JWT_AUDIENCE || "parley";
  },
  /** Address of the API for the browser. */
  get apiUrl() {
    return address("PARLEY_API_URL");
  },
  /** Address of the streaming endpoint, if `apiUrl` cannot stream. */
  get streamUrl() {
    return process.env.PARLEY_STREAM_URL ? address("PARLEY_STREAM_URL") : undefined;
  },
  /** OpenAI's key for this page's domain. If it is set, the page offers ChatKit. */
  get chatKitDomainKey() {
    return process.env.CHATKIT_DOMAIN_KEY || undefined;
  },
  /** The header in which a trusted proxy passes the client's IP address. */
  get clientIpHeader() {
    return process.env.CLIENT_IP_HEADER || undefined;
  },
  /** Whether an e-mail address must be confirmed before its account can be used. */
  get verifiesEmail() {
    const choice = oneOf("EMAIL_VERIFICATION", ["auto", "on", "off"]);
    const verifies = choice === "auto" ? this.authUrl.startsWith("https:") : choice === "on";
    if (verifies && !this.mail) {
      throw new Error("SMTP_URL is not set. Without mail, set EMAIL_VERIFICATION=off");
    }
    return verifies;
  },
  /** How mail is sent, if it is. */
  get mail() {
    const url = process.env.SMTP_URL;
    if (!url) return undefined;
    if (!/^smtps?:/.test(url) || !URL.canParse(url)) {
      throw new Error("SMTP_URL is not an smtp:// or smtps:// address");
    }
    const { hostname } = new URL(this.authUrl);
    return { smtp: new URL(url), from: process.env.MAIL_FROM || `Parley <no-reply@${hostname}>` };
  },
  /** Mail does not leave this machine: `make dev` prints it. */
  get isMailLocal() {
    return this.mail !== undefined && LOOPBACK.includes(this.mail.smtp.hostname);
  },
  get socialProviders() {
    return (Object.keys(SOCIAL_PROVIDERS) as SocialProviderId[]).flatMap(socialProvider);
  },
  get isDevelopment() {
    return process.env.NODE_ENV === "development";
  },
};

/** The other accounts that one may sign in with, without their secrets. */
export const socialProviders = () => config.socialProviders.map(({ id, name }) => ({ id, name }));

/** Throws for the first setting that is missing or malformed. */
export function checkConfig() {
  Object.values(config);
}
