import { useCallback, useEffect, useState } from "react";
import { toApiError, type ApiError } from "@/services/errors";

export interface Loaded<Value> {
  value?: Value;
  problem?: ApiError;
  /** Loads again. What there was is shown until then. */
  reload: () => void;
}

/** What `load` resolves with. It must stay the same function. */
export function useLoaded<Value>(load: () => Promise<Value>): Loaded<Value> {
  const [state, setState] = useState<Omit<Loaded<Value>, "reload">>({});
  const reload = useCallback(() => {
    load().then(
      (value) => setState({ value }),
      (failure: unknown) => setState(({ value }) => ({ value, problem: toApiError(failure) })),
    );
  }, [load]);
  useEffect(reload, [reload]);
  return { ...state, reload };
}
