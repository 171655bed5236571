import { createContext } from "react";

/** Shows a problem at the foot of the conversation, which is always in view. */
export const ProblemContext = createContext<(problem: string) => void>(console.error);
