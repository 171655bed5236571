import type { components } from "@/lib/schema";

type Schemas = components["schemas"];

export type ChatReply = Schemas["ChatReply"];
export type Conversation = Schemas["ConversationOut"];
export type ConversationPage = Schemas["ConversationPage"];
export type Message = Schemas["MessageOut"];
export type MessagePage = Schemas["MessagePage"];
export type Problem = Schemas["Problem"];
export type ToolCall = Schemas["ToolCall"];

/** What happens in a turn; OpenAPI describes a stream's bytes, not its events. */
export type TurnEvent =
  | { type: "turn.created"; conversation_id: string; message_id: string; user_message_id: string }
  | { type: "turn.output_text.delta"; delta: string }
  | ({ type: "turn.tool_call"; call_id: string } & ToolCall)
  | ({ type: "turn.completed" } & ChatReply)
  | ({ type: "turn.cancelled" } & Partial<ChatReply>)
  | { type: "turn.failed"; problem: Problem };
