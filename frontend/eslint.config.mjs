import next from "eslint-config-next/core-web-vitals";
import typescript from "eslint-config-next/typescript";

/** @param {number} max @returns {["error", object]} */
const maxLines = (max) => ["error", { max, skipBlankLines: true, skipComments: true }];

const config = [
  ...next,
  ...typescript,
  {
    rules: {
      complexity: ["error", 10],
      "max-lines-per-function": maxLines(50),
      "max-params": ["error", 4],
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // `void` would leave a failure that nobody sees.
      "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: false }],
      "@typescript-eslint/no-misused-promises": "error",
    },
  },
  // A test looks at the effect of what it starts.
  {
    files: ["**/*.test.{ts,tsx}"],
    rules: { "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: true }] },
  },
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
  {
    files: ["src/hooks/*.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "ExportNamedDeclaration > :matches(FunctionDeclaration:not([id.name=/^use[A-Z]/]), VariableDeclaration, ClassDeclaration)",
          message: "A file in hooks/ exports one hook. Other code belongs in chat/.",
        },
      ],
    },
  },
  { ignores: [".next/", "coverage/", "next-env.d.ts", "src/lib/schema.d.ts"] },
];

export default config;
