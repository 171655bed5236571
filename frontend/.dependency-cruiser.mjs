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

/** @type {import("dependency-cruiser").IConfiguration} */
const config = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    ...oneDirection,
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
