export const CHAT_PATH = "/chat";

export const conversationPath = (id: string | null) => (id ? `${CHAT_PATH}/${id}` : CHAT_PATH);
