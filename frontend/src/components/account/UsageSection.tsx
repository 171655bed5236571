import { useCallback } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import type { AccountApi } from "@/services/account_api";
import type { Usage } from "@/services/types";
import styles from "./account.module.css";
import { LoadedPart } from "./LoadedPart";
import { Section } from "./Section";
import { UsageChart } from "./UsageChart";
import { dollars, usageDays, usageTotal, type UsageTotal } from "./usageDays";
import { whenWas } from "./whenWas";

const DAYS = 30;

const number = (value: number) => value.toLocaleString("en");

export function UsageSection({ api }: { api: AccountApi }) {
  const load = useCallback(() => api.getUsage(DAYS), [api]);
  const loaded = useLoaded(load);
  return (
    <Section id="usage" title="Usage" text={`What you used in the last ${DAYS} days.`}>
      <LoadedPart loaded={loaded}>
        {(usage) => (
          <>
            <Totals total={usageTotal(usage)} />
            <UsageChart days={usageDays(usage, DAYS)} />
            <Left quota={usage.quota} />
            {usage.days.length > 0 && <Table days={usage.days} />}
          </>
        )}
      </LoadedPart>
    </Section>
  );
}

function Totals({ total: { turns, tokens, cost, unpriced } }: { total: UsageTotal }) {
  const isUnknown = unpriced.length > 0 && cost === 0;
  return (
    <>
      <dl className={styles.totals}>
        <Figure name="Answers" value={number(turns)} />
        <Figure name="Tokens" value={number(tokens)} />
        <Figure name="Cost" value={isUnknown ? "Not known" : dollars(cost)} />
      </dl>
      {unpriced.length > 0 && (
        <p className={styles.hint}>The price is not known of: {unpriced.join(", ")}.</p>
      )}
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Left({ quota }: { quota: Usage["quota"] }) {
  const { turns, tokens, turns_left, tokens_left, fresh_at } = quota;
  const left = [
    turns !== null && `${number(turns_left ?? 0)} of ${number(turns)} answers`,
    tokens !== null && `${number(tokens_left ?? 0)} of ${number(tokens)} tokens`,
  ].filter((text) => text !== false);
  if (left.length === 0) return null;
  return (
    <p>
      Left for today: {left.join(", ")}. Fresh again at {whenWas(fresh_at)}.
    </p>
  );
}

function Table({ days }: { days: Usage["days"] }) {
  return (
    <details className={styles.details}>
      <summary>By day and model</summary>
      <div className={styles.scroller} role="region" aria-label="Usage by day" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {["Day", "Model", "Answers", "Tokens in", "of them cached", "Tokens out", "Cost"].map(
                (name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {days.map((row) => (
              <tr key={`${row.day} ${row.model}`}>
                <th scope="row">{row.day}</th>
                <td>{row.model}</td>
                <td>{number(row.turns)}</td>
                <td>{number(row.input_tokens)}</td>
                <td>{number(row.cached_tokens)}</td>
                <td>{number(row.output_tokens)}</td>
                <td>{row.cost === null ? "not known" : dollars(row.cost)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
