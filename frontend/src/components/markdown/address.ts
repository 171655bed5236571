import type { Extension as FromMarkdown } from "mdast-util-from-markdown";
import type { Extension } from "micromark-util-types";
import { measured } from "./measured";

declare module "micromark-util-types" {
  interface TokenTypeMap {
    bareAddress: "bareAddress";
    bareAddressLine: "bareAddressLine";
  }
}

const WEB = /^(?:https?:\/\/|www\.)[\w-]+(?:\.[\w-]+)*(?::\d+)?(?:[/?#].*)?/i;
const EMAIL = /^[\w.+-]+@[a-z\d][\w-]*(?:\.[\w-]*[a-z\d])+(?![\w-])/i;
const TRAIL = /(?:[!"'*,.:;?_~]|&[a-z\d]{1,30};)$/i;
const WEB_START = /^(?:https?:\/\/|www\.)/i;
const WEB_PATH = /^(?:https?:\/\/)?[^/?#]*[/?#]/i;
const WEB_CHARACTER = /[!#-;=?-Z^_a-{|}~]/;
const HOST_CHARACTER = /[\w.:/?#-]/;
const OTHER_CHARACTER = /[\w.+@:/-]/;
const MAX_LENGTH = 2_000;
const MAX_OTHER = 254;

/**
 * Web and mail addresses that stand in a text by themselves. The constructs of GitHub's flavour go on until the next
 * space, which makes one dead link of `https://example.com，谢谢`: an address consists of ASCII characters.
 */
const construct = measured({
  type: "bareAddress",
  lineType: "bareAddressLine",
  previous: (code) =>
    code === null || !/[a-z\d.+/@-]/i.test(String.fromCharCode(Math.max(code, 0))),
  readsOn(text, code) {
    const character = String.fromCharCode(Math.max(code, 0));
    // What has not begun as a web address can only be one of mail, and most words are neither.
    if (!WEB_START.test(text)) return text.length < MAX_OTHER && OTHER_CHARACTER.test(character);
    const allowed = WEB_PATH.test(text) ? WEB_CHARACTER : HOST_CHARACTER;
    return text.length < MAX_LENGTH && allowed.test(character);
  },
  length: addressLength,
});

function addressLength(text: string): number {
  const web = WEB.exec(text)?.[0];
  if (web) return withoutTrail(web).length;
  return EMAIL.exec(text)?.[0].length ?? 0;
}

/** Without punctuation that belongs to the sentence, such as the bracket around an address. */
function withoutTrail(address: string): string {
  for (let rest = address; ;) {
    const isUnbalanced = rest.endsWith(")") && rest.split(")").length > rest.split("(").length;
    const shorter = isUnbalanced ? rest.slice(0, -1) : rest.replace(TRAIL, "");
    if (shorter === rest) return rest;
    rest = shorter;
  }
}

const START = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"];

export const address: Extension = {
  text: Object.fromEntries(START.map((start) => [start.charCodeAt(0), construct])),
};

function urlOf(text: string): string {
  if (/^https?:/i.test(text)) return text;
  return /^www\./i.test(text) ? `https://${text}` : `mailto:${text}`;
}

export const addressFromMarkdown: FromMarkdown = {
  enter: {
    bareAddress(token) {
      this.enter({ type: "link", title: null, url: "", children: [] }, token);
    },
  },
  exit: {
    bareAddress(token) {
      const value = this.sliceSerialize(token);
      const link = this.stack.at(-1);
      const outer = this.stack.slice(0, -1);
      this.exit(token);
      if (link?.type !== "link") return;
      const isInLink = outer.some(({ type }) => type === "link" || type === "linkReference");
      if (isInLink) Object.assign(link, { type: "text", value, children: undefined });
      else Object.assign(link, { url: urlOf(value), children: [{ type: "text", value }] });
    },
  },
};
