const SCRIPT = "script[src='https://cdn.platform.openai.com/deployments/chatkit/chatkit.js']";

let isDefined: boolean;
let startChatKit: (element: HTMLElement) => Promise<void>;
let watchFrame: (element: HTMLElement, onGone: (failure: Error) => void) => () => void;

beforeEach(() => {
  jest.useFakeTimers();
  isDefined = false;
  jest.spyOn(customElements, "get").mockImplementation(() => (isDefined ? HTMLElement : undefined));
  // Each test needs a page of its own, because the script is loaded once per page.
  jest.isolateModules(() => {
    ({ startChatKit, watchFrame } = jest.requireActual("./chatkit_loader"));
  });
});

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  document.head.innerHTML = "";
});

const scripts = () => [...document.querySelectorAll(SCRIPT)];

function start() {
  const element = document.createElement("openai-chatkit");
  const ended = jest.fn();
  const outcome = startChatKit(element).then(
    () => "ready",
    (failure: Error & { advice: string }) => `${failure.message} (${failure.advice})`,
  );
  void outcome.then(ended);
  return { element, outcome, ended };
}

async function scriptCame({ withElement }: { withElement: boolean }) {
  isDefined = withElement;
  scripts().at(-1)!.dispatchEvent(new Event("load"));
  await jest.advanceTimersByTimeAsync(0);
}

test("an element is ready for everybody who started it, however late", async () => {
  const { element, outcome } = start();
  await scriptCame({ withElement: true });
  element.dispatchEvent(new Event("chatkit.ready"));
  await expect(outcome).resolves.toBe("ready");
  await startChatKit(element);
  expect(scripts()).toHaveLength(1);
});

test("a blocked script fails at once and is removed", async () => {
  const { outcome } = start();
  scripts()[0]!.dispatchEvent(new Event("error"));
  await expect(outcome).resolves.toBe(
    "ChatKit could not be loaded: its script did not come from cdn.platform.openai.com. (allow that host)",
  );
  expect(scripts()).toEqual([]);
});

test("a script that defines no element fails at once", async () => {
  const { outcome } = start();
  await scriptCame({ withElement: false });
  await expect(outcome).resolves.toContain("was not ChatKit. (check what responds in place");
});

test("a script that does not arrive fails after 8 seconds", async () => {
  const { outcome, ended } = start();
  await jest.advanceTimersByTimeAsync(7_999);
  expect(ended).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1);
  await expect(outcome).resolves.toContain("did not come from cdn.platform.openai.com within 8 s");
});

test("an element that never becomes ready fails 12 seconds after its script", async () => {
  const { outcome, ended } = start();
  await jest.advanceTimersByTimeAsync(5_000);
  await scriptCame({ withElement: true });
  await jest.advanceTimersByTimeAsync(11_999);
  expect(ended).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1);
  await expect(outcome).resolves.toMatch(/silent for 12 seconds.*domain is registered/);
});

test("an error before the element is ready fails with the error's message", async () => {
  const { element, outcome } = start();
  await scriptCame({ withElement: true });
  const detail = { error: new Error("Domain verification failed") };
  element.dispatchEvent(new CustomEvent("chatkit.error", { detail }));
  await expect(outcome).resolves.toContain("did not start: Domain verification failed.");
});

test("an element that becomes ready has started, whatever it reports later", async () => {
  const { element, outcome } = start();
  await scriptCame({ withElement: true });
  element.dispatchEvent(new CustomEvent("chatkit.ready"));
  const detail = { error: new Error("A stream broke") };
  element.dispatchEvent(new CustomEvent("chatkit.error", { detail }));
  await jest.advanceTimersByTimeAsync(20_000);
  await expect(outcome).resolves.toBe("ready");
});

test("the script is loaded once, and once more after a failure", async () => {
  const first = start();
  const second = start();
  expect(scripts()).toHaveLength(1);
  scripts()[0]!.dispatchEvent(new Event("error"));
  await Promise.all([first.outcome, second.outcome]);

  const third = start();
  expect(scripts()).toHaveLength(1);
  await scriptCame({ withElement: true });
  third.element.dispatchEvent(new CustomEvent("chatkit.ready"));
  await expect(third.outcome).resolves.toBe("ready");
  start();
  expect(scripts()).toHaveLength(1);
});

function watch() {
  const element = document.createElement("div");
  const root = element.attachShadow({ mode: "open" });
  root.innerHTML = "<div><iframe></iframe></div>";
  const onGone = jest.fn();
  const end = watchFrame(element, onGone);
  return { frame: root.querySelector("iframe")!, onGone, end };
}

test("an element that removes its frame fails, unless it replaces it", async () => {
  const { frame, onGone } = watch();
  const place = frame.parentElement!;
  frame.remove();
  await jest.advanceTimersByTimeAsync(500);
  place.append(frame);
  await jest.advanceTimersByTimeAsync(20_000);
  expect(onGone).not.toHaveBeenCalled();

  place.remove();
  await jest.advanceTimersByTimeAsync(1_000);
  const message = expect.stringContaining("did not start: it removed its frame.") as string;
  expect(onGone.mock.calls).toEqual([[expect.objectContaining({ message })]]);
});

test("a frame removed after watching has stopped is ignored", async () => {
  const { frame, onGone, end } = watch();
  frame.remove();
  await jest.advanceTimersByTimeAsync(500);
  end();
  await jest.advanceTimersByTimeAsync(20_000);
  expect(onGone).not.toHaveBeenCalled();
});
