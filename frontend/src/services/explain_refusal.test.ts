import { explainRefusal } from "./explain_refusal";

test.each([
  [{ status: 429, waitS: 8 }, "Too many attempts. Try again in 8 seconds."],
  [{ status: 429, waitS: 1 }, "Too many attempts. Try again in 1 second."],
  [{ status: 429, waitS: 841 }, "Too many attempts. Try again in 15 minutes."],
  [{ status: 0 }, "The server cannot be reached. Please try again."],
  [{ status: 400, message: "Password too short" }, "Password too short"],
  [{ status: 400, code: "INVALID_TOKEN", message: "x" }, "This link is no longer valid."],
  [{ status: 400 }, "That did not work. Please check what you entered."],
])("%j is explained", (refusal, text) => expect(explainRefusal(refusal)).toBe(text));
