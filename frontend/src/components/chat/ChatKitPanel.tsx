import {
  ChatKit,
  useChatKit,
  type StartScreenOption,
  type ThemeOption,
} from "@openai/chatkit-react";
import { useEffect, useLayoutEffect, useState } from "react";
import { useChatKitElement } from "@/hooks/useChatKitElement";
import { useColorScheme } from "@/hooks/useColorScheme";
import type { User } from "@/lib/user";
import type { ChatApi } from "@/services/chat_api";
import { ChatKitApi } from "@/services/chatkit_api";
import type { ChatKitFailure } from "@/services/chatkit_loader";
import type { Model } from "@/services/types";
import styles from "./ChatKitPanel.module.css";
import { MessageSkeleton } from "./MessageSkeleton";
import { PanelHeader } from "./PanelHeader";
import { greeting, STARTERS } from "./starters";

export interface ChatKitPanelProps {
  api: ChatApi;
  domainKey: string;
  user: User;
  conversationId: string | null;
  /** Changes whenever another conversation is opened, even a new one after a new one. */
  view: number;
  title: string | null;
  models: Model[];
  /** What the user should know before they write. */
  notice: string | null;
  draft: string;
  onDraft: (draft: string) => void;
  /** A turn has started or ended in the open conversation, which may be new. */
  onTurn: (conversationId: string) => void;
  /** The user has opened another conversation, or a new one, in ChatKit. */
  onOpen: (conversationId: string | null) => void;
  /** Conversations were renamed or deleted. */
  onList: () => void;
  onFailure: (failure: ChatKitFailure) => void;
  onMenu: () => void;
}

/** The page's current colors. */
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

const startScreenOf = (user: User): StartScreenOption => ({
  greeting: greeting(user.name),
  prompts: STARTERS.map((starter) => ({ label: starter, prompt: starter })),
});

const composerOf = (models: Model[]) => ({
  placeholder: "Write a message",
  attachments: { enabled: false as const },
  dictation: { enabled: false },
  ...(models.length > 1 && {
    models: models.map(({ id }, index) => ({ id, label: id, default: index === 0 })),
  }),
});

/** Only the callbacks of the first render count. */
export function ChatKitPanel(props: ChatKitPanelProps) {
  const { api, conversationId, models, view, draft, onDraft, onTurn, onList, onOpen, onFailure } =
    props;
  const [isReady, setReady] = useState(false);
  const [initialThread] = useState(conversationId);
  const [kit] = useState(() => new ChatKitApi(api, conversationId, { onTurn, onList }));
  const colorScheme = useColorScheme();

  const { control, ref, setThreadId, setComposerValue } = useChatKit({
    api: { url: api.chatKitUrl, domainKey: props.domainKey, fetch: kit.fetch },
    theme: themeOf(colorScheme),
    initialThread,
    header: { title: { enabled: false } }, // The page has a header of its own.
    history: { enabled: true, showRename: true, showDelete: true },
    startScreen: startScreenOf(props.user),
    threadItemActions: { feedback: true, retry: true },
    thread: { autoScroll: true },
    composer: composerOf(models),
    // A turn would wait forever for a client tool that does not respond.
    onClientTool: ({ name }) => ({ error: `This page has no tool named ${name}.` }),
    onThreadChange: ({ threadId }) => {
      // Before ChatKit is ready, the user cannot have opened another thread.
      if (isReady && kit.show(threadId)) onOpen(threadId);
    },
  });
  useChatKitElement(ref, setReady, onFailure);

  useEffect(() => {
    // ChatKit itself reports a failure.
    if (isReady && kit.open(conversationId)) setThreadId(conversationId).catch(() => undefined);
  }, [isReady, kit, conversationId, view, setThreadId]);

  useEffect(() => {
    if (!isReady || !draft) return;
    // Moves the draft of the built-in chat to ChatKit.
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
      <PanelHeader
        title={props.title}
        conversationId={conversationId}
        models={models}
        onMenu={props.onMenu}
      />
      <div className={styles.content}>
        {!isReady && (
          <div className={styles.waiting}>
            <MessageSkeleton />
          </div>
        )}
        <ChatKit control={control} className={styles.element} />
      </div>
      {props.notice && <p className={`notice ${styles.notice}`}>{props.notice}</p>}
    </main>
  );
}
