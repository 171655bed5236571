/** @jest-environment node */
import { NextRequest } from "next/server";
import { proxy } from "./proxy";

const CDN = "https://cdn.platform.openai.com";

function policy(chatKitDomainKey: string) {
  process.env.BETTER_AUTH_URL = "https://chat.example.com";
  process.env.PARLEY_API_URL = "https://api.example.com";
  process.env.CHATKIT_DOMAIN_KEY = chatKitDomainKey;
  const { headers } = proxy(new NextRequest("https://chat.example.com/chat"));
  const directives = headers.get("Content-Security-Policy")!.split("; ");
  return Object.fromEntries(
    directives.map((directive) => [directive.split(" ")[0], directive.split(" ").slice(1)]),
  );
}

test("with a domain key, the policy allows the script and the frame of ChatKit's host, and nothing else", () => {
  const { "script-src": scripts, "frame-src": frames, ...others } = policy("domain_pk_1");
  expect(scripts).toEqual(["'self'", expect.stringMatching(/^'nonce-\w+'$/), CDN]);
  expect(frames).toEqual(["'self'", CDN]);
  expect(JSON.stringify(others)).not.toContain("openai");
});

test("without a domain key, the policy does not mention ChatKit's host", () => {
  expect(JSON.stringify(policy(""))).not.toContain("openai");
});
