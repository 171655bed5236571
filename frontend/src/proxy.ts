import { NextResponse, type NextRequest } from "next/server";
import { config as settings } from "@/lib/config";

function contentSecurityPolicy(nonce: string) {
  // React's development build needs eval to reconstruct server stack traces.
  const development = settings.isDevelopment ? " 'unsafe-eval'" : "";
  const api = [settings.apiUrl, settings.streamUrl].filter((url) => url !== undefined);
  const chatKit = settings.chatKitDomainKey ? " https://cdn.platform.openai.com" : "";
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}'${development}${chatKit}`,
    `frame-src 'self'${chatKit}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    `connect-src 'self' ${api.map((url) => new URL(url).origin).join(" ")}`,
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Next reads the nonce from the request's header and adds it to its inline scripts. */
export function proxy(request: NextRequest) {
  const policy = contentSecurityPolicy(crypto.randomUUID().replaceAll("-", ""));
  const headers = new Headers(request.headers);
  headers.set("Content-Security-Policy", policy);

  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  if (settings.authUrl.startsWith("https:")) {
    response.headers.set("Strict-Transport-Security", "max-age=63072000; includeSubDomains");
  }
  return response;
}

export const config = { matcher: "/((?!api/|_next/|\\.well-known/).*)" };
