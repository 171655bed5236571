/**
 * Defines a stand-in for OpenAI's element, which only OpenAI's host serves. It follows the published types of
 * @openai/chatkit 1.9.0 and the protocol; tests with it show nothing else about the real element.
 *
 * The page receives this function's source as its script, so it must not refer to anything outside.
 */
export function defineStandIn() {
  interface Part {
    text: string;
  }
  interface Item {
    id: string;
    type: string;
    content?: Part[];
  }
  interface Update {
    type: string;
    delta?: string;
    content?: Part;
    content_index?: number;
  }
  interface StreamEvent {
    type: string;
    thread?: { id: string };
    item?: Item;
    item_id?: string;
    update?: Update;
    message?: string;
  }
  interface Options {
    api: { url: string; fetch: typeof fetch };
    theme: { colorScheme: string; color: { surface: { background: string; foreground: string } } };
    initialThread: string | null;
    startScreen: { greeting: string; prompts: { label: string; prompt: string }[] };
    composer: { models?: { id: string; label: string; default: boolean }[] };
  }

  const FRAME = "https://cdn.platform.openai.com/deployments/chatkit/index.html";

  class StandIn extends HTMLElement {
    #options: Options | null = null;
    #threadId: string | null = null;
    #items: Item[] = [];
    #stop: AbortController | null = null;
    readonly #root = this.attachShadow({ mode: "open" });

    setOptions(options: Options) {
      const isFirst = !this.#options;
      this.#options = options;
      if (isFirst) this.#start(options);
      this.#show();
    }

    async setThreadId(threadId: string | null) {
      await this.#open(threadId);
    }

    async setComposerValue({ text }: { text: string }) {
      this.#find<HTMLTextAreaElement>("textarea").value = text;
    }

    /** Becomes ready when its frame is loaded, like the real element. */
    #start({ startScreen, initialThread }: Options) {
      this.#root.innerHTML = `
        <style>
          :host { display: flex !important; flex-direction: column; padding: 1rem; box-sizing: border-box; }
          [role="log"], ul { flex: 1; overflow: auto; }
          form { display: flex; gap: 0.5rem; }
          textarea { flex: 1; }
          iframe { display: none; }
        </style>
        <p><strong>This is a stand-in for ChatKit.</strong></p>
        <p id="notice" role="status"></p>
        <p><button id="history">History</button> <button id="new">New thread</button></p>
        <ul id="threads" hidden></ul>
        <div role="log" aria-label="Thread" tabindex="0"></div>
        <div id="start"><h2></h2></div>
        <form>
          <select aria-label="Model" hidden></select>
          <textarea aria-label="Message ChatKit"></textarea>
          <button>Send to ChatKit</button>
          <button type="button" id="stop" hidden>Stop ChatKit</button>
        </form>
        <iframe title="ChatKit" src="${FRAME}"></iframe>`;
      this.#find("h2").textContent = startScreen.greeting;
      for (const { label, prompt } of startScreen.prompts) {
        this.#find("#start").append(this.#button(label, () => this.#send(prompt)));
      }
      this.#find("#history").onclick = () => this.#listThreads();
      this.#find("#new").onclick = () => this.#open(null);
      this.#find("#stop").onclick = () => this.#stop?.abort();
      this.#find("form").onsubmit = (event) => {
        event.preventDefault();
        const composer = this.#find<HTMLTextAreaElement>("textarea");
        void this.#send(composer.value);
        composer.value = "";
      };
      this.#find("iframe").onload = async () => {
        this.#emit("chatkit.ready");
        if (initialThread) await this.#open(initialThread);
      };
    }

    #show() {
      const { theme, composer } = this.#options!;
      this.dataset.scheme = theme.colorScheme;
      this.style.background = theme.color.surface.background;
      this.style.color = theme.color.surface.foreground;
      const select = this.#find<HTMLSelectElement>("select");
      const models = composer.models ?? [];
      select.hidden = models.length === 0;
      if (select.options.length !== models.length) {
        select.replaceChildren(...models.map(({ id, label }) => new Option(label, id)));
        select.value = models.find((model) => model.default)?.id ?? "";
      }
      this.#find("#start").hidden = this.#items.length > 0 || this.#threadId !== null;
      this.#find("#stop").hidden = this.#stop === null;
      this.#find("[role=log]").replaceChildren(...this.#items.map((item) => this.#article(item)));
    }

    #article(item: Item) {
      const article = document.createElement("article");
      article.dataset.type = item.type;
      const text = document.createElement("p");
      text.textContent = (item.content ?? []).map((part) => part.text).join("");
      article.append(text);
      if (item.type === "assistant_message") {
        const rate = (kind: string) => () => this.#rate(item.id, kind);
        article.append(
          this.#button("Good response", rate("positive")),
          this.#button("Bad response", rate("negative")),
          this.#button("Retry with ChatKit", () => this.#retry()),
        );
      }
      return article;
    }

    #find<T extends HTMLElement>(selector: string) {
      return this.#root.querySelector<T>(selector)!;
    }

    #button(label: string, onClick: () => unknown) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.onclick = onClick;
      return button;
    }

    #emit(name: string, detail?: object) {
      this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    #request(type: string, params: object, signal?: AbortSignal) {
      const { url, fetch } = this.#options!.api;
      const headers = { "Content-Type": "application/json" };
      return fetch(url, {
        method: "POST",
        headers,
        body: JSON.stringify({ type, params }),
        signal,
      });
    }

    async #open(threadId: string | null) {
      this.#stop?.abort();
      this.#threadId = threadId;
      this.#items = [];
      this.#find("#threads").hidden = true;
      this.#emit("chatkit.thread.change", { threadId });
      if (threadId) {
        this.#emit("chatkit.thread.load.start", { threadId });
        const response = await this.#request("threads.get_by_id", { thread_id: threadId });
        this.#items = (await response.json()).items.data;
        this.#emit("chatkit.thread.load.end", { threadId });
      }
      this.#show();
    }

    #send(text: string) {
      const model = this.#find<HTMLSelectElement>("select").value || null;
      const input = {
        content: [{ type: "input_text", text }],
        attachments: [],
        inference_options: { model },
      };
      return this.#threadId
        ? this.#stream("threads.add_user_message", { thread_id: this.#threadId, input })
        : this.#stream("threads.create", { input });
    }

    #retry() {
      const question = this.#items.findLast(({ type }) => type === "user_message")!;
      const params = { thread_id: this.#threadId, item_id: question.id };
      this.#items = this.#items.slice(0, this.#items.indexOf(question) + 1);
      return this.#stream("threads.retry_after_item", params);
    }

    async #rate(itemId: string, kind: string) {
      const params = { thread_id: this.#threadId, item_ids: [itemId], kind };
      const { ok } = await this.#request("items.feedback", params);
      this.#find("#notice").textContent = ok ? "Thank you" : "That went wrong";
    }

    async #stream(type: string, params: object) {
      this.#stop = new AbortController();
      const { signal } = this.#stop;
      this.#find("#notice").textContent = "";
      this.#show();
      this.#emit("chatkit.response.start");
      try {
        const response = await this.#request(type, params, signal);
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
        let buffer = "";
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const frames = (buffer += value).split("\n\n");
          buffer = frames.pop()!;
          for (const frame of frames) this.#take(JSON.parse(frame.replace("data: ", "")));
          this.#show();
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      if (this.#stop?.signal === signal) this.#stop = null;
      this.#emit("chatkit.response.end");
      this.#show();
    }

    #take(event: StreamEvent) {
      const at = this.#items.findIndex(({ id }) => id === (event.item?.id ?? event.item_id));
      switch (event.type) {
        case "thread.created":
          this.#threadId = event.thread!.id;
          this.#emit("chatkit.thread.change", { threadId: this.#threadId });
          break;
        case "thread.item.added":
        case "thread.item.done":
        case "thread.item.replaced":
          this.#items.splice(at < 0 ? this.#items.length : at, 1, event.item!);
          break;
        case "thread.item.removed":
          if (at >= 0) this.#items.splice(at, 1);
          break;
        case "thread.item.updated":
          this.#update(this.#items[at]!, event.update!);
          break;
        case "error":
        case "notice":
          this.#find("#notice").textContent = event.message!;
      }
    }

    #update(item: Item, { type, delta, content, content_index: index = 0 }: Update) {
      if (type === "assistant_message.content_part.added") item.content![index] = content!;
      if (type === "assistant_message.content_part.text_delta") item.content![index]!.text += delta;
    }

    async #listThreads() {
      const response = await this.#request("threads.list", { limit: 20, order: "desc" });
      const { data } = (await response.json()) as { data: { id: string; title: string }[] };
      const rows = data.map(({ id, title }) => {
        const row = document.createElement("li");
        const change = async (type: string, params: object) => {
          await this.#request(type, { thread_id: id, ...params });
          if (type === "threads.delete" && id === this.#threadId) await this.#open(null);
          await this.#listThreads();
        };
        row.append(
          this.#button(`Open ${title}`, () => this.#open(id)),
          this.#button(`Retitle ${title}`, () =>
            change("threads.update", { title: "From ChatKit" }),
          ),
          this.#button(`Remove ${title}`, () => change("threads.delete", {})),
        );
        return row;
      });
      this.#find("#threads").replaceChildren(...rows);
      this.#find("#threads").hidden = false;
    }
  }

  customElements.define("openai-chatkit", StandIn);
}
