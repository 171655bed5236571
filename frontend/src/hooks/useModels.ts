import { useEffect, useState } from "react";
import type { ChatApi } from "@/services/chat_api";
import type { Model } from "@/services/types";

/** The models to choose from; none until the list is loaded, or if that fails. */
export function useModels(api: ChatApi): Model[] {
  const [models, setModels] = useState<Model[]>([]);
  useEffect(() => {
    api.listModels().then(setModels, () => undefined);
  }, [api]);
  return models;
}
