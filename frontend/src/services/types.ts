/** The shapes of the API, as its contract says. */
export interface ToolCall {
  name: string;
  arguments?: string | Record<string, unknown>;
  output?: unknown;
  status: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  request_id?: string;
}

export interface Conversation {
  id: string;
  title: string | null;
  created_at: string;
  updated_at: string;
  archived: boolean;
  pinned: boolean;
  message_count: number;
  running: boolean;
}

export type MessageStatus = "in_progress" | "completed" | "failed" | "cancelled" | "interrupted";

export interface Message {
  id: string;
  conversation_id: string;
  seq: number;
  role: "user" | "assistant";
  status: MessageStatus;
  content: string;
  tool_calls: ToolCall[];
  error: Problem | null;
  created_at: string;
  completed_at: string | null;
}

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

export interface ChatReply {
  conversation_id: string;
  message_id: string;
  response: string;
  timestamp: string;
  status: "completed";
  tool_calls: ToolCall[];
}
