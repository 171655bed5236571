import { Brand } from "@/components/ui/Brand";
import styles from "./auth.module.css";

export default function AuthLayout({ children }: LayoutProps<"/">) {
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <Brand />
        {children}
      </div>
    </main>
  );
}
