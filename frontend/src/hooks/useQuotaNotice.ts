import { useCallback, useEffect, useState } from "react";
import { quotaNotice } from "@/chat/quota";
import type { ChatApi } from "@/services/chat_api";
import { reportDefect } from "@/services/errors";
import type { Quota } from "@/services/types";
import { useOnReturn } from "./useOnReturn";

const isLimited = ({ turns, tokens }: Quota) => turns !== null || tokens !== null;

/** What to tell the user of their quota, and how to read it again. Where there is none, it is read once. */
export function useQuotaNotice(api: ChatApi) {
  const [quota, setQuota] = useState<Quota | null>(null);
  const load = useCallback(() => {
    // The user did not ask for it: if that fails, what was told before stays.
    api.getQuota().then(setQuota, reportDefect);
  }, [api]);
  const refresh = useCallback(() => {
    if (quota === null || isLimited(quota)) load();
  }, [load, quota]);
  useEffect(load, [load]);
  useOnReturn(refresh);
  return { notice: quota && quotaNotice(quota), refresh };
}
