import "server-only";

type Values = Record<string, unknown>;

/** Better Auth's names for a page to go on to: `callbackURL`, `errorCallbackURL`, `redirectTo`, `redirect_uri`. */
const NAMES_A_PAGE = /(?:ur[il]|redirect_?to)$/i;

/** The path of a page of this site, or nothing if a browser could understand it as another site's. */
export function pathOnSite(value: unknown, siteUrl: string): string | undefined {
  if (typeof value !== "string" || !URL.canParse(value, siteUrl)) return undefined;
  const { origin, pathname, search, hash } = new URL(value, siteUrl);
  // `/.//evil.example` is a path here, but read once more it is a host.
  const isPath = /^\/(?![/\\])/.test(pathname);
  return isPath && origin === new URL(siteUrl).origin ? pathname + search + hash : undefined;
}

/** The parameters with each page as a path, and the name of the first that is none of this site's. */
export function pagesOnSite(values: Values, siteUrl: string): { pages: Values; strange?: string } {
  const pages: Values = {};
  for (const [name, value] of Object.entries(values)) {
    if (!NAMES_A_PAGE.test(name) || value === undefined || value === null || value === "") continue;
    pages[name] = pathOnSite(value, siteUrl);
    if (pages[name] === undefined) return { pages: {}, strange: name };
  }
  return { pages };
}
