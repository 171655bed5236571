import type { Metadata } from "next";
import { notFound, redirect } from "next/navigation";
import { ChatInterface } from "@/components/ChatInterface";
import { getUser } from "@/lib/auth";
import { config } from "@/lib/config";

export const metadata: Metadata = { title: "Chat" };

/** One route for /chat and /chat/{conversationId}, so that a new conversation keeps its components with its id. */
export default async function ChatPage({ params }: PageProps<"/chat/[[...path]]">) {
  const { path = [] } = await params;
  if (path.length > 1) notFound();
  const user = await getUser();
  if (!user) redirect("/sign-in");
  return (
    <ChatInterface
      addresses={{ apiUrl: config.apiUrl, streamUrl: config.streamUrl }}
      user={{ id: user.id, name: user.name, email: user.email }}
      chatKitDomainKey={config.chatKitDomainKey}
      initialConversationId={path[0] ?? null}
    />
  );
}
