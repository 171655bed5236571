import { useCallback, useEffect, useRef, useState } from "react";
import { quotaNotice } from "@/chat/quota";
import type { ChatApi } from "@/services/chat_api";
import { reportDefect } from "@/services/errors";
import { useOnReturn } from "./useOnReturn";

/** What to tell the user of their quota, and how to read it again. Where there is none, it is read once. */
export function useQuotaNotice(api: ChatApi) {
  const [notice, setNotice] = useState<string | null>(null);
  const isLimited = useRef(true);
  const refresh = useCallback(() => {
    if (!isLimited.current) return;
    // The user did not ask for it: if that fails, what was told before stays.
    api.getQuota().then((quota) => {
      isLimited.current = quota.turns !== null || quota.tokens !== null;
      setNotice(quotaNotice(quota));
    }, reportDefect);
  }, [api]);
  useEffect(refresh, [refresh]);
  useOnReturn(refresh);
  return { notice, refresh };
}
