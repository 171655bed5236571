import { redirect } from "next/navigation";
import { Brand } from "@/components/Brand";
import { getUser } from "@/lib/auth";
import styles from "./auth.module.css";

export default async function AuthLayout({ children }: LayoutProps<"/">) {
  if (await getUser()) redirect("/chat");
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <Brand />
        {children}
      </div>
    </main>
  );
}
