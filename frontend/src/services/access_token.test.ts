import { makeToken } from "@/testing/apiServer";
import { AccessToken } from "./access_token";
import { ApiError } from "./errors";

function issuer(secondsToLive = 900, sub = "ada") {
  let issued = 0;
  const issue = jest.fn(async () => makeToken(sub, secondsToLive, ++issued));
  return { issue, token: new AccessToken("ada", issue) };
}

afterEach(() => jest.useRealTimers());

test("requests one token for several callers at the same time", async () => {
  const { issue, token } = issuer();
  const tokens = await Promise.all([token.get(), token.get(), token.get()]);
  expect(new Set(tokens).size).toBe(1);
  expect(await token.get()).toBe(tokens[0]);
  expect(issue).toHaveBeenCalledTimes(1);
});

test("renews the token 60 seconds before it expires", async () => {
  jest.useFakeTimers();
  const { issue, token } = issuer(900);
  const first = await token.get();
  jest.advanceTimersByTime(838_000);
  expect(await token.get()).toBe(first);
  jest.advanceTimersByTime(3_000);
  expect(await token.get()).not.toBe(first);
  expect(issue).toHaveBeenCalledTimes(2);
});

test("renews a rejected token once, even if two requests report it", async () => {
  const { issue, token } = issuer();
  const first = await token.get();
  await token.reject(first);
  const second = await token.get();
  await token.reject(first);
  expect(await token.get()).toBe(second);
  expect(issue).toHaveBeenCalledTimes(2);
});

test("tries again after a failure", async () => {
  const issue = jest
    .fn<Promise<string>, []>()
    .mockRejectedValueOnce(new ApiError("gone", 0))
    .mockResolvedValue(makeToken("ada"));
  const token = new AccessToken("ada", issue);
  await expect(token.get()).rejects.toThrow("gone");
  await expect(token.get()).resolves.toContain(".");
});

test("refuses the token of another user who has signed in meanwhile", async () => {
  const { token } = issuer(900, "grace");
  await expect(token.get()).rejects.toMatchObject({ isSignedOut: true });
});
