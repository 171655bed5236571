import { checkConfig } from "./lib/config";

// When the server starts: a missing setting ends it here, by its name. Thrown on, Next would
// report the error and serve, to fail at every request.
try {
  checkConfig();
} catch (error) {
  console.error(`front end: ${(error as Error).message}`);
  process.exit(1);
}
