/** @jest-environment-options {"customExportConditions": ["development", "browser"]} */

import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { CORPUS } from "@/testing/markdownCorpus";
import Markdown from "./Markdown";

/** What is seen of a text, without the names of code blocks and the numbers of footnotes. */
function visible(container: Element): string {
  const copy = container.cloneNode(true) as Element;
  for (const formula of copy.querySelectorAll(".katex")) {
    formula.textContent = formula.querySelector("annotation")?.textContent ?? "";
  }
  for (const added of copy.querySelectorAll("figcaption, sup")) added.remove();
  return (copy.textContent ?? "").replace(/\s+/g, "");
}

/** What is loaded when it is needed is there. */
const loaded = () => act(() => new Promise<void>((resolve) => setTimeout(resolve)));

beforeAll(async () => {
  await import("./FormulaView");
  await import("./highlight");
  await import("highlight.js/lib/languages/python");
});

test.each(CORPUS)("shows all that is said in $language", async ({ texts }) => {
  for (const [source, expected] of texts) {
    const { container, unmount } = render(<Markdown text={source} />);
    await loaded();
    expect(visible(container)).toBe(expected.replace(/\s+/g, ""));
    unmount();
  }
});

test("renders the usual markdown of answers", () => {
  const { container } = render(
    <Markdown text={"# Title\n\nSome **bold** text.\n\n- one\n- two\n\n| a |\n| - |\n| 1 |\n"} />,
  );
  expect(screen.getByRole("heading", { level: 3, name: "Title" })).toBeVisible();
  expect(screen.getByText("bold").tagName).toBe("STRONG");
  expect(screen.getAllByRole("listitem")).toHaveLength(2);
  expect(screen.getByRole("table")).toBeVisible();
  expect(container.querySelector("h1, h2")).toBeNull();
});

test("long lists and tables are shown as short ones are", () => {
  const lines = (line: (index: number) => string) =>
    Array.from({ length: 100 }, (_, index) => line(index)).join("\n");
  const { container } = render(
    <Markdown
      text={`${lines((index) => `${index + 3}. **x**`)}\n\n| a |\n| -: |\n${lines((index) => `| ${index} |`)}`}
    />,
  );
  expect(container.querySelector("ol")).toHaveAttribute("start", "3");
  expect(container.querySelectorAll("ol > li > strong")).toHaveLength(100);
  expect(container.querySelectorAll("thead > tr > th")).toHaveLength(1);
  const cells = [...container.querySelectorAll("tbody > tr > td")].map((cell) => cell.textContent);
  expect(cells).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
});

test("opens web links in a new tab, and links to nothing else", () => {
  render(
    <Markdown text="[a](https://example.com) [b](javascript:alert(1)) [c](/chat) [d](data:text/html,x)" />,
  );
  const links = screen.getAllByRole("link");
  expect(links).toHaveLength(1);
  expect(links[0]).toHaveAttribute("href", "https://example.com");
  expect(links[0]).toHaveAttribute("rel", "noopener nofollow");
  expect(links[0]).toHaveAttribute("target", "_blank");
});

test("opens the user's own conversations in the same tab", () => {
  const path = "/chat/0193c4b2-7f6e-7cc1-9f8e-8d3f5c0e4a11";
  render(
    <Markdown text={`[a](${path}) [b](/chat/x) [c](//chat/${path}) [d](${path}/../../api)`} />,
  );
  const links = screen.getAllByRole("link");
  expect(links).toHaveLength(1);
  expect(links[0]).toHaveAttribute("href", path);
  expect(links[0]).not.toHaveAttribute("target");
});

test.each([
  ["https://example.com/a，谢谢", "https://example.com/a", "https://example.com/a"],
  ["看https://example.com/a。", "https://example.com/a", "https://example.com/a"],
  ["(see www.example.com/b_(c)).", "www.example.com/b_(c)", "https://www.example.com/b_(c)"],
  ["**https://example.com/x?y=1&z**", "https://example.com/x?y=1&z", "https://example.com/x?y=1&z"],
  ["писать на a.b@example.com.", "a.b@example.com", "mailto:a.b@example.com"],
  ["[https://a.com](https://b.com)", "https://a.com", "https://b.com"],
])("links the address in %s", (text, name, href) => {
  render(<Markdown text={text} />);
  expect(screen.getAllByRole("link")).toHaveLength(1);
  expect(screen.getByRole("link", { name })).toHaveAttribute("href", href);
});

