import type { User } from "@/lib/user";

export interface AccountUser extends User {
  isEmailVerified: boolean;
  /** Whether a sign-in with the password needs a code as well. */
  hasTwoFactor: boolean;
}
