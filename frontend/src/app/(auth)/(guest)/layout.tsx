import { redirect } from "next/navigation";
import { getUser } from "@/lib/auth";

export default async function GuestLayout({ children }: LayoutProps<"/">) {
  if (await getUser()) redirect("/chat");
  return children;
}
