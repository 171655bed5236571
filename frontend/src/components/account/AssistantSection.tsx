import { useCallback, useId, useState } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import type { AccountApi } from "@/services/account_api";
import type { Model, Settings } from "@/services/types";
import { AccountForm } from "./AccountForm";
import styles from "./account.module.css";
import { instructionsCount } from "./instructionsText";
import { LoadedPart } from "./LoadedPart";
import { Section } from "./Section";

export function AssistantSection({ api }: { api: AccountApi }) {
  const load = useCallback(() => Promise.all([api.getSettings(), api.listModels()]), [api]);
  const loaded = useLoaded(load);
  return (
    <Section id="assistant" title="Assistant">
      <LoadedPart loaded={loaded}>
        {([settings, models]) => (
          <>
            <Instructions api={api} settings={settings} />
            {models.length > 1 && <DefaultModel api={api} settings={settings} models={models} />}
          </>
        )}
      </LoadedPart>
    </Section>
  );
}

function Instructions({ api, settings }: { api: AccountApi; settings: Settings }) {
  const [text, setText] = useState(settings.instructions ?? "");
  const countId = useId();
  const count = instructionsCount(text);
  return (
    <AccountForm
      label="Instructions"
      action="Save the instructions"
      done="Saved. They hold from your next message on."
      isRefused={count.isTooLong}
      submit={() => api.updateSettings({ instructions: text.trim() ? text : null })}
    >
      <label className={styles.wide}>
        <span>Instructions</span>
        <textarea
          name="instructions"
          rows={5}
          dir="auto"
          value={text}
          placeholder="What should the assistant know about you, and how should it answer?"
          aria-describedby={countId}
          aria-invalid={count.isTooLong}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <p id={countId} className={count.isTooLong ? styles.tooLong : styles.hint}>
        {count.text}
      </p>
    </AccountForm>
  );
}

function DefaultModel(props: { api: AccountApi; settings: Settings; models: Model[] }) {
  const { api, settings, models } = props;
  return (
    <AccountForm
      label="Model"
      action="Save the model"
      done="Saved. New conversations begin with it."
      submit={({ model }) => api.updateSettings({ model: model || null })}
    >
      <label className={styles.wide}>
        <span>Model of new conversations</span>
        <select name="model" defaultValue={settings.model ?? ""}>
          <option value="">The default ({models[0]!.id})</option>
          {models.map(({ id }) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
      </label>
    </AccountForm>
  );
}
