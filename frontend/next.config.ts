import type { NextConfig } from "next";

const root = import.meta.dirname;

const config: NextConfig = {
  output: "standalone",
  // Only one development server may use a folder, so the tests beside `make dev` have another.
  distDir: process.env.NEXT_DIST_DIR || ".next",
  // Without these, Next takes the parent folder with its other lockfiles for the root, and nests the standalone
  // server one folder deeper.
  outputFileTracingRoot: root,
  turbopack: { root },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**"] },
  images: { unoptimized: true },
  poweredByHeader: false,
  agentRules: false,
  devIndicators: false, // It would cover the user's name.
  reactStrictMode: true,
  // src/proxy.ts sets the content security policy, which depends on run-time settings.
  headers: async () => [
    {
      source: "/:path*",
      headers: [
        { key: "X-Content-Type-Options", value: "nosniff" },
        { key: "X-Frame-Options", value: "DENY" },
        { key: "Referrer-Policy", value: "strict-origin-when-cross-origin" },
        { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
        {
          key: "Permissions-Policy",
          value: "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        },
      ],
    },
    // The address is the secret.
    { source: "/share/:path*", headers: [{ key: "Referrer-Policy", value: "no-referrer" }] },
  ],
};

export default config;
