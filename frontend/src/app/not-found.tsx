import type { Metadata } from "next";
import { StatusPage } from "@/components/ui/StatusPage";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return <StatusPage title="There is nothing here" text="No page exists at this address." />;
}