test("links to what a later block defines, as soon as it does", () => {
  const { rerender } = render(<Markdown text={"See [the guide][1].\n\nAnd so on.\n\n"} />);
  expect(screen.queryByRole("link")).toBeNull();
  rerender(<Markdown text={"See [the guide][1].\n\nAnd so on.\n\n[1]: https://example.com\n"} />);
  expect(screen.getByRole("link", { name: "the guide" })).toHaveAttribute(
    "href",
    "https://example.com",
  );
});

test("numbers footnotes in the order of their references, and lists them last", () => {
  render(<Markdown text={"A[^b] b[^a].\n\n[^a]: Second\n\n[^b]: First\n\nEnd"} />);
  const notes = screen.getByRole("list", { name: "Footnotes" });
  expect([...notes.children].map((note) => note.textContent)).toEqual(["First", "Second"]);
  expect(screen.getByText("[1]").tagName).toBe("SUP");
});

test.each([
  "<script>window.hacked = true</script>",
  '<img src="x" onerror="window.hacked = true">',
  '<iframe src="/x"></iframe>',
  '<a href="javascript:alert(1)">x</a>',
  "<style>body { display: none }</style>",
  '<form action="/x"><input name="q"></form>',
  "<!-- a comment -->",
])("shows %s as the text that it is", (text) => {
  const { container } = render(<Markdown text={text} />);
  expect(container).toHaveTextContent(text);
  expect(container.querySelector("script, img, iframe, a, style, form, input")).toBeNull();
  expect(window).not.toHaveProperty("hacked");
});

test("names an image instead of loading it", () => {
  const { container } = render(<Markdown text="![a cat](https://example.com/cat.png)" />);
  expect(screen.getByText("[image: a cat]")).toBeVisible();
  expect(container.querySelector("img")).toBeNull();
});

test("shows the boxes of a task list", () => {
  render(<Markdown text={"- [x] done\n- [ ] not yet"} />);
  const [done, open] = screen.getAllByRole("checkbox");
  expect(done).toBeChecked();
  expect(open).not.toBeChecked();
  expect(open).toBeDisabled();
});

test("text has the direction of its letters, code runs from the left", async () => {
  const { container } = render(<Markdown text={"مرحبا `x`\n\n```py\nx\n```\n\n- שלום"} />);
  await loaded();
  expect(container.querySelector("p")).toHaveAttribute("dir", "auto");
  expect(container.querySelector("ul")).toHaveAttribute("dir", "auto");
  expect(screen.getByText("x", { selector: "p code" })).toHaveAttribute("dir", "ltr");
  expect(screen.getByRole("figure")).toHaveAttribute("dir", "ltr");
});

test("colours code once it is complete, names its language, and wraps its lines", async () => {
  const { container, rerender } = render(<Markdown text={"```python\ndef f(): pass\n"} />);
  expect(screen.getByText("Python")).toBeVisible();
  expect(container.querySelector("[class^=hljs]")).toBeNull();
  rerender(<Markdown text={"```python\ndef f(): pass\n```\n"} />);
  expect(await screen.findByText("def", { selector: ".hljs-keyword" })).toBeVisible();
  expect(container.querySelector("pre")).toHaveTextContent("def f(): pass");

  const wrap = screen.getByRole("button", { name: "Wrap long lines" });
  await userEvent.click(wrap);
  expect(wrap).toHaveAttribute("aria-pressed", "true");
});

test("code in an unknown language is shown as it is", () => {
  const { container } = render(<Markdown text={"```mermaid\ngraph TD; A-->B\n```"} />);
  expect(screen.getByText("mermaid")).toBeVisible();
  expect(container.querySelector("pre")).toHaveTextContent("graph TD; A-->B");
});

test.each([
  "$E = mc^2$",
  "\\(E = mc^2\\)",
  "$$\nE = mc^2\n$$",
  "\\[\nE = mc^2\n\\]",
  "```math\nE = mc^2\n```",
])("sets %j as maths", async (text) => {
  const { container } = render(<Markdown text={text} />);
  await screen.findByText("E = mc^2", { selector: "annotation" });
  expect(container.querySelector(".katex")).toBeInTheDocument();
});

test.each(["$5 and $10", "It costs $5 (US$), or 6$/day", "$HOME/$USER", "\\$5$", "US$3-$4"])(
  "%s is no maths",
  (text) => {
    const { container } = render(<Markdown text={text} />);
    expect(container.querySelector("code, .katex")).toBeNull();
  },
);

test("maths that KaTeX cannot read is shown as its source", async () => {
  const { container } = render(<Markdown text={"$\\frac{1$ and $x$"} />);
  await screen.findByText("x", { selector: "annotation" });
  expect(container.querySelector("code")).toHaveTextContent("$\\frac{1$");
});
