const KEY = "parley.chat";
const BUILT_IN = "built-in";

/** Whether a person prefers ChatKit, where there is a choice; kept on this device. */
export function prefersChatKit(): boolean {
  try {
    return localStorage.getItem(KEY) !== BUILT_IN;
  } catch {
    return true; // the browser keeps nothing for this page
  }
}

export function rememberChoice(isChatKit: boolean) {
  try {
    if (isChatKit) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, BUILT_IN);
  } catch {
    // then it holds for this page
  }
}
