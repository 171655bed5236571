"use client";

import Link from "next/link";
import { lazy, Suspense, useEffect, useState } from "react";
import { toApiError, type ApiError } from "@/services/errors";
import { readShared } from "@/services/shared";
import type { SharedSnapshot } from "@/services/types";
import { Brand } from "@/components/ui/Brand";
import { StatusPage } from "@/components/ui/StatusPage";
import styles from "./SharedConversation.module.css";
import { prettyText } from "@/components/chat/toolText";

const Markdown = lazy(() => import("../markdown/Markdown"));

type SharedMessage = SharedSnapshot["messages"][number];

/** What a message has that did not end as it should. */
const ENDINGS: Partial<Record<SharedMessage["status"], string>> = {
  failed: "This answer failed.",
  cancelled: "This answer was stopped.",
  interrupted: "This answer was interrupted.",
  waiting_approval: "This answer was waiting for approval.",
};

interface SharedConversationProps {
  apiUrl: string;
  token: string;
}

/** For anyone with the link. What it shows is the conversation as it was when it was shared. */
export function SharedConversation({ apiUrl, token }: SharedConversationProps) {
  const [snapshot, setSnapshot] = useState<SharedSnapshot | null>(null);
  const [problem, setProblem] = useState<ApiError | null>(null);

  function read(cursor?: string | null) {
    setProblem(null);
    readShared(apiUrl, token, cursor).then(
      (page) =>
        setSnapshot((known) =>
          known && cursor ? { ...page, messages: [...known.messages, ...page.messages] } : page,
        ),
      (failure: unknown) => setProblem(toApiError(failure)),
    );
  }

  useEffect(() => {
    readShared(apiUrl, token).then(setSnapshot, (failure: unknown) =>
      setProblem(toApiError(failure)),
    );
  }, [apiUrl, token]);

  if (!snapshot) return <Unread problem={problem} onRetry={() => read()} />;
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <Brand />
        <Link href="/" prefetch={false} className="button secondary small">
          Start your own
        </Link>
      </header>
      <main className={styles.main}>
        <h1 dir="auto">{snapshot.title}</h1>
        <p className={styles.hint}>
          Shared {new Date(snapshot.shared_at).toLocaleDateString([], { dateStyle: "long" })}. It
          shows the conversation as it was then.
        </p>
        {snapshot.messages.map((message, index) => (
          <Message key={index} message={message} />
        ))}
        {problem && (
          <p className="alert" role="alert">
            {problem.message}
          </p>
        )}
        {snapshot.has_more && (
          <button
            type="button"
            className="button secondary"
            onClick={() => read(snapshot.next_cursor)}
          >
            Show more
          </button>
        )}
      </main>
    </div>
  );
}

function Unread({ problem, onRetry }: { problem: ApiError | null; onRetry: () => void }) {
  if (!problem) {
    return (
      <main className={styles.main}>
        <p className={styles.hint}>Loading…</p>
      </main>
    );
  }
  if (problem.isMissing) {
    return (
      <StatusPage
        title="Nothing is shared here"
        text="The link is not complete, or it is no longer valid."
      />
    );
  }
  return (
    <StatusPage title="This cannot be shown now" text={problem.message}>
      <button type="button" className="button" onClick={onRetry}>
        Try again
      </button>
    </StatusPage>
  );
}

function Message({ message: { role, status, content, tool_calls } }: { message: SharedMessage }) {
  const isUser = role === "user";
  return (
    <article className={isUser ? styles.user : styles.assistant}>
      <h2 className="visually-hidden">{isUser ? "Question" : "Answer"}</h2>
      {tool_calls.map((call, index) => (
        <Tool key={index} call={call} />
      ))}
      {isUser ? (
        <p className={styles.bubble} dir="auto">
          {content}
        </p>
      ) : (
        content && (
          <Suspense
            fallback={
              <p className={styles.plain} dir="auto">
                {content}
              </p>
            }
          >
            <Markdown text={content} />
          </Suspense>
        )
      )}
      {ENDINGS[status] && <p className={styles.hint}>{ENDINGS[status]}</p>}
    </article>
  );
}

function Tool({ call }: { call: SharedMessage["tool_calls"][number] }) {
  const { name, arguments: given, output } = call;
  if (given == null && output == null) return <p className={styles.tool}>Used {name}</p>;
  return (
    <details className={styles.tool}>
      <summary>Used {name}</summary>
      {given != null && <pre tabIndex={0}>{prettyText(given)}</pre>}
      {output != null && <pre tabIndex={0}>{prettyText(output)}</pre>}
    </details>
  );
}
