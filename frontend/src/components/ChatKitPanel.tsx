import { ChatKit, useChatKit, type ThemeOption } from "@openai/chatkit-react";
import { useEffect, useLayoutEffect, useState } from "react";
import { useColorScheme } from "@/hooks/useColorScheme";
import type { ChatApi } from "@/services/chat_api";
import { ChatKitApi } from "@/services/chatkit_api";
import { startChatKit, watchFrame, type ChatKitFailure } from "@/services/chatkit_loader";
import type { Model } from "@/services/types";
import type { User } from "./ChatInterface";
import styles from "./ChatKitPanel.module.css";
import { greeting, STARTERS } from "./EmptyState";
import { MessageSkeleton } from "./MessageList";
import { PanelHeader } from "./PanelHeader";

export interface ChatKitPanelProps {
  api: ChatApi;
  domainKey: string;
  user: User;
  conversationId: string | null;
  /** Changes whenever another conversation is opened, be it a new one after a new one. */
  view: number;
  title: string | null;
  draft: string;
  onDraft: (draft: string) => void;
  /** A turn has begun or ended in the open conversation, which may be new. */
  onTurn: (conversationId: string) => void;
  /** Another conversation was opened, or a new one. */
  onOpen: (conversationId: string | null) => void;
  /** Conversations were renamed or deleted. */
  onList: () => void;
  onFailure: (failure: ChatKitFailure) => void;
  onMenu: () => void;
}

/** The colours of the page as they are now. */
function themeOf(colorScheme: "light" | "dark"): ThemeOption {
  const page = getComputedStyle(document.documentElement);
  const color = (name: string) => page.getPropertyValue(name).trim();
  return {
    colorScheme,
    radius: "round",
    typography: { fontFamily: color("--font-sans") },
    color: {
      accent: { primary: color("--accent"), level: 1 },
      surface: { background: color("--background"), foreground: color("--text") },
    },
  };
}

function useModels(api: ChatApi): Model[] {
  const [models, setModels] = useState<Model[]>([]);
  useEffect(() => {
    // Without a list there is nothing to pick, and the default answers.
    api.listModels().then(setModels, () => undefined);
  }, [api]);
  return models;
}

/** The callbacks of the first render count. */
export function ChatKitPanel(props: ChatKitPanelProps) {
  const { api, conversationId, view, draft, onDraft, onTurn, onList, onOpen, onFailure } = props;
  const [isReady, setReady] = useState(false);
  const [initialThread] = useState(conversationId);
  const [kit] = useState(() => new ChatKitApi(api, conversationId, { onTurn, onList }));
  const models = useModels(api);
  const colorScheme = useColorScheme();

  const { control, ref, setThreadId, setComposerValue } = useChatKit({
    api: { url: api.chatKitUrl, domainKey: props.domainKey, fetch: kit.fetch },
    theme: themeOf(colorScheme),
    initialThread,
    header: { title: { enabled: false } }, // the page's own header has it
    history: { enabled: true, showRename: true, showDelete: true },
    startScreen: {
      greeting: greeting(props.user.name),
      prompts: STARTERS.map((starter) => ({ label: starter, prompt: starter })),
    },
    threadItemActions: { feedback: true, retry: true },
    thread: { autoScroll: true },
    composer: {
      placeholder: "Write a message",
      attachments: { enabled: false },
      dictation: { enabled: false },
      ...(models.length > 1 && {
        models: models.map(({ id }, index) => ({ id, label: id, default: index === 0 })),
      }),
    },
    // A tool that nobody answers would hold the turn up for ever.
    onClientTool: ({ name }) => ({ error: `This page has no tool named ${name}.` }),
    onThreadChange: ({ threadId }) => {
      // Until then nobody can have chosen another.
      if (isReady && kit.show(threadId)) onOpen(threadId);
    },
  });

  useEffect(() => {
    const element = ref.current!;
    let isGone = false;
    let endWatch: () => void = () => undefined;
    startChatKit(element).then(
      () => {
        if (isGone) return;
        setReady(true);
        endWatch = watchFrame(element, onFailure);
      },
      (failure: ChatKitFailure) => isGone || onFailure(failure),
    );
    return () => {
      isGone = true;
      endWatch();
    };
  }, [ref, onFailure]);

  useEffect(() => {
    // Where that fails ChatKit says so itself.
    if (isReady && kit.open(conversationId)) setThreadId(conversationId).catch(() => undefined);
  }, [isReady, kit, conversationId, view, setThreadId]);

  // What was written in the built-in chat goes on here.
  useEffect(() => {
    if (isReady && draft)
      setComposerValue({ text: draft }).then(
        () => onDraft(""),
        () => undefined,
      );
  }, [isReady, draft, onDraft, setComposerValue]);

  useLayoutEffect(() => {
    kit.enter();
    return () => kit.leave();
  }, [kit]);

  return (
    <main id="conversation" tabIndex={-1} className={styles.panel}>
      <PanelHeader title={props.title} conversationId={conversationId} onMenu={props.onMenu} />
      <div className={styles.stage}>
        {!isReady && (
          <div className={styles.waiting}>
            <MessageSkeleton />
          </div>
        )}
        <ChatKit control={control} className={styles.element} />
      </div>
    </main>
  );
}
