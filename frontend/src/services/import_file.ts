import type { AccountApi } from "./account_api";
import { splitImport, UnknownFileError } from "./conversation_import";
import { ApiError } from "./errors";
import type { Imported, NotTaken } from "./types";

export interface ImportProgress {
  conversations: number;
  messages: number;
  alreadyThere: number;
  notTaken: NotTaken[];
  /** The number of the part to go on with. */
  nextPart: number;
  /** From 0 to 1. */
  share: number;
}

export const NOTHING_IMPORTED: ImportProgress = {
  conversations: 0,
  messages: 0,
  alreadyThere: 0,
  notTaken: [],
  nextPart: 0,
  share: 0,
};

const UNREADABLE = [400, 413, 422];
const NOTHING_TAKEN: Imported = { conversations: 0, messages: 0, already_there: 0, not_taken: [] };

/**
 * Sends a file in parts, and yields after each of them what has been taken so far. After a failure it goes on from the
 * last `progress`; a part that did arrive makes nothing anew.
 */
export async function* importFile(
  api: AccountApi,
  file: Blob,
  begin: ImportProgress,
): AsyncGenerator<ImportProgress> {
  let progress = begin;
  for await (const part of partsOf(file)) {
    if (part.number < begin.nextPart) continue;
    const taken = part.body ? await send(api, part.body) : NOTHING_TAKEN;
    progress = {
      conversations: progress.conversations + taken.conversations,
      messages: progress.messages + taken.messages,
      alreadyThere: progress.alreadyThere + taken.already_there,
      notTaken: [...progress.notTaken, ...part.notTaken, ...taken.not_taken],
      nextPart: part.number + 1,
      // A part may have all of a small file behind it, and others after it.
      share: Math.min(part.bytesRead / file.size, 0.99),
    };
    yield progress;
  }
  yield { ...progress, share: 1 };
}

/** Of a part that the API cannot read, nothing is taken: sent again, it would be refused again. */
async function send(api: AccountApi, body: string): Promise<Imported> {
  try {
    return await api.importPart(body);
  } catch (error) {
    if (!(error instanceof ApiError && UNREADABLE.includes(error.status))) throw error;
    const part = { conversation: null, what: "part of the file", reason: error.message, count: 1 };
    return { ...NOTHING_TAKEN, not_taken: [part] };
  }
}

async function* partsOf(file: Blob) {
  try {
    yield* splitImport(file);
  } catch (error) {
    throw error instanceof UnknownFileError ? new ApiError(error.message, 400) : error;
  }
}
