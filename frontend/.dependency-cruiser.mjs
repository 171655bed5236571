/** Folders of src from top to bottom. Each may import from those below it. */
const LAYERS = ["app", "components", "hooks", "chat", "services", "lib"];

/** @param {string[]} folders */
const within = (folders) => `^src/(${folders.join("|")})/`;

const oneDirection = LAYERS.slice(1).map((layer, index) => ({
  name: `${layer}-imports-downwards`,
  severity: "error",
  from: { path: within([layer]) },
  to: { path: within(LAYERS.slice(0, index + 1)) },
}));

/** What a feature's components show of another's. `components/ChatInterface.tsx` puts features together. */
const SHOWS = { chat: ["markdown"], account: ["sign-in"], share: ["markdown", "chat"] };

/** @type {import("dependency-cruiser").IConfiguration} */
const config = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    ...oneDirection,
    {
      name: "ui-knows-no-feature",
      severity: "error",
      from: { path: "^src/components/ui/" },
      to: { path: "^src/components/(?!ui/)" },
    },
    ...["chat", "conversations", "account", "share", "sign-in", "markdown"].map((feature) => ({
      name: `${feature}-knows-no-other-feature`,
      severity: "error",
      from: { path: `^src/components/${feature}/` },
      to: {
        path: "^src/components/[^/]+/",
        pathNot: `^src/components/(${[feature, "ui", ...(SHOWS[feature] ?? [])].join("|")})/`,
      },
    })),
    {
      name: "no-react-below-hooks",
      severity: "error",
      from: { path: within(["chat", "services", "lib"]), pathNot: "\\.test\\.tsx?$" },
      to: { path: "node_modules/(react|@testing-library)/" },
    },
    {
      name: "no-test-code-in-the-application",
      severity: "error",
      from: { pathNot: "^src/testing/|\\.test\\.tsx?$" },
      to: { path: "^src/testing/|\\.test\\.tsx?$" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Type imports count: a circle of types is a circle for its reader.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types"] },
  },
};

export default config;
