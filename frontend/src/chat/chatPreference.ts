const KEY = "parley.chat";
const BUILT_IN = "built-in";

/** Whether the user prefers ChatKit to the built-in chat. Kept in this browser. */
export function prefersChatKit(): boolean {
  try {
    return localStorage.getItem(KEY) !== BUILT_IN;
  } catch {
    return true; // The browser denies this page storage.
  }
}

export function savePreference(isChatKit: boolean) {
  try {
    if (isChatKit) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, BUILT_IN);
  } catch {
    // Without storage the preference lasts as long as the page.
  }
}
