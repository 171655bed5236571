import type { LanguageFn } from "highlight.js";

export interface Language {
  name: string;
  load: () => Promise<{ default: LanguageFn }>;
}

const bash: Language["load"] = () => import("highlight.js/lib/languages/bash");
const cpp: Language["load"] = () => import("highlight.js/lib/languages/cpp");
const javascript: Language["load"] = () => import("highlight.js/lib/languages/javascript");
const typescript: Language["load"] = () => import("highlight.js/lib/languages/typescript");
const xml: Language["load"] = () => import("highlight.js/lib/languages/xml");

/** The languages that are coloured: their names, what follows a fence for them, and where their grammar is. */
const LANGUAGES: [name: string, fences: string, load: Language["load"]][] = [
  ["C", "c h", () => import("highlight.js/lib/languages/c")],
  ["C#", "csharp cs c#", () => import("highlight.js/lib/languages/csharp")],
  ["C++", "cpp c++ cc hpp", cpp],
  ["CSS", "css", () => import("highlight.js/lib/languages/css")],
  ["Diff", "diff patch", () => import("highlight.js/lib/languages/diff")],
  ["Go", "go golang", () => import("highlight.js/lib/languages/go")],
  ["HTML", "html xhtml", xml],
  ["Java", "java", () => import("highlight.js/lib/languages/java")],
  ["JavaScript", "javascript js jsx mjs cjs", javascript],
  ["JSON", "json jsonc json5", () => import("highlight.js/lib/languages/json")],
  ["Kotlin", "kotlin kt", () => import("highlight.js/lib/languages/kotlin")],
  ["PHP", "php", () => import("highlight.js/lib/languages/php")],
  ["Python", "python py python3", () => import("highlight.js/lib/languages/python")],
  ["Ruby", "ruby rb", () => import("highlight.js/lib/languages/ruby")],
  ["Rust", "rust rs", () => import("highlight.js/lib/languages/rust")],
  ["Shell", "bash sh shell zsh console", bash],
  ["SQL", "sql postgresql postgres mysql sqlite", () => import("highlight.js/lib/languages/sql")],
  ["Swift", "swift", () => import("highlight.js/lib/languages/swift")],
  ["TypeScript", "typescript ts tsx", typescript],
  ["XML", "xml svg", xml],
  ["YAML", "yaml yml", () => import("highlight.js/lib/languages/yaml")],
];

/** By what is written after a fence, in lower case. */
export const languages: ReadonlyMap<string, Language> = new Map(
  LANGUAGES.flatMap(([name, fences, load]) =>
    fences.split(" ").map((fence): [string, Language] => [fence, { name, load }]),
  ),
);
