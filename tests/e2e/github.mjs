// Loaded into a front end's server before its own code: GitHub's answers, as its documentation has them. GITHUB_EMAIL
// is the address of the account, GITHUB_EMAIL_VERIFIED whether GitHub has confirmed it.
const { fetch } = globalThis;
const email = process.env.GITHUB_EMAIL;
const verified = process.env.GITHUB_EMAIL_VERIFIED === "yes";

const ANSWERS = {
  "https://github.com/login/oauth/access_token": {
    access_token: "token",
    token_type: "bearer",
    scope: "read:user,user:email",
  },
  "https://api.github.com/user": { id: 42, login: "somebody", name: "Somebody", email },
  "https://api.github.com/user/emails": [{ email, primary: true, verified, visibility: null }],
};

globalThis.fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  return url in ANSWERS ? Response.json(ANSWERS[url]) : fetch(input, init);
};
