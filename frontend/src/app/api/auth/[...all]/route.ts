import { getAuth } from "@/lib/auth";

export function POST(request: Request) {
  return getAuth().handler(request);
}

export async function GET(request: Request) {
  const response = await getAuth().handler(request);
  if (response.ok && new URL(request.url).pathname.endsWith("/jwks")) {
    // Better Auth reads the keys from the database each time; API Gateway waits 1.5 s for them,
    // and this server may have to start first. A new key is listed a day before it signs.
    response.headers.set("Cache-Control", "public, max-age=300, stale-while-revalidate=86400");
  }
  return response;
}
