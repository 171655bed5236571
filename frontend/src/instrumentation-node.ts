import { checkConfig } from "./lib/config";

// Stops the server at start if a setting is missing. If this threw, Next would report the error, serve anyway,
// and fail at every request.
try {
  checkConfig();
} catch (error) {
  console.error(`front end: ${(error as Error).message}`);
  process.exit(1);
}
