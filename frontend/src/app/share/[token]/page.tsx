import type { Metadata } from "next";
import { SharedConversation } from "@/components/share/SharedConversation";
import { config } from "@/lib/config";

export const metadata: Metadata = {
  title: "A shared conversation",
  robots: { index: false, follow: false },
  // The address is the secret.
  referrer: "no-referrer",
};

/** Needs no sign-in. */
export default async function SharePage({ params }: PageProps<"/share/[token]">) {
  const { token } = await params;
  return <SharedConversation apiUrl={config.apiUrl} token={token} />;
}
