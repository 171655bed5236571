import next from "eslint-config-next/core-web-vitals";
import typescript from "eslint-config-next/typescript";

/** @param {number} max @returns {["error", object]} */
const maxLines = (max) => ["error", { max, skipBlankLines: true, skipComments: true }];

const config = [
  ...next,
  ...typescript,
  { rules: { complexity: ["error", 10], "max-lines-per-function": maxLines(50) } },
  // Markup takes lines of its own.
  { files: ["**/*.tsx"], rules: { "max-lines-per-function": maxLines(80) } },
  {
    files: ["src/{app,components,hooks,chat}/**"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "fetch", message: "The network is in services/." },
      ],
    },
  },
  { ignores: [".next/", "coverage/", "next-env.d.ts", "src/lib/schema.d.ts"] },
];

export default config;
