"use client";

import { StatusPage } from "@/components/ui/StatusPage";

export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <StatusPage title="Something went wrong" text="It is not your fault. Please try again.">
      <button type="button" className="button" onClick={reset}>
        Try again
      </button>
    </StatusPage>
  );
}
