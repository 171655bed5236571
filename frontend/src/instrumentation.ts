/** Runs once, when the server starts: a missing setting ends it here, by its name. */
export async function register() {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { checkConfig } = await import("./lib/config");
  try {
    checkConfig();
  } catch (error) {
    // Next itself would report it and go on, to fail at every request.
    console.error(`front end: ${(error as Error).message}`);
    process.exit(1);
  }
}
