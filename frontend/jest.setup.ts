import "@testing-library/jest-dom";
import { configure } from "@testing-library/react";

// As in development: every effect is set up, cleaned up and set up again.
configure({ reactStrictMode: true });
