import { config } from "@/lib/config";

export const dynamic = "force-dynamic";

/** API Gateway's JWT authorizer and the API find the signing keys here. */
export function GET() {
  const issuer = config.authUrl;
  return Response.json(
    {
      issuer,
      jwks_uri: `${issuer}/api/auth/jwks`,
      authorization_endpoint: `${issuer}/sign-in`,
      token_endpoint: `${issuer}/api/auth/token`,
      response_types_supported: ["token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    },
    { headers: { "Cache-Control": "public, max-age=300" } },
  );
}
