import { defineConfig } from "@playwright/test";

if (!process.env.PARLEY_URL)
  throw new Error("PARLEY_URL is not set: the address of a running Parley");

export default defineConfig({
  testDir: ".",
  outputDir: "test-results",
  forbidOnly: true,
  retries: 0,
  // One worker: tests share users, and sign-ins are limited by IP address.
  workers: 1,
  // Several times the duration of the slowest test, for a busy machine. Tests do not measure speed.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: "list",
  use: {
    baseURL: process.env.PARLEY_URL,
    // Selects the built-in chat. Some tests override this.
    storageState: {
      cookies: [],
      origins: [
        {
          origin: process.env.PARLEY_URL,
          localStorage: [{ name: "parley.chat", value: "built-in" }],
        },
      ],
    },
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
      ],
    },
  },
  projects: [
    { name: "people", testMatch: "people.setup.ts" },
    { name: "parley", dependencies: ["people"] },
  ],
});
