import type { Conversation } from "@/services/types";

export const titleOf = (conversation: Conversation) => conversation.title || "Untitled";
