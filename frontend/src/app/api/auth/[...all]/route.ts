import { getAuth } from "@/lib/auth";

export async function POST(request: Request) {
  return (await getAuth()).handler(request);
}

export async function GET(request: Request) {
  const response = await (await getAuth()).handler(request);
  if (response.ok && new URL(request.url).pathname.endsWith("/jwks")) {
    // API Gateway waits only 1.5 s for the keys, and this server may have to start and read them from the
    // database. Caching is safe: a new key is listed a day before it is used.
    response.headers.set("Cache-Control", "public, max-age=300, stale-while-revalidate=86400");
  }
  return response;
}
