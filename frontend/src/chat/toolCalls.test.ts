import { toolName } from "./toolCalls";

test("tool names are written as words", () => {
  expect(toolName("search_conversations")).toBe("Search conversations");
  expect(toolName("docs_get-page")).toBe("Docs get page");
});
