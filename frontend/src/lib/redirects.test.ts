/** @jest-environment node */
import { randomInt } from "node:crypto";
import { pagesOnSite, pathOnSite } from "./redirects";

const SITE = "https://parley.example";

test.each([
  ["/chat", "/chat"],
  ["/account?email=changed#profile", "/account?email=changed#profile"],
  ["/a/./b/../c", "/a/c"],
  [`${SITE}/chat?to=//evil.example`, "/chat?to=//evil.example"],
  ["/%2F%2Fevil.example", "/%2F%2Fevil.example"],
  ["/x//y", "/x//y"],
])("%j is a page here", (value, path) => expect(pathOnSite(value, SITE)).toBe(path));

test.each([
  "//evil.example",
  "/.//evil.example",
  "/..//evil.example",
  "/x/..//evil.example",
  "/%2e//evil.example",
  "/%2E%2e//evil.example",
  "/.\\/evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "/\t/evil.example",
  "/.\n//evil.example",
  `${SITE}//evil.example`,
  `${SITE}@evil.example`,
  `${SITE}.evil.example`,
  "https:evil.example/..//evil.example",
  "http://parley.example/chat",
  "javascript:alert(1)",
  "data:text/html,x",
  `blob:${SITE}/chat`,
  "https://[",
  ["/chat"],
  { toString: () => "/chat" },
  7,
])("%j is no page here", (value) => expect(pathOnSite(value, SITE)).toBeUndefined());

/** Of what paths are misread for: separators, dots, what URLs drop, what decodes to either, and letters alike. */
const PIECES = [
  ..."/\\.\t\n\r @?#:;a∕／．。\u00ad\u200b\u3000",
  ...["//", "..", "%2e", "%2F", "%5c", "%09", "%00", "evil.example", "https:", SITE, "ⅇvil"],
];

test("whatever is drawn, a page stays on the site, however often it is read", () => {
  const seen = { on: 0, off: 0 };
  for (let draw = 0; draw < 20_000; draw++) {
    const value = Array.from(
      { length: randomInt(1, 9) },
      () => PIECES[randomInt(PIECES.length)],
    ).join("");
    const path = pathOnSite(value, SITE);
    seen[path === undefined ? "off" : "on"]++;
    if (path === undefined) continue;
    expect([value, new URL(path, SITE).origin]).toEqual([value, SITE]);
    expect([value, pathOnSite(path, SITE)]).toEqual([value, path]);
  }
  expect(Math.min(seen.on, seen.off)).toBeGreaterThan(1_000);
});

test("each parameter that names a page is judged, others are left alone", () => {
  for (const name of [
    "callbackURL",
    "errorCallbackURL",
    "newUserCallbackURL",
    "redirectTo",
    "redirect_uri",
    "errorURL",
  ]) {
    expect(pagesOnSite({ name: "//x", [name]: "/.//evil.example" }, SITE).strange).toBe(name);
    expect(pagesOnSite({ [name]: "/a/../b", email: "//" }, SITE).pages).toEqual({ [name]: "/b" });
    expect(pagesOnSite({ [name]: "" }, SITE)).toEqual({ pages: {} });
  }
});
