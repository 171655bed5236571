import nextJest from "next/jest.js";

const createConfig = nextJest({ dir: import.meta.dirname });

const next = await createConfig({
  testEnvironment: "<rootDir>/jest.environment.mjs",
  setupFilesAfterEnv: ["<rootDir>/jest.setup.ts"],
  moduleNameMapper: { "^@/(.*)$": "<rootDir>/src/$1" },
  testPathIgnorePatterns: ["/node_modules/", "/.next/"],
  modulePathIgnorePatterns: ["<rootDir>/.next/"],
})();

// Compiles dependencies as well, because the packages for markdown are ES modules.
const config = { ...next, transformIgnorePatterns: ["\\.module\\.css$"] };

export default config;
