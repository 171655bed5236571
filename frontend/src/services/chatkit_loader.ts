const HOST = "cdn.platform.openai.com";
const SCRIPT = `https://${HOST}/deployments/chatkit/chatkit.js`;
const ELEMENT = "openai-chatkit";
const SCRIPT_WITHIN_MS = 8_000;
const READY_WITHIN_MS = 12_000;
const FRAME_BACK_WITHIN_MS = 1_000;

/** Why ChatKit is missing: a message for the user and advice for the operator. */
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
    "check what responds in place of that host",
  );

const notStarted = (why: string) =>
  new ChatKitFailure(
    `ChatKit was loaded but did not start: ${why}.`,
    "check whether this page's domain is registered for CHATKIT_DOMAIN_KEY",
  );

/** An element reports only once that it is ready, but in development React asks twice. */
const starting = new WeakMap<HTMLElement, Promise<void>>();

/**
 * Loads ChatKit's script and waits until the element is ready. The element must be in the page. Without its
 * script it would stay empty and report nothing.
 */
export function startChatKit(element: HTMLElement): Promise<void> {
  const start = starting.get(element) ?? startElement(element);
  starting.set(element, start);
  return start;
}

async function startElement(element: HTMLElement): Promise<void> {
  const started = new Promise<void>((resolve, reject) => {
    element.addEventListener("chatkit.ready", () => resolve());
    element.addEventListener("chatkit.error", (event) => {
      const { error } = (event as CustomEvent<{ error: Error }>).detail;
      reject(notStarted(error.message ?? String(error)));
    });
  });
  started.catch(() => undefined); // It may fail while the script is still loading.
  await (loading ??= loadScript());
  const silence = new Promise<never>((_, reject) => {
    setTimeout(() => reject(notStarted("it was silent for 12 seconds")), READY_WITHIN_MS);
  });
  return Promise.race([started, silence]);
}

/**
 * Reports when a ready element removes its frame and stays blank, as it may if the page's domain is rejected.
 * Returns a function that stops watching. An element whose frame is not accessible is not watched.
 */
export function watchFrame(element: HTMLElement, onGone: (failure: ChatKitFailure) => void) {
  const root = element.shadowRoot;
  const hasFrame = () => root?.querySelector("iframe") != null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const observer = new MutationObserver(() => {
    clearTimeout(timer);
    if (hasFrame()) return;
    const failure = notStarted("it removed its frame");
    timer = setTimeout(() => onGone(failure), FRAME_BACK_WITHIN_MS);
  });
  if (root && hasFrame()) observer.observe(root, { childList: true, subtree: true });
  return () => {
    observer.disconnect();
    clearTimeout(timer);
  };
}

/** Shared by all elements of the page, because a script runs once. */
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
    loading = null; // The next element tries again.
    throw error;
  });
}
