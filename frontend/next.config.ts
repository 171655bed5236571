import type { NextConfig } from "next";

const root = import.meta.dirname;

const config: NextConfig = {
  output: "standalone",
  // The parent folder holds other lockfiles; without these Next takes it for the root
  // and nests the standalone server one folder deeper.
  outputFileTracingRoot: root,
  turbopack: { root },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**"] },
  images: { unoptimized: true },
  poweredByHeader: false,
  agentRules: false,
  devIndicators: false, // it lies upon the person's name
  reactStrictMode: true,
  // What depends on run-time settings (the content security policy) is set in src/proxy.ts.
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
  ],
};

export default config;
