import { render, screen } from "@testing-library/react";
import Markdown from "./Markdown";

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
  "<script>window.hacked = true</script>",
  '<img src="x" onerror="window.hacked = true">',
  '<iframe src="https://example.com"></iframe>',
  '<a href="javascript:alert(1)">x</a>',
  "<style>body { display: none }</style>",
  '<form action="https://example.com"><input name="q"></form>',
  "![a pixel](https://example.com/pixel.png)",
])("keeps %s inert", (text) => {
  const { container } = render(<Markdown text={text} />);
  expect(container.querySelector("script, img, iframe, a, style, form, input")).toBeNull();
  expect(window).not.toHaveProperty("hacked");
});

test("names an image instead of loading it", () => {
  render(<Markdown text="![a cat](https://example.com/cat.png)" />);
  expect(screen.getByText("[image: a cat]")).toBeVisible();
});
