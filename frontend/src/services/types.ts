import type { components } from "@/lib/schema";

type Schemas = components["schemas"];

export type ChatReply = Schemas["ChatReply"];
export type Conversation = Schemas["ConversationOut"];
export type ConversationPage = Schemas["ConversationPage"];
export type Imported = Schemas["Imported"];
export type Me = Schemas["Me"];
export type Message = Schemas["MessageOut"];
export type MessagePage = Schemas["MessagePage"];
export type MessageVersions = Schemas["MessageVersions"];
export type Model = Schemas["Model"];
export type NotTaken = Schemas["NotTaken"];
export type Problem = Schemas["Problem"];
export type Quota = Schemas["Quota"];
export type Rating = Schemas["Feedback"]["rating"];
export type Settings = Schemas["SettingsOut"];
export type SettingsChanges = Schemas["SettingsChanges"];
export type SharedConversation = Schemas["SharedOut"];
export type SharedPage = Schemas["SharedPage"];
export type SharedSnapshot = Schemas["SharedSnapshot"];
export type ToolCall = Schemas["ToolCall"];

export type Usage = Schemas["UsageOut"];

/** What starts a turn. */
export type Act =
  | { kind: "send"; conversationId: string | null; message: string }
  | { kind: "edit"; conversationId: string; messageId: string; message: string }
  | { kind: "regenerate"; conversationId: string; messageId: string }
  | {
      kind: "resume";
      conversationId: string;
      messageId: string;
      approved: boolean;
      calls: string[];
    };

export type TurnRequest = Act & { idempotencyKey: string };

/** The events of a turn's stream, which OpenAPI cannot describe. */
export type TurnEvent =
  | { type: "turn.created"; conversation_id: string; message_id: string; user_message_id: string }
  | { type: "turn.output_text.delta"; delta: string }
  | ({ type: "turn.tool_call" } & ToolCall)
  | ({ type: "turn.completed" | "turn.cancelled" | "turn.waiting_approval" } & ChatReply)
  | { type: "turn.failed"; problem: Problem };
