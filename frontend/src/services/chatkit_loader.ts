const HOST = "cdn.platform.openai.com";
const SCRIPT = `https://${HOST}/deployments/chatkit/chatkit.js`;
const ELEMENT = "openai-chatkit";
const SCRIPT_WITHIN_MS = 8_000;
const READY_WITHIN_MS = 12_000;
const FRAME_BACK_WITHIN_MS = 1_000;

/** Why ChatKit is not there, in words for the person and for who runs this page. */
export class ChatKitFailure extends Error {
  readonly advice: string;

  constructor(message: string, advice: string) {
    super(message);
    this.name = "ChatKitFailure";
    this.advice = advice;
  }
}

const noScript = (how: string) =>
  new ChatKitFailure(
    `ChatKit could not be loaded: its script did not come from ${HOST}${how}.`,
    "allow that host",
  );

const noElement = () =>
  new ChatKitFailure(
    `ChatKit could not be loaded: what came from ${HOST} was not ChatKit.`,
    "look what answers in place of that host",
  );

const notStarted = (why: string) =>
  new ChatKitFailure(
    `ChatKit was loaded but did not start: ${why}.`,
    "look whether this page's domain is registered for CHATKIT_DOMAIN_KEY",
  );

/**
 * Loads ChatKit's script and waits until the element is ready. Without its script the element stays empty
 * and says nothing. It has to be in the page; its events count from the call on.
 */
export async function startChatKit(element: HTMLElement): Promise<void> {
  const started = new Promise<void>((resolve, reject) => {
    element.addEventListener("chatkit.ready", () => resolve());
    element.addEventListener("chatkit.error", (event) => {
      const { error } = (event as CustomEvent<{ error: Error }>).detail;
      reject(notStarted(error.message ?? String(error)));
    });
  });
  started.catch(() => undefined); // it may fail before anybody waits for it
  await (loading ??= loadScript());
  const silence = new Promise<never>((_, reject) => {
    setTimeout(() => reject(notStarted("it was silent for 12 seconds")), READY_WITHIN_MS);
  });
  return Promise.race([started, silence]);
}

/**
 * Tells when an element that was ready takes its frame away and stays blank, as it may where the page's domain
 * is refused. Returns what ends the watch. A frame that cannot be seen is not watched.
 */
export function watchFrame(element: HTMLElement, onGone: (failure: ChatKitFailure) => void) {
  const root = element.shadowRoot;
  const hasFrame = () => root?.querySelector("iframe") != null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const observer = new MutationObserver(() => {
    clearTimeout(timer);
    if (hasFrame()) return;
    const failure = notStarted("it took its frame away again");
    timer = setTimeout(() => onGone(failure), FRAME_BACK_WITHIN_MS);
  });
  if (root && hasFrame()) observer.observe(root, { childList: true, subtree: true });
  return () => {
    observer.disconnect();
    clearTimeout(timer);
  };
}

/** Of the page, not of one element: a script runs once. */
let loading: Promise<void> | null = null;

function loadScript(): Promise<void> {
  const script = document.createElement("script");
  const loaded = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(noScript(" within 8 seconds")), SCRIPT_WITHIN_MS);
    const end = (failure: ChatKitFailure | null) => {
      clearTimeout(timer);
      if (failure) reject(failure);
      else resolve();
    };
    script.onerror = () => end(noScript(""));
    script.onload = () => end(customElements.get(ELEMENT) ? null : noElement());
  });
  script.src = SCRIPT;
  document.head.append(script);
  return loaded.catch((error: unknown) => {
    script.remove();
    loading = null; // the next one may fare better
    throw error;
  });
}
