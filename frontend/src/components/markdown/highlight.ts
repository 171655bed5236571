import { toJsxRuntime } from "hast-util-to-jsx-runtime";
import { createLowlight } from "lowlight";
import { Fragment, type ReactNode } from "react";
import { jsx, jsxs } from "react/jsx-runtime";
import type { Language } from "./languages";

/** Longer code takes too long to colour. */
const MAX_LENGTH = 40_000;

const lowlight = createLowlight();

export async function highlight(text: string, { name, load }: Language): Promise<ReactNode> {
  if (text.length > MAX_LENGTH) return text;
  const key = name.toLowerCase();
  if (!lowlight.registered(key)) lowlight.register(key, (await load()).default);
  return toJsxRuntime(lowlight.highlight(key, text), { Fragment, jsx, jsxs });
}
